"""What is kept from training where a corpus has no evaluation split."""

import os

import pytest
from data_helpers import settings, write_folder
from stored_corpora import stored_corpus

from mynah.data.preparation.held_out import hold_out
from mynah.data.preparation.prepare import prepare


def of_speakers(directory, speakers):
    return stored_corpus(directory, [{"speaker": speaker} for speaker in speakers])


def test_one_speaker_is_always_left_to_learn_from(tmp_path):
    corpus = of_speakers(tmp_path / "two", ["anna", "ben"])
    held = hold_out(corpus, fraction=0.9, file=tmp_path / "held.json")
    assert len(held.names) == 1


def test_a_choice_that_was_cut_short_is_made_again(tmp_path):
    corpus, file = of_speakers(tmp_path / "none", [""] * 50), tmp_path / "held.json"
    first = hold_out(corpus, fraction=0.1, file=file)
    file.write_text(file.read_text()[:20])
    assert hold_out(corpus, fraction=0.1, file=file).names == first.names
    assert first.by == "utterance" and len(first.names) == 5


def test_a_choice_of_names_that_are_all_gone_is_made_again(tmp_path):
    file = tmp_path / "held.json"
    hold_out(of_speakers(tmp_path / "old", ["ann", "bob", "cid"]), fraction=0.3, file=file)
    held = hold_out(of_speakers(tmp_path / "new", ["dan", "eve", "fay"]), fraction=0.3, file=file)
    assert held.names < {"dan", "eve", "fay"} and held.names


def cut_recordings(root, *, speakers=("",)):
    return [
        {
            "audio": {"path": f"{root}/call{number // 5}.wav", "bytes": None},
            "offset_seconds": float(number % 5),
            "speaker": speakers[number % len(speakers)],
        }
        for number in range(40)
    ]


def test_all_utterances_of_a_recording_are_on_one_side(tmp_path):
    corpus = stored_corpus(tmp_path / "calls", cut_recordings("/a"), shards=3)
    held = hold_out(corpus, fraction=0.2, file=tmp_path / "held.json", root="/a")
    assert held.by == "recording" and len(held.names) == 2
    inside = held.rows(corpus)
    calls = [corpus.recording(row) for row in range(40)]
    assert inside.sum() == 10
    assert not {c for c, i in zip(calls, inside, strict=True) if i} & {
        c for c, i in zip(calls, inside, strict=True) if not i
    }


def test_the_choice_of_recordings_does_not_hang_on_where_they_lie(tmp_path):
    chosen = [
        hold_out(
            stored_corpus(tmp_path / root[1:], cut_recordings(root)),
            fraction=0.2, file=tmp_path / f"{root[1:]}.json", root=root,
        ).names
        for root in ("/here", "/elsewhere")
    ]  # fmt: skip
    assert chosen[0] == chosen[1]


def test_where_only_some_speakers_are_known_none_of_those_is_on_both_sides(tmp_path):
    rows = cut_recordings("/a", speakers=("ann", "ben", "", "cid"))
    corpus = stored_corpus(tmp_path / "calls", rows)
    held = hold_out(corpus, fraction=0.3, file=tmp_path / "held.json")
    assert held.by == "speaker or recording"
    inside = held.rows(corpus)
    for names in (corpus.speakers, [corpus.recording(row) for row in range(40)]):
        known = [
            (name, bool(held_out))
            for name, speaker, held_out in zip(names, corpus.speakers, inside, strict=True)
            if speaker == "" or names is corpus.speakers
            if name
        ]
        assert len(set(known)) == len({name for name, _ in known})


@pytest.mark.parametrize("speakers", [["ann", "ben"], ["ann"] * 9 + ["ben"]])
def test_of_two_speakers_never_half_a_corpus_is_held_out(tmp_path, speakers):
    corpus = of_speakers(tmp_path / "two", speakers * (40 // len(speakers)))
    held = hold_out(corpus, fraction=0.1, file=tmp_path / "held.json")
    inside = held.rows(corpus)
    assert inside.sum() == 4
    # Either the one with a tenth of it, or utterances of both.
    small = speakers.count("ben") * 10 == len(speakers)
    assert held.by == ("speaker" if small else "utterance")
    assert held.names == ({"ben"} if small else held.names)


def test_of_many_speakers_the_choice_is_as_ever(tmp_path):
    corpus = of_speakers(tmp_path / "many", [f"s{number % 20}" for number in range(200)])
    held = hold_out(corpus, fraction=0.1, file=tmp_path / "held.json")
    # In the order of BLAKE2's digests of the names (b2sum), the first two.
    assert held.by == "speaker" and len(held.names) == 2 and held.rows(corpus).sum() == 20


def test_the_choice_lies_in_the_corpus_and_what_it_comes_to_is_said(tmp_path, capsys):
    names = [(f"{speaker}/{n}.wav", "hello", speaker) for n in range(5) for speaker in "ab"]
    root = write_folder(tmp_path / "mine", names)
    config = settings(tmp_path, dataset_name=str(root), eval_splits=None)
    data = prepare(config, working_directory=tmp_path, offline=True)
    said = capsys.readouterr().out
    assert len(data.evaluation["held_out"]) == 1 and len(data.train) == 9
    assert "1 utterance, 1 of 10 utterances (10%)" in said
    assert "too few speakers to hold one out" in said
    (file,) = root.glob("held-out-*.mynah")
    assert str(file) in said
    moved = root.rename(tmp_path / "elsewhere")
    config = settings(tmp_path, dataset_name=str(moved), eval_splits=None)
    again = prepare(config, working_directory=tmp_path, offline=True)
    assert "as in earlier runs" in capsys.readouterr().out
    assert list(again.evaluation["held_out"].ids) == list(data.evaluation["held_out"].ids)


def test_where_the_corpus_cannot_be_written_to_the_choice_lies_beside_the_runs(
    tmp_path, monkeypatch
):
    root = write_folder(tmp_path / "mine", [(f"{n}.wav", "hello", f"s{n}") for n in range(10)])
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    config = settings(tmp_path, dataset_name=str(root), eval_splits=None)
    prepare(config, working_directory=tmp_path, offline=True)
    assert not list(root.glob("held-out-*"))
    assert len(list((tmp_path / "outputs").glob("held-out-*.json"))) == 1
