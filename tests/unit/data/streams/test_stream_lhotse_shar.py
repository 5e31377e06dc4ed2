"""Lhotse's Shar gives the rows of the cuts that were written."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
from shard_files import encoded, shar_cut, tar_of, transcripts, write_lines, write_shar
from stream_helpers import config_of, heard, opened

from mynah.config.schema import DataConfig
from mynah.data.row import Row
from mynah.data.sources import open_source
from mynah.data.sources.reading.source import Place
from mynah.data.streams.reader import BadRow
from mynah.data.streams.rows import usable
from mynah.data.text import TextPolicy
from mynah.errors import UserError

TEXTS = transcripts(9)
IDS = ["a/b.c-00", *(f"cut-{number:02d}" for number in range(1, 9))]  # Lhotse's ids may be paths


def read(root: Path, start: int = 0, shard: int = 0, **changed) -> list:
    return list(opened(root, **changed).reader.rows(shard, start))


def write(folder: Path, cuts: list[dict], members: list[tuple[str, bytes]]) -> Path:
    write_lines(folder / "cuts.000000.jsonl.gz", cuts)
    tar_of(folder / "recording.000000.tar", members)
    return folder


def pair(name: str, text: str, ending: str = "flac") -> list[tuple[str, bytes]]:
    about = json.dumps(shar_cut(name, text)[1]).encode()
    return [(f"{name}.{ending}", encoded(text)), (f"{name}.json", about)]


def pairs(names: list[str]) -> list[tuple[str, bytes]]:
    return [one for name in names for one in pair(name, TEXTS[IDS.index(name)])]


def cuts(names: list[str]) -> list[dict]:
    return [shar_cut(name, TEXTS[IDS.index(name)])[0] for name in names]


def test_rows_are_those_of_the_cuts(tmp_path):
    write_shar(tmp_path, 0, IDS, TEXTS)
    write_shar(tmp_path, 1, ["z"], ["abc"])
    stream = opened(tmp_path)
    assert stream.reader.shards == ("cuts.000000.jsonl.gz", "cuts.000001.jsonl.gz")
    rows = list(stream.reader.rows(0))
    assert [(r.id, r.text, r.speaker, r.language) for r in rows] == [
        (one, text, f"of {one}", "de") for one, text in zip(IDS, TEXTS, strict=True)
    ]
    assert [row.audio for row in rows] == [encoded(text) for text in TEXTS]
    assert [row.text for row in stream.reader.rows(1)] == ["abc"]


@pytest.mark.parametrize("start", [1, 4, 8, 9])
def test_a_shard_is_read_from_any_row_on(tmp_path, start):
    write_shar(tmp_path, 0, IDS, TEXTS)
    assert read(tmp_path, start) == read(tmp_path)[start:]


def test_windows_continue_in_the_middle_of_a_shard(tmp_path):
    write_shar(tmp_path, 0, IDS, TEXTS)
    write_shar(tmp_path, 1, ["x", "y", "z"], ["abc", "bcd", "cde"])
    stream = opened(tmp_path, shuffle_buffer=4)
    straight = list(islice(stream.windows(seed=3).iterate(), 8))
    for at in range(1, 6):
        again = list(islice(stream.windows(seed=3).iterate(straight[at].mark), 3))
        assert again == straight[at : at + 3]
    assert any(window.mark.row for window in straight[:6])


def test_transcripts_are_read_from_the_cuts_alone(tmp_path):
    write_shar(tmp_path, 0, IDS, TEXTS)
    stream = opened(tmp_path)
    for tar in tmp_path.glob("*.tar"):
        tar.unlink()
    assert [row.text for row in stream.reader.rows(0, audio=False)] == TEXTS


@pytest.mark.parametrize("known_by", ["both", "the cut", "the tar"])
def test_each_supervision_is_a_row_on_its_channel_and_clipped_to_the_cut(tmp_path, known_by):
    left, right = np.sin(np.arange(8000) / 9), np.sin(np.arange(8000) / 7)
    held = io.BytesIO()
    soundfile.write(held, np.stack([left, right], 1) / 2, 8000, format="FLAC", subtype="PCM_16")
    cut, recording = shar_cut("two", "a" * 10)
    recording |= {"sources": [{"type": "shar", "channels": [0, 1], "source": ""}]}
    said = [
        {"id": "one", "start": 0.25, "duration": 0.5, "channel": 1, "text": "of one"},
        {"id": "both", "start": -0.05, "duration": 0.2, "channel": [0, 1], "text": "of both"},
        {"id": "beyond", "start": 0.5, "duration": 2.0, "channel": 0, "text": "of beyond"},
    ]
    cut |= {"type": "MultiCut", "channel": [0, 1], "supervisions": said, "recording": recording}
    members = [("two.flac", held.getvalue()), ("two.json", json.dumps(recording).encode())]
    if known_by == "the tar":
        del cut["recording"]
    write(tmp_path, [cut], members[:1] if known_by == "the cut" else members)
    stream = opened(tmp_path)
    rows = list(stream.reader.rows(0))
    assert [(r.id, r.text, r.channel) for r in rows] == [
        ("one", "of one", 1), ("both", "of both", None), ("beyond", "of beyond", 0),
    ]  # fmt: skip
    assert np.allclose(heard(stream, rows[0]), right[2000:6000] / 2, atol=1e-4)
    assert np.allclose(heard(stream, rows[1]), (left + right)[:1200] / 4, atol=1e-4)
    outside = usable(rows[2], config_of(tmp_path), TextPolicy())
    assert "1.50 s out of its cut" in outside.detail
    for start in (1, 2):
        assert list(stream.reader.rows(0, start)) == rows[start:]


def test_a_cut_says_which_channels_its_file_has_where_the_tar_does_not(tmp_path):
    cut, recording = shar_cut("two", "abc", channel=1)
    recording |= {"sources": [{"type": "shar", "channels": [0, 1], "source": ""}]}
    cut |= {"supervisions": [{"id": "one", "channel": 1, "text": "abc"}], "recording": recording}
    write(tmp_path, [cut], pair("two", "abc")[:1])
    assert [(row.id, row.channel) for row in read(tmp_path)] == [("one", 1)]


@pytest.mark.parametrize("names", [IDS[::-1], [*IDS[4:], *IDS[:4]]])
def test_recordings_in_another_order_find_their_cuts(tmp_path, names):
    write(tmp_path, cuts(IDS), pairs(names))
    rows = read(tmp_path)
    assert [(row.id, row.text) for row in rows] == [(one, TEXTS[IDS.index(one)]) for one in names]
    assert [row.audio for row in rows] == [encoded(TEXTS[IDS.index(one)]) for one in names]


def test_what_has_no_counterpart_is_named_and_counted(tmp_path):
    members = [*pairs(IDS[:2]), *pair("lone", "ab"), *pairs(IDS[3:5])]
    members += [(f"{IDS[5]}.nodata", b""), (f"{IDS[5]}.nometa", b""), *pairs(IDS[6:8])]
    write(tmp_path, cuts(IDS), members)
    rows = read(tmp_path)
    assert [(row.id, getattr(row, "text", "bad")) for row in rows] == [
        *zip(IDS[:2], TEXTS[:2], strict=True), ("lone", None),
        *zip(IDS[3:5], TEXTS[3:5], strict=True), (IDS[5], "bad"),
        *zip(IDS[6:8], TEXTS[6:8], strict=True), (IDS[2], "bad"), (IDS[8], "bad"),
    ]  # fmt: skip
    assert "no recording. (" in rows[5].reason and "line 6" in rows[5].reason
    assert "recording.000000.tar holds no recording of it" in rows[8].reason
    for start in range(1, len(rows)):
        assert read(tmp_path, start) == rows[start:]


def test_a_tar_that_ends_before_the_cuts_lacks_the_last_ones(tmp_path):
    write(tmp_path, cuts(IDS), pairs(IDS[:6]))
    rows = read(tmp_path)
    assert [type(row) for row in rows] == [Row] * 6 + [BadRow] * 3
    assert [row.id for row in rows] == IDS


def test_a_line_that_is_not_a_cut_is_named_and_a_shard_of_nothing_else_is_an_error(tmp_path):
    held = cuts(IDS)
    held[2] = {"id": IDS[2], "type": "MixedCut", "tracks": []}
    held[4] |= {"supervisions": [{"text": {"a": 1}}]}
    write(tmp_path, [*held[:7], ["no cut"], held[8]], pairs(IDS))
    rows = read(tmp_path)
    bad = [row for row in rows if isinstance(row, BadRow)]
    assert [row.id for row in bad] == [IDS[2], IDS[4], "cuts.000000.jsonl.gz, line 8"]
    assert "MixedCut" in bad[0].reason and "not text" in bad[1].reason
    assert [row.text for row in rows if isinstance(row, Row)] == [
        TEXTS[0], TEXTS[1], TEXTS[3], TEXTS[5], TEXTS[6], None, TEXTS[8],
    ]  # fmt: skip
    mixed = [{"id": one, "type": "MixedCut", "tracks": []} for one in IDS]
    write(tmp_path, [mixed[0], *held[1:]], pairs(IDS))  # one at the beginning is one bad row
    first, second, *_ = read(tmp_path)
    assert first.id == IDS[0] and "MixedCut" in first.reason and second.text == TEXTS[1]
    write(tmp_path, mixed, pairs(IDS))
    with pytest.raises(UserError, match="MixedCut"):
        read(tmp_path)


def test_recordings_that_tell_nothing_of_themselves_are_as_the_cut_says(tmp_path):
    members = [*pairs(IDS[:1])[:1], *pair(IDS[1], TEXTS[1], "original")[:1], ("x.json", b"{}")]
    members += [pairs(IDS[2:3])[0], (f"{IDS[2]}.json", b"not json")]
    held = cuts(IDS[:3])
    del held[0]["recording"]
    write(tmp_path, held, members)
    rows = read(tmp_path)
    assert [row.audio for row in rows if row.text] == [encoded(text) for text in TEXTS[:3]]
    assert [row.id for row in rows] == [*IDS[:2], "x", IDS[2]]


@pytest.mark.parametrize("ids", [IDS[:3], []])
def test_cuts_and_recordings_of_two_corpora_are_refused(tmp_path, ids):
    write(tmp_path, cuts(ids), pair("other", "ab"))
    with pytest.raises(UserError, match=r"No recording of recording\.000000\.tar is of a cut"):
        read(tmp_path)


def test_names_that_lead_out_are_only_names(tmp_path):
    names = ["../../x", "/etc/y"]
    held = [shar_cut(name, "abc")[0] for name in names]
    write(tmp_path / "c", held, [one for name in names for one in pair(name, "abc")])
    assert [(row.id, row.text) for row in read(tmp_path / "c")] == [(one, "abc") for one in names]
    assert len(list(tmp_path.rglob("*"))) == 3


def test_files_that_lack_their_counterpart_are_refused(tmp_path):
    write_shar(tmp_path, 0, IDS, TEXTS)
    write_shar(tmp_path, 1, IDS, TEXTS)
    kept = tmp_path / "recording.000001.tar"
    shutil.move(kept, tmp_path / "kept")
    with pytest.raises(UserError, match=r"no recording\.000001\.tar beside these cuts"):
        opened(tmp_path)
    shutil.move(tmp_path / "kept", kept)
    (tmp_path / "cuts.000001.jsonl.gz").unlink()
    with pytest.raises(UserError, match=r"no cuts\.000001\.jsonl\.gz beside these recordings"):
        opened(tmp_path)


def test_files_that_are_cut_short_are_named_with_their_row(tmp_path):
    write_shar(tmp_path, 0, IDS, TEXTS)
    for name in ("recording.000000.tar", "cuts.000000.jsonl.gz"):
        path, full = tmp_path / name, (tmp_path / name).read_bytes()
        path.write_bytes(full[: len(full) // 2])
        with pytest.raises(UserError, match=r"Shard cuts\.000000\.jsonl\.gz cannot be read"):
            read(tmp_path)
        path.write_bytes(full)


def test_splits_are_folders_and_a_shard_may_have_no_number(tmp_path):
    write_shar(tmp_path / "train", 0, IDS, TEXTS)
    write_shar(tmp_path / "dev", 0, IDS[:2], TEXTS[:2])
    for path in (tmp_path / "dev").iterdir():
        path.rename(path.with_name(path.name.replace(".000000", "")))
    assert len(read(tmp_path)) == 9
    assert len(read(tmp_path, train_splits=["validation"])) == 2


def test_without_streaming_it_is_said_what_reads_it(tmp_path):
    write_shar(tmp_path / "c" / "train", 0, IDS, TEXTS)
    for root in (tmp_path / "c", tmp_path / "c" / "train"):
        config = DataConfig(dataset_name=str(root))
        with pytest.raises(UserError, match="Lhotse's Shar") as caught:
            open_source(config, Place.of(config, tmp_path, offline=True))
        assert "stream it: data.streaming=true" in caught.value.fix
        config.format = "shards"  # as it says
        source = open_source(config, Place.of(config, tmp_path, offline=True))
        assert [row.text for row in source.rows(source.parts("train")[0])] == TEXTS


@pytest.mark.long
def test_rows_are_those_that_lhotse_reads_of_what_it_wrote(tmp_path):
    pytest.importorskip("lhotse", reason="compares with lhotse, which is not installed")
    from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
    from lhotse.shar import SharWriter

    made = []
    for one, text in zip(IDS[1:], TEXTS[1:], strict=True):
        path = tmp_path / "wavs" / f"{one}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encoded(text + "ab", "WAV"))
        recording = Recording.from_file(path)
        cut = MonoCut(one, 0.1, len(text) / 10, 0, recording=recording)
        cut.supervisions = [
            SupervisionSegment(f"{one}-{part}", recording.id, start, seconds, 0, words, "de", part)
            for part, start, seconds, words in (
                ("first", 0.0, 0.1, text[0]), ("rest", 0.1, len(text) / 10 - 0.1, text[1:]),
            )
        ]  # fmt: skip
        made.append(cut)
    (tmp_path / "shar").mkdir()
    fields = {"recording": "flac", "noise": "jsonl"}
    with SharWriter(str(tmp_path / "shar"), fields=fields, shard_size=3) as writer:
        for number, cut in enumerate(made):
            cut.noise = number
            writer.write(cut if number != 4 else replace(cut, recording=None))
    stream = opened(tmp_path / "shar")
    rows = [row for shard in range(3) for row in stream.reader.rows(shard)]
    found = {row.id: row for row in rows if isinstance(row, Row)}
    expected = {
        said.id: (cut, said)
        for cut in CutSet.from_shar(in_dir=tmp_path / "shar")
        if cut.has_recording
        for said in cut.supervisions
    }
    assert [row.id for row in rows if isinstance(row, BadRow)] == [made[4].id]
    assert list(found) == list(expected) and len(found) == 14
    for name, (cut, said) in expected.items():
        row = found[name]
        assert (row.text, row.speaker, row.language) == (said.text, said.speaker, said.language)
        sound = cut.load_audio()[0]
        first, last = (round(at * 8000) for at in (said.start, said.end))
        assert np.allclose(heard(stream, row), sound[first:last], atol=1e-4)
