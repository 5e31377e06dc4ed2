"""What a person does wrong with a packed corpus, and what is said of it."""

from __future__ import annotations

import json

import pytest
from data_helpers import settings
from packed_corpora import pack, write_corpus

from mynah.data.preparation.prepare import prepare
from mynah.errors import UserError


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("mine") / "corpus")


def test_a_packed_corpus_without_its_list_is_not_read_as_another_format(corpus, tmp_path):
    shards = tmp_path / "shards"
    assert pack(corpus, shards) == 0
    (shards / "pack.json").unlink()
    with pytest.raises(UserError, match=r"list of shards is missing: pack\.json") as problem:
        prepare(settings(tmp_path, path=str(shards)), working_directory=tmp_path)
    assert "copy it again" in problem.value.fix


def test_a_packing_that_fails_leaves_no_lock(corpus, tmp_path, capsys):
    to = tmp_path / "shards"
    to.mkdir()
    (to / "other.txt").touch()
    assert pack(corpus, to) == 2
    assert "is not empty" in capsys.readouterr().err
    assert sorted(one.name for one in tmp_path.iterdir() if "lock" in one.name) == []


@pytest.mark.parametrize("below", ["", "shards"])
def test_shards_are_not_written_to_or_below_a_file(corpus, tmp_path, capsys, below):
    (tmp_path / "file.csv").touch()
    assert pack(corpus, tmp_path / "file.csv" / below) == 2
    assert "is a file, and nothing can lie in it" in capsys.readouterr().err


def prepared(root, tmp_path, **changed):
    config = settings(tmp_path, path=str(root), eval_splits=["test"], **changed)
    return prepare(config, working_directory=tmp_path)


@pytest.mark.parametrize("policy", ["first", "split"])
def test_channels_are_chosen_when_a_corpus_is_packed_and_not_after_it(tmp_path, policy):
    corpus = write_corpus(tmp_path / "corpus")
    if policy == "split":  # a row that has no words can be split
        listing = corpus / "metadata.jsonl"
        listing.write_text(listing.read_text().replace('"beide <noise>"', '""'))
    assert pack(corpus, tmp_path / "mixed") == 0
    with pytest.raises(UserError, match=f"packed with data.channels=mix, not {policy}") as problem:
        prepared(tmp_path / "mixed", tmp_path, channels=policy)
    assert f"data.channels={policy} --to" in problem.value.fix
    assert problem.value.fix.startswith("data.channels=mix reads it as packed")
    assert pack(corpus, tmp_path / "shards", f"data.channels={policy}") == 0
    ours = prepared(tmp_path / "shards", tmp_path, channels=policy).train
    theirs = prepared(corpus, tmp_path, channels=policy).train
    assert list(ours.ids) == list(theirs.ids)
    assert all((ours.read_audio(n) == theirs.read_audio(n)).all() for n in range(len(theirs)))
    prepared(tmp_path / "shards", tmp_path)  # what was packed is read where nothing is asked for


def test_shards_that_do_not_say_how_channels_were_packed_are_read_with_a_notice(
    corpus, tmp_path, capsys
):
    assert pack(corpus, tmp_path / "shards", "data.channels=first") == 0
    listing = tmp_path / "shards" / "pack.json"
    held = json.loads(listing.read_text())
    assert held.pop("channels") == "first"
    listing.write_text(json.dumps(held))  # as an earlier version of Mynah wrote it
    prepared(tmp_path / "shards", tmp_path)
    assert "how channels were packed" not in capsys.readouterr().out
    ours = prepared(tmp_path / "shards", tmp_path, channels="first").train
    said = " ".join(capsys.readouterr().out.split())
    assert "does not say how channels were packed" in said and "read as it was packed" in said
    theirs = prepared(corpus, tmp_path, channels="first").train
    assert all((ours.read_audio(n) == theirs.read_audio(n)).all() for n in range(len(theirs)))
    assert pack(corpus, tmp_path / "shards", "data.channels=first") == 0  # writes the list alone
    capsys.readouterr()
    prepared(tmp_path / "shards", tmp_path, channels="first")
    assert "how channels were packed" not in capsys.readouterr().out


def test_settings_of_a_mixture_that_others_need_are_noticed_where_a_member_is_packed(
    corpus, tmp_path, capsys
):
    assert pack(corpus, tmp_path / "shards") == 0
    members = {
        "packed": {"path": str(tmp_path / "shards"), "eval_splits": ["test"]},
        "calls": {"path": str(corpus), "eval_splits": []},
    }
    asked = {"channels": "first", "no_speech_texts": ["beide <noise>"]}
    capsys.readouterr()
    config = settings(tmp_path, mixture=members, **asked)
    train = prepare(config, working_directory=tmp_path).train
    said = " ".join(capsys.readouterr().out.split())
    assert "packed with data.channels=mix, not first" in said and "read as it was packed" in said
    assert "1 of 9 transcripts of train" in said and "read as packed" in said
    # Nine rows each: of the packed ones none is silence, and of the corpus itself that one.
    assert len(train) == 18 and train.no_speech.sum() == 1
    assert list(train.texts).count("beide <noise>") == 1 and list(train.texts).count("") == 1


def test_transcripts_without_speech_are_named_when_a_corpus_is_packed_and_not_after_it(tmp_path):
    corpus = write_corpus(tmp_path / "corpus")
    asked = {"no_speech_texts": ["BEIDE  <noise>", "[silence]"]}
    assert pack(corpus, tmp_path / "plain") == 0
    with pytest.raises(UserError, match=r"1 of 9 .* of train, as 'beide <noise>', mean") as found:
        prepared(tmp_path / "plain", tmp_path, **asked)
    assert "data.no_speech_texts" in found.value.where and "mynah data pack" in found.value.fix
    assert found.value.fix.startswith("data.no_speech_texts=[] reads them as packed")
    prepared(tmp_path / "plain", tmp_path, no_speech_texts=[])
    prepared(tmp_path / "plain", tmp_path, no_speech_texts=["[silence]"])  # which no row says
    assert pack(corpus, tmp_path / "shards", "data.no_speech_texts=['beide <noise>']") == 0
    ours = prepared(tmp_path / "shards", tmp_path, **asked).train
    theirs = prepared(corpus, tmp_path, **asked).train
    assert list(ours.texts) == list(theirs.texts) and "" in list(ours.texts)
    assert ours.no_speech.tolist() == theirs.no_speech.tolist() and ours.no_speech.sum() == 1
