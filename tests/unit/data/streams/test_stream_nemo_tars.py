"""NeMo's tarred datasets give the rows of the manifest that was tarred."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
from shard_files import encoded, tar_of, transcripts, write_lines, write_nemo_tars
from stream_helpers import config_of, heard, opened

from mynah.config.schema import DataConfig
from mynah.data.sources import find_format, open_source
from mynah.data.sources.reading.source import Place
from mynah.data.streams.files import find_shards
from mynah.data.streams.reader import BadRow
from mynah.data.streams.rows import LeftOut, usable
from mynah.data.streams.stream import Stream
from mynah.data.streams.windows import Mark
from mynah.data.text import TextPolicy
from mynah.errors import UserError

TEXTS = [transcripts(9, seed=1), transcripts(7, seed=2)]
MANIFEST = "tarred_audio_manifest.json"


def read(stream: Stream, start: int = 0, shard: int | None = None) -> list:
    shards = range(len(stream.reader.shards)) if shard is None else [shard]
    return [row for one in shards for row in stream.reader.rows(one, start)]


def samples(held: bytes, offset: float, seconds: float | None) -> np.ndarray:
    """Of a recording as soundfile reads it, from a sample to a sample."""
    sound, rate = soundfile.read(io.BytesIO(held), dtype="float32")
    end = None if seconds is None else round((offset + seconds) * rate)
    return sound[round(offset * rate) : end]


def rewritten(path: Path, change) -> None:
    write_lines(path, change([json.loads(line) for line in path.read_text().splitlines()]))


@pytest.mark.parametrize("layout", ["all in one", "sharded", "both"])
def test_rows_are_those_of_the_manifest_that_was_tarred(tmp_path, layout):
    plain = write_nemo_tars(
        tmp_path / "tarred", TEXTS, sharded=layout != "all in one", all_in_one=layout != "sharded"
    )
    stream = opened(tmp_path / "tarred")
    assert stream.reader.shards == ("audio_0.tar", "audio_1.tar")
    rows = read(stream)
    assert [(r.id, r.text, r.speaker, r.language) for r in rows] == [
        (line["id"], line["text"], line["speaker"], "de") for line in plain
    ]
    for row, line in zip(rows, plain, strict=True):
        recording = Path(line["audio_filepath"]).read_bytes()
        seconds = line["duration"] if "offset" in line else None
        expected = samples(recording, line.get("offset", 0.0), seconds)
        assert np.array_equal(heard(stream, row), expected)
        # a tenth of a second a letter, and none of the recording's other piece
        assert np.allclose(expected, samples(encoded(row.text, "WAV"), 0, None), atol=1e-4)
    write_lines(tmp_path / "plain" / "train.json", plain)
    of_plain = read(opened(tmp_path / "plain"))
    assert [(r.id, r.text, r.offset_seconds, r.duration_seconds) for r in rows] == [
        (r.id, r.text, r.offset_seconds, r.duration_seconds) for r in of_plain
    ]


@pytest.mark.parametrize("start", [1, 2, 3, 8, 9])
def test_a_tar_is_read_from_any_row_on(tmp_path, start):
    write_nemo_tars(tmp_path, TEXTS)
    assert read(opened(tmp_path), start, 0) == read(opened(tmp_path), 0, 0)[start:]


def test_windows_continue_in_the_middle_of_a_tar(tmp_path):
    write_nemo_tars(tmp_path, TEXTS)
    stream = opened(tmp_path, shuffle_buffer=3)
    straight = list(islice(stream.windows(seed=3).iterate(), 8))
    for at in range(1, 6):
        assert (
            list(islice(stream.windows(seed=3).iterate(straight[at].mark), 3))
            == (straight[at : at + 3])
        )
    assert any(window.mark.row for window in straight[:6])
    assert isinstance(straight[0].mark, Mark)


def test_transcripts_are_read_from_the_manifest_alone(tmp_path):
    write_nemo_tars(tmp_path, TEXTS, sharded=True)
    stream = opened(tmp_path)
    for tar in tmp_path.glob("*.tar"):
        tar.unlink()
    assert [row.text for row in stream.reader.rows(1, audio=False)] == TEXTS[1]
    assert sorted(stream.tokenizer_texts) == sorted(TEXTS[0] + TEXTS[1])


def test_lines_of_tars_in_any_order_find_their_tar(tmp_path):
    write_nemo_tars(tmp_path, TEXTS)
    expected = read(opened(tmp_path))
    rewritten(tmp_path / MANIFEST, lambda lines: [*lines[1::2], *lines[::2]])
    assert sorted(read(opened(tmp_path)), key=lambda r: r.id) == expected


def test_a_first_piece_without_an_offset_ends_where_it_is_listed_to(tmp_path):
    write_nemo_tars(tmp_path, TEXTS[:1])
    expected = read(opened(tmp_path))
    rewritten(
        tmp_path / MANIFEST,
        lambda lines: [
            {name: held for name, held in line.items() if name != "offset" or held}
            for line in lines
        ],
    )
    assert '"offset": 0.0' not in (tmp_path / MANIFEST).read_text()
    assert read(opened(tmp_path)) == expected


def test_a_gzipped_manifest_is_read_and_one_that_is_cut_short_named(tmp_path):
    write_nemo_tars(tmp_path, TEXTS)
    expected = read(opened(tmp_path))
    packed = gzip.compress((tmp_path / MANIFEST).read_bytes())
    (tmp_path / MANIFEST).unlink()
    (tmp_path / f"{MANIFEST}.gz").write_bytes(packed)
    assert find_shards(tmp_path)["train"][0].beside[0].path.name == f"{MANIFEST}.gz"
    assert read(opened(tmp_path)) == expected
    (tmp_path / f"{MANIFEST}.gz").write_bytes(packed[:-20])
    with pytest.raises(UserError, match=r"The manifest cannot be read[\s\S]*json\.gz"):
        opened(tmp_path)


def test_a_changed_manifest_is_another_stream(tmp_path):
    write_nemo_tars(tmp_path, TEXTS)
    before = opened(tmp_path).fingerprint
    assert opened(tmp_path).fingerprint == before
    rewritten(tmp_path / MANIFEST, lambda lines: [*lines[:-1], dict(lines[-1], text="longer text")])
    assert opened(tmp_path).fingerprint != before


@pytest.mark.parametrize("given", [MANIFEST, "", "sharded_manifests"])
def test_manifests_of_tars_that_are_not_there_say_what_to_name(tmp_path, given):
    write_nemo_tars(tmp_path, TEXTS, sharded=True)
    if given != "sharded_manifests":
        for tar in tmp_path.glob("*.tar"):
            tar.unlink()
    with pytest.raises(UserError, match="lists recordings in tars") as caught:
        opened(tmp_path / given)
    assert "name the folder that holds the tars" in caught.value.fix


@pytest.mark.parametrize("where", ["first", "middle", "last", "nested", "in a text"])
def test_a_shard_id_is_found_wherever_it_stands_in_its_line(tmp_path, where):
    write_nemo_tars(tmp_path, TEXTS)
    expected = read(opened(tmp_path))

    def changed(line):
        shard = {"shard_id": line.pop("shard_id")}
        middle = len(line) // 2
        return {
            "first": {**shard, **line},
            "middle": dict([*list(line.items())[:middle], *shard.items(), *line.items()]),
            "last": {**line, **shard},
            "nested": {**shard, **line, "of": {"shard_id": 9}},
            "in a text": {**shard, **line, "note": '"shard_id": 9}'},
        }[where]

    rewritten(tmp_path / MANIFEST, lambda lines: [changed(line) for line in lines])
    found = read(opened(tmp_path))
    assert [(row.id, row.text, row.audio) for row in found] == [
        (row.id, row.text, row.audio) for row in expected
    ]


def test_what_has_no_counterpart_is_named_and_counted(tmp_path):
    write_nemo_tars(tmp_path, TEXTS[:1])
    held = [(f"_data_0_{row:03d}.wav", encoded("ab", "WAV")) for row in (0, 1, 3)]
    tar_of(tmp_path / "audio_0.tar", [held[0], ("lone.wav", held[0][1]), *held[1:], held[0]])
    rewritten(
        tmp_path / MANIFEST,
        lambda lines: [lines[0], *[dict(one, shard_id="x") for one in lines[4:5]], *lines[1:4],
                       {"shard_id": 0, "text": "a"}, dict(lines[5], _skipme=True)],
    )  # fmt: skip
    rows = read(opened(tmp_path))
    made = [usable(row, config_of(tmp_path), TextPolicy()) for row in rows]
    assert [row.id for row in rows[:6]] == [
        "0-000", "lone.wav", "0-001", "0-002", "0-003", "_data_0_000.wav",
    ]  # fmt: skip
    assert [one.reason for one in made if isinstance(one, LeftOut)] == [
        "no transcript", "no transcript", "unreadable", "unreadable", "unreadable",
    ]  # fmt: skip
    assert "holds no recording of this name" in rows[6].reason and "line 7" in rows[6].reason
    assert "No shard_id" in rows[7].reason and "line 2" in rows[7].reason
    assert "no column for audio" in rows[8].reason and "line 6" in rows[8].reason


def test_a_line_that_is_to_be_skipped_is_not_learned_from(tmp_path):
    write_nemo_tars(tmp_path, TEXTS[:1])
    rewritten(tmp_path / MANIFEST, lambda lines: [dict(lines[0], _skipme=True), *lines[1:]])
    assert [row.text for row in read(opened(tmp_path))] == [None, *TEXTS[0][1:]]


def test_names_that_lead_out_are_only_names(tmp_path):
    members = [("../../x.wav", encoded("ab", "WAV")), ("/etc/y.wav", encoded("cd", "WAV"))]
    for name in ("a/z.wav", "b/z.wav"):
        members.append((name, encoded("ef", "WAV")))
    tar_of(tmp_path / "corpus" / "audio_0.tar", members)
    lines = [
        {"audio_filepath": "/data/x.wav", "text": "of x", "shard_id": 0},
        {"audio_filepath": "../y.wav", "text": "of y", "shard_id": 0},
        {"audio_filepath": "b/z.wav", "text": "of b", "shard_id": 0},
    ]
    write_lines(tmp_path / "corpus" / MANIFEST, lines)
    rows = read(opened(tmp_path / "corpus"))
    # folders that differ are not one recording; a name alone would be
    assert [(row.id, getattr(row, "text", "bad")) for row in rows] == [
        ("../../x.wav", None), ("/etc/y.wav", None), ("a/z.wav", None), ("b/z.wav", "of b"),
        ("/data/x.wav", "bad"), ("../y.wav", "bad"),
    ]  # fmt: skip
    assert {file.name for file in tmp_path.rglob("*")} == {"corpus", "audio_0.tar", MANIFEST}
    lines[0]["audio_filepath"] = "x.flac"  # transcoded: by the name without its ending
    write_lines(tmp_path / "corpus" / MANIFEST, lines)
    assert read(opened(tmp_path / "corpus"))[0].text == "of x"


def test_a_recording_that_is_called_as_a_piece_is_has_its_own_line(tmp_path):
    tar_of(tmp_path / "audio_0.tar", [("x-sub1.wav", encoded("ab", "WAV"))])
    line = {"audio_filepath": "x-sub1.wav", "text": "ab", "shard_id": 0}
    write_lines(tmp_path / MANIFEST, [line])
    (row,) = read(opened(tmp_path))
    assert (row.text, row.duration_seconds) == ("ab", None)


@pytest.mark.parametrize("sharded", [False, True])
def test_tars_and_manifests_of_another_number_are_refused(tmp_path, sharded):
    write_nemo_tars(tmp_path, [*TEXTS, TEXTS[0]], sharded=sharded, all_in_one=not sharded)
    shutil.move(tmp_path / "audio_2.tar", tmp_path / "kept")
    with pytest.raises(UserError, match=r"3 tars, and there are 2; missing: audio_2\.tar"):
        opened(tmp_path)
    shutil.copy(tmp_path / "kept", tmp_path / "audio_2.tar")
    shutil.copy(tmp_path / "kept", tmp_path / "audio_7.tar")
    with pytest.raises(UserError, match=r"There are 4 tars.* 3; not in it: audio_7\.tar"):
        opened(tmp_path)


def test_which_of_several_manifests_is_meant_has_to_be_said(tmp_path):
    write_nemo_tars(tmp_path / "c", TEXTS)
    lines = [json.loads(line) for line in (tmp_path / "c" / MANIFEST).read_text().splitlines()]
    newer = [dict(line, text="newer") for line in lines]
    write_lines(tmp_path / "c" / "tarred_audio_manifest_version_1.json", newer)
    assert {row.text for row in read(opened(tmp_path / "c"))} == {"newer"}
    write_lines(tmp_path / "c" / "clean.json", [dict(line, text="clean") for line in lines])
    with pytest.raises(UserError, match="Several manifests list recordings") as caught:
        opened(tmp_path / "c")
    assert "data.path=FOLDER/clean.json" in caught.value.fix
    rows = read(opened(tmp_path / "c" / "clean.json"))
    assert len(rows) == 16 and {row.text for row in rows} == {"clean"}


def test_two_tars_of_one_number_are_refused_where_a_manifest_numbers_them(tmp_path):
    write_nemo_tars(tmp_path, TEXTS)
    shutil.copy(tmp_path / "audio_0.tar", tmp_path / "audio_dev_0.tar")
    with pytest.raises(UserError, match=r"the number 0: audio_0\.tar and audio_dev_0\.tar"):
        opened(tmp_path)
    (tmp_path / MANIFEST).unlink()
    assert len(opened(tmp_path).reader.shards) == 3


@pytest.mark.parametrize("name", ["audio__OP_0..1_CL_.tar", "audio_{0..1}.tar"])
def test_a_pattern_of_tars_is_answered_with_their_folder(tmp_path, name):
    write_nemo_tars(tmp_path, TEXTS)
    with pytest.raises(UserError, match="not named by a pattern") as caught:
        opened(tmp_path / name)
    assert caught.value.fix.endswith(f"data.path={tmp_path}")


def test_a_manifest_of_other_tars_is_refused(tmp_path):
    write_nemo_tars(tmp_path, TEXTS[:1])
    rewritten(
        tmp_path / MANIFEST,
        lambda lines: [dict(line, audio_filepath=f"other_{n}.wav") for n, line in enumerate(lines)],
    )
    with pytest.raises(UserError, match=r"No recording of audio_0\.tar is in its manifest"):
        read(opened(tmp_path))


def test_a_tar_that_is_cut_short_is_named_with_its_row(tmp_path):
    write_nemo_tars(tmp_path, TEXTS[:1])
    path = tmp_path / "audio_0.tar"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=r"Shard audio_0\.tar cannot be read beyond row 0"):
        read(opened(tmp_path))


def test_a_line_that_is_not_json_is_one_bad_row_and_the_first_one_an_error(tmp_path):
    write_nemo_tars(tmp_path, TEXTS[:1])
    lines = (tmp_path / MANIFEST).read_text().splitlines()
    (tmp_path / MANIFEST).write_text("\n".join([*lines[:4], "{broken", *lines[5:]]))
    rows = read(opened(tmp_path))
    assert isinstance(rows[-1], BadRow) and "line 5" in rows[-1].reason
    assert len([row for row in rows if not isinstance(row, BadRow) and row.text]) == 8
    (tmp_path / MANIFEST).write_text(
        "\n".join(['{"audio_filepath": "a.wav", "shard_id": true}', *lines])
    )
    with pytest.raises(UserError, match="first line is not the number of a tar"):
        opened(tmp_path)


def test_splits_are_folders_and_tars_without_a_manifest_are_webdataset(tmp_path):
    write_nemo_tars(tmp_path / "train", TEXTS)
    write_nemo_tars(tmp_path / "dev", TEXTS[:1])
    assert len(read(opened(tmp_path))) == 16
    assert len(read(opened(tmp_path, train_splits=["validation"]))) == 9
    (tmp_path / "train" / MANIFEST).unlink()
    with pytest.raises(UserError, match="no column for text; it has: audio"):
        read(opened(tmp_path))


def test_links_and_folders_in_a_tar_are_passed_over(tmp_path):
    write_nemo_tars(tmp_path, TEXTS[:1])
    expected = read(opened(tmp_path))
    with tarfile.open(tmp_path / "audio_0.tar", "a") as tar:
        link = tarfile.TarInfo("_data_link.wav")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        folder = tarfile.TarInfo("a.wav")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    assert read(opened(tmp_path)) == expected


@pytest.mark.parametrize("all_in_one", [True, False])
def test_without_streaming_recordings_are_read_in_their_places(tmp_path, all_in_one):
    plain = write_nemo_tars(tmp_path / "tarred", TEXTS, sharded=True, all_in_one=all_in_one)
    config = DataConfig(dataset_name=str(tmp_path / "tarred"))
    place = Place.of(config, tmp_path, offline=True)
    source = open_source(config, place)  # though metadata.yaml lies there
    (part,) = source.parts("train")
    assert source.format == "nemo"
    assert [(row.id, row.text) for row in source.rows(part)] == [
        (line["id"], line["text"]) for line in plain
    ]


def test_without_streaming_it_is_said_what_reads_folders_of_tars(tmp_path):
    for split in ("train", "dev"):
        write_nemo_tars(tmp_path / "c" / split, TEXTS, sharded=True, all_in_one=False)
    config = DataConfig(dataset_name=str(tmp_path / "c"))
    assert find_format(config, tmp_path) == "nemo"
    with pytest.raises(UserError, match=r"tarred corpora in 2 folder.*: dev, train") as caught:
        open_source(config, Place.of(config, tmp_path, offline=True))
    assert "data.streaming=true" in caught.value.fix
