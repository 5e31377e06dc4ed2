"""``mynah data pack``: the same rows and samples, shards that others read, nothing lost."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from data_helpers import settings
from packed_corpora import pack, write_corpus

from mynah.cli.main import main
from mynah.data.packed import pack as packing
from mynah.data.preparation import candidates
from mynah.data.preparation.prepare import prepare
from mynah.data.streams.stream import open_stream
from mynah.errors import UserError

COMPARED = ("ids", "texts", "speakers", "languages", "sources", "columns", "digests")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("mine") / "corpus")


@pytest.fixture(scope="module")
def shards(corpus, tmp_path_factory):
    to = tmp_path_factory.mktemp("packed") / "shards"
    assert pack(corpus, to) == 0
    return to


def prepared(root: Path, tmp_path: Path, **changed: object):
    config = settings(tmp_path, path=str(root), eval_splits=["test"], **changed)
    return prepare(config, working_directory=tmp_path)


def both_corpora(corpus, shards, tmp_path, **changed):
    """(unpacked, packed) of the training and of the evaluation split."""
    plain = prepared(corpus, tmp_path, **changed)
    packed = prepared(shards, tmp_path, **changed)
    assert packed.report["format"] == "packed"
    return [(plain.train, packed.train), (plain.evaluation["test"], packed.evaluation["test"])]


def altered(shards, tmp_path):
    """A copy to damage."""
    return Path(shutil.copytree(shards, tmp_path / "altered"))


def members(shards):
    """(what is said, (name, content) of the recording) of each sample, as tarfile reads it."""
    found = []
    for tar in sorted(shards.glob("*.tar")):
        with tarfile.open(tar) as opened:
            files = {name: opened.extractfile(name).read() for name in opened.getnames()}
        for name, content in files.items():
            if name.endswith(".json"):
                key = name.removesuffix("json")
                (sound,) = (one for one in files if one.startswith(key) and one != name)
                found.append((json.loads(content), (sound, files[sound])))
    return found


def refusal(root, tmp_path):
    with pytest.raises(UserError) as problem:
        prepared(root, tmp_path)
    return f"{problem.value.what} {problem.value.where} {problem.value.fix}"


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"min_audio_seconds": 0.65},  # a filter that leaves some out
        {"max_train_samples": 3},
        {"max_text_words": 3},
        {"min_characters_a_second": 8.0},
        {"max_characters_a_second": 20.0, "filter_eval": True},
    ],
    ids=str,
)
def test_what_was_counted_while_packing_chooses_the_rows_that_a_look_at_them_does(
    corpus, shards, tmp_path, changed, monkeypatch
):
    looked = prepared(corpus, tmp_path / "looked", **changed)  # which has no statistics
    counted = prepared(shards, tmp_path / "counted", **changed)
    for name in ("identity", "format", "fingerprints"):  # of a packed corpus they are its own
        looked.report.pop(name), counted.report.pop(name)
    for split in ("train", "test"):
        looked.report["splits"][split].pop("fingerprint")
        counted.report["splits"][split].pop("fingerprint")
    assert counted.report == looked.report
    monkeypatch.setattr(candidates, "chosen_unseen", lambda *_: None)
    again = prepared(shards, tmp_path / "again", **changed)
    assert again.train.fingerprint == counted.train.fingerprint
    assert list(again.train.ids) == list(counted.train.ids)


def test_rows_that_all_stay_are_not_looked_at(shards, tmp_path, monkeypatch):
    looked_at = []
    choose = candidates._choose
    monkeypatch.setattr(
        candidates, "_choose", lambda request, *rest: looked_at.append(request.name)
        or choose(request, *rest)
    )  # fmt: skip
    prepared(shards, tmp_path)
    assert looked_at == ["test"]  # where a recording cannot be read


@pytest.mark.parametrize("changed", [{}, {"text_case": "lower", "annotations": ["usual"]}])
def test_a_packed_corpus_has_the_rows_of_the_corpus(corpus, shards, tmp_path, changed):
    for plain, packed in both_corpora(corpus, shards, tmp_path, **changed):
        for name in COMPARED:
            assert list(getattr(packed, name)) == list(getattr(plain, name)), name
        assert packed.durations.tolist() == plain.durations.tolist()
        assert packed.fingerprint == plain.fingerprint


def test_every_sample_is_that_of_the_corpus_whatever_it_was_cut_from(corpus, shards, tmp_path):
    (plain, packed), _ = both_corpora(corpus, shards, tmp_path)
    assert len(plain) == 9
    for row in range(len(plain)):
        ours, rate = packed.read_as_recorded(row)
        theirs, their_rate = plain.read_as_recorded(row)
        assert rate == their_rate and np.array_equal(ours, theirs), plain.ids[row]
        assert np.array_equal(packed.read_audio(row), plain.read_audio(row))


def test_a_recording_that_cannot_be_read_still_counts_in_an_evaluation(corpus, shards, tmp_path):
    _, (plain, packed) = both_corpora(corpus, shards, tmp_path)
    assert [plain.error(row) for row in range(3)] == [packed.error(row) for row in range(3)]
    assert packed.error(2) != "" and packed.durations[2] == 0
    held = [said["id"] for said, _ in members(shards) if "Satz" in said["text"]]
    assert "4.flac" in held and len(members(shards)) == 9 + 2


def test_shards_have_one_size_and_their_sums_are_those_of_sha256sum(shards):
    import hashlib

    tars = sorted(shards.glob("train-*.tar"))
    assert len(tars) > 2
    assert all(tar.stat().st_size <= 60_000 for tar in tars[:-1])
    for line in (shards / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((shards / name).read_bytes()).hexdigest() == digest


def test_files_of_their_own_are_packed_byte_for_byte(corpus, shards):
    held = {said["text"]: sound for said, sound in members(shards)}
    for number in range(6):
        name, content = held[f"Ein Satz, {number}: größer"]
        assert name.endswith(".flac") and content == (corpus / f"{number}.flac").read_bytes()


def test_the_webdataset_library_reads_every_sample(corpus, shards, tmp_path):
    import webdataset

    tars = [str(one) for one in sorted(shards.glob("train-*.tar"))]
    rows = list(webdataset.WebDataset(tars, shardshuffle=False))
    (plain, _), _ = both_corpora(corpus, shards, tmp_path)
    said = [json.loads(row["json"]) for row in rows]
    assert [one["id"] for one in said] == list(plain.ids)
    assert [one["text"] for one in said] == list(plain.texts)
    for number, row in enumerate(rows):
        (sound,) = (row[ending] for ending in ("flac", "wav") if ending in row)
        samples, _ = soundfile.read(io.BytesIO(sound), dtype="float32", always_2d=True)
        assert np.array_equal(samples.mean(axis=1), plain.read_as_recorded(number)[0])


def test_packed_shards_can_be_streamed_as_they_are(shards, tmp_path):
    config = settings(tmp_path, path=str(shards), streaming=True)
    stream = open_stream(config, offline=True, working_directory=tmp_path)
    assert len(stream.head(seed=0)) == 9 and "beide <noise>" in list(stream.tokenizer_texts)


def test_the_datasets_library_reads_the_shards_as_webdataset(corpus, shards, tmp_path):
    import datasets

    features = datasets.Features(  # its own for audio needs torchcodec
        {
            "__key__": datasets.Value("string"),
            "__url__": datasets.Value("string"),
            "flac": datasets.Value("binary"),
            "json": {name: datasets.Value("string") for name in ("id", "text", "speaker")},
        }
    )
    found = datasets.load_dataset(
        "webdataset",
        data_files={"test": [str(one) for one in sorted(shards.glob("test-*.tar"))]},
        cache_dir=str(tmp_path / "hf"),
        split="test",
        streaming=True,
        features=features,
    )
    rows = list(found)
    assert [row["json"]["id"] for row in rows] == ["4.flac", "5.flac"]
    assert [row["json"]["text"] for row in rows] == [f"Ein Satz, {n}: größer" for n in (4, 5)]
    assert rows[0]["flac"] == (corpus / "4.flac").read_bytes()


def test_others_read_the_shards_as_webdataset_with_the_same_transcripts(corpus, shards, tmp_path):
    found = prepared(shards, tmp_path, format="webdataset").train
    plain = prepared(corpus, tmp_path).train
    assert list(found.ids) == list(plain.ids) and list(found.texts) == list(plain.texts)


def test_the_counts_beside_the_rows_are_those_of_a_count_by_hand(shards):
    held = json.loads((shards / "pack.json").read_text())["splits"]["train"]["statistics"]
    assert held["rows"] == 9 and held["languages"] == {"": 8, "de": 1}
    assert held["annotations"] == {"<noise>": 1}
    texts = [f"Ein Satz, {number}: größer" for number in range(4)]
    texts += ["beide <noise>", "links", "ein Stück", "der Rest", "verlustbehaftet"]
    assert held["characters"] == {c: "".join(texts).count(c) for c in set("".join(texts))}
    assert held["first_with"]["k"] == 5 and held["first_with"]["ü"] == 6
    assert held["longest_text"] == len(texts[0])


def test_a_killed_packing_is_resumed_with_the_same_bytes(corpus, shards, tmp_path, monkeypatch):
    to = tmp_path / "shards"
    written = packing._write_shard
    count = 0

    def killed(*given):
        nonlocal count
        count += 1
        if count == 3:
            (to / ".train-000002.tar.1-1.writing").write_bytes(b"a part")
            raise KeyboardInterrupt
        return written(*given)

    monkeypatch.setattr(packing, "_write_shard", killed)
    assert pack(corpus, to) == 130
    assert "not packed to its end" in refusal(to, tmp_path)
    times = {one.name: one.stat().st_mtime_ns for one in to.glob("train-*")}
    assert len(times) == 4
    monkeypatch.undo()
    assert pack(corpus, to) == 0
    assert {name: (to / name).stat().st_mtime_ns for name in times} == times
    for one in sorted(shards.iterdir()):
        assert (to / one.name).read_bytes() == one.read_bytes(), one.name
    assert {one.name for one in to.iterdir()} == {one.name for one in shards.iterdir()}


def test_packing_again_writes_nothing_and_another_corpus_is_refused(corpus, tmp_path, capsys):
    to = tmp_path / "shards"
    assert pack(corpus, to) == 0
    before = {one.name: one.stat().st_mtime_ns for one in to.iterdir()}
    assert pack(corpus, to) == 0 and "holds this corpus already" in capsys.readouterr().out
    assert {one.name: one.stat().st_mtime_ns for one in to.iterdir()} == before
    assert pack(corpus, to, "--splits", "test") == 2
    assert "--to OTHER_FOLDER" in capsys.readouterr().err


def test_a_recording_that_changed_after_it_was_prepared_is_named_and_the_rest_is_packed(
    tmp_path, monkeypatch, caplog
):
    corpus = write_corpus(tmp_path / "mine")
    sampled = packing.sample_of

    def changing(read, row, columns):
        if columns["id"] == "1.flac":
            soundfile.write(corpus / "1.flac", np.zeros(900, np.float32), 16000)
        return sampled(read, row, columns)

    monkeypatch.setattr(packing, "sample_of", changing)
    assert pack(corpus, tmp_path / "shards") == 0
    assert "1 recordings of train cannot be read" in caplog.text
    assert "1.flac: it ends after 0.06 of 0.60 seconds" in caplog.text
    assert len(prepared(tmp_path / "shards", tmp_path).train) == 8


def test_a_full_disk_is_said_and_keeps_finished_shards(corpus, tmp_path, monkeypatch, capsys):
    to = tmp_path / "shards"
    written, count = packing.TarShard.add, 0

    def full(self, name, content):
        nonlocal count
        count += 1
        if count > 10:
            raise OSError(28, "No space left on device")
        return written(self, name, content)

    monkeypatch.setattr(packing.TarShard, "add", full)
    assert pack(corpus, to) == 2
    said = capsys.readouterr().err
    assert "No space left on device" in said and "finished shards are kept" in said
    assert list(to.glob("*.index")) and not list(to.glob(".*writing"))


def test_shards_of_another_version_are_refused(shards, tmp_path):
    other = altered(shards, tmp_path)
    held = json.loads((other / "pack.json").read_text()) | {"version": 7}
    (other / "pack.json").write_text(json.dumps(held))
    assert "format 7, and this one reads format 1" in refusal(other, tmp_path)


def test_an_index_of_another_shard_is_refused(shards, tmp_path):
    other = altered(shards, tmp_path)
    held = json.loads((other / "pack.json").read_text())
    one, two = held["splits"]["train"]["shards"][:2]
    (other / "train-000000.index").write_bytes((other / "train-000001.index").read_bytes())
    one["index_bytes"] = two["index_bytes"]
    (other / "pack.json").write_text(json.dumps(held))
    said = refusal(other, tmp_path)
    assert "train-000000.index does not fit its shard" in said and "train-000001.tar" in said


def test_a_tar_whose_members_lie_elsewhere_is_refused(shards, tmp_path):
    other = altered(shards, tmp_path)
    tar = other / "train-000000.tar"
    tar.write_bytes(bytes(tar.stat().st_size))
    assert "train-000000.index does not fit its shard" in refusal(other, tmp_path)


@pytest.mark.parametrize("damage", ["cut", "missing", "edited"])
def test_a_damaged_packed_corpus_is_named(shards, tmp_path, damage):
    other = altered(shards, tmp_path)
    file = other / {"cut": "train-000001.tar", "missing": "test-000000.index"}.get(
        damage, "pack.json"
    )
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-300])
    assert file.name in refusal(other, tmp_path)


def test_an_index_that_is_not_arrow_is_named(shards, tmp_path):
    other = altered(shards, tmp_path)
    file = other / "train-000001.index"
    file.write_bytes(bytes(file.stat().st_size))
    assert "train-000001.index" in refusal(other, tmp_path)


def test_an_index_that_is_damaged_behind_its_head_is_named(shards, tmp_path):
    other = altered(shards, tmp_path)
    file = other / "train-000001.index"
    content = file.read_bytes()
    schema = content.rfind(b"ARROW:schema")
    start = max(len(content) // 2, schema)
    file.write_bytes(content[:start] + b"\xff" * (len(content) - start - 8) + content[-8:])
    assert "train-000001.index" in refusal(other, tmp_path)


def test_a_size_that_is_not_a_number_is_refused(shards, tmp_path):
    other = altered(shards, tmp_path)
    held = json.loads((other / "pack.json").read_text())
    held["splits"]["train"]["shards"][0]["bytes"] = "12"
    (other / "pack.json").write_text(json.dumps(held))
    assert "pack.json" in refusal(other, tmp_path)


@pytest.mark.parametrize("place", ["corpus", "corpus/shards", "s3://speech/shards"])
def test_shards_do_not_lie_in_their_corpus_or_in_a_bucket(tmp_path, monkeypatch, capsys, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus").mkdir()
    assert main(["data", "pack", "corpus", "--to", place]) == 2
    assert f"--to {place}" in capsys.readouterr().err
    assert not list((tmp_path / "corpus").iterdir())


def test_a_corpus_without_splits_holds_out_the_same_utterances(tmp_path):
    rows = []
    for number in range(6):
        path = tmp_path / "mine" / f"{number}.wav"
        path.parent.mkdir(exist_ok=True)
        tones = np.sin(np.arange(48000) * (0.02 + number * 0.01)).astype(np.float32) / 2
        soundfile.write(path, tones, 16000)
        rows += [
            {"file_name": path.name, "text": f"satz {number} {part}", "offset": part, "duration": 1}
            for part in range(3)
        ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "mine" / "metadata.jsonl").write_text(lines)
    assert pack(tmp_path / "mine", tmp_path / "shards") == 0
    found = []
    for root in (tmp_path / "mine", tmp_path / "shards"):
        config = settings(tmp_path, path=str(root), eval_splits=None, eval_fraction=0.2)
        data = prepare(config, working_directory=tmp_path)
        found.append((list(data.train.ids), list(data.evaluation["held_out"].ids)))
    assert found[0] == found[1] and len(found[0][1]) in (3, 6)


def test_no_pickle_is_in_a_packed_corpus(shards):
    assert {one.suffix for one in shards.iterdir()} == {".tar", ".index", ".json", ""}
    with (shards / "train-000000.index").open("rb") as file:
        assert pa.ipc.open_stream(file).read_all().num_rows > 0
    with tarfile.open(next(shards.glob("train-*.tar"))) as opened:
        assert soundfile.info(io.BytesIO(opened.extractfile(opened.next()).read())).frames
