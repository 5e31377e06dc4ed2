"""NeMo's manifests: files, lists and patterns of them, and recordings in tar files."""

import io
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from data_helpers import settings, tone, write_tone
from source_helpers import opened, rows_of, write_json_lines

from mynah.data.audio import files
from mynah.data.preparation.prepare import prepare
from mynah.data.sources import nemo
from mynah.data.sources.reading.tars import TarMember
from mynah.errors import UserError


def line(name, text="hello", **more):
    return {"audio_filepath": name, "duration": 0.5, "text": text, **more}


def test_a_folder_of_manifests_has_their_splits(tmp_path):
    absolute = write_tone(tmp_path / "elsewhere" / "b.wav")
    write_tone(tmp_path / "nemo" / "wav" / "a.wav")
    for split in ("train", "dev", "test"):
        write_json_lines(
            tmp_path / "nemo" / f"an4_{split}_manifest.json",
            line("wav/a.wav", offset=0.25, speaker="ann", lang="en"),
            line(str(absolute), text="", no_speech=True),
        )
    source = opened(tmp_path, "nemo")
    assert source.format == "nemo" and sorted(source.splits()) == ["dev", "test", "train"]
    first, second = rows_of(source, "validation")
    assert first.path == str(tmp_path / "nemo" / "wav" / "a.wav")
    assert (first.offset_seconds, first.duration_seconds) == (0.25, 0.5)
    assert (first.text, first.speaker, first.language) == ("hello", "ann", "en")
    assert second.path == str(absolute) and second.no_speech and second.text == ""


def test_manifests_are_listed_with_commas_ranges_and_stars(tmp_path):
    for number in range(3):
        write_tone(tmp_path / "m" / f"{number}.wav")
        write_json_lines(tmp_path / "m" / f"manifest_{number}.json", line(f"{number}.wav"))
    for path, count in (
        ("m/manifest__OP_0..2_CL_.json", 3),
        ("m/manifest_{0..1}.json", 2),
        ("m/manifest_0.json,m/manifest_2.json", 2),
        ("m/manifest_*.json", 3),
        ("m/manifest_1.json", 1),
        ("m", 3),
    ):
        assert len(rows_of(opened(tmp_path, path))) == count, path
        assert len(rows_of(opened(tmp_path, "x", path=path))) == count, path
    with pytest.raises(UserError, match="over 100,000 manifests"):
        opened(tmp_path, "m/a_{0..99999999999}.json")


def test_recordings_in_tar_files_are_read_in_their_places(tmp_path):
    (tmp_path / "tarred").mkdir()
    lines = []
    for shard in range(2):
        with tarfile.open(tmp_path / "tarred" / f"audio_{shard}.tar", "w") as tar:
            for number in range(2):
                name = f"x_{shard}{number}.flac"
                sound = write_tone(tmp_path / name, 0.5, hertz=300 + 100 * number).read_bytes()
                about = tarfile.TarInfo(name)
                about.size = len(sound)
                tar.addfile(about, io.BytesIO(sound))
                lines.append(line(name, text=f"{shard} {number}", shard_id=shard))
        lines.append(line(f"x_{shard}1-sub1.flac", offset=0.25, duration=0.25, shard_id=shard))
    write_json_lines(tmp_path / "tarred" / "tarred_audio_manifest.json", *lines)
    rows = rows_of(opened(tmp_path, "tarred"))
    assert len(rows) == 6 and rows[0].path.endswith("audio_0.tar")
    recording = files.read(
        rows[4].path, 16000, byte_offset=rows[4].byte_offset, byte_length=rows[4].byte_length
    )
    assert np.allclose(recording, tone(0.5, hertz=400), atol=1e-3)
    config = settings(tmp_path, dataset_name="tarred", eval_splits=None, eval_fraction=0.0)
    train = prepare(config, working_directory=tmp_path).train
    assert train.durations.tolist() == [0.5, 0.5, 0.25] * 2
    (tmp_path / "tarred" / "audio_1.tar").unlink()
    with pytest.raises(UserError, match=r"no audio_1.tar[\s\S]*line 4"):
        rows_of(opened(tmp_path, "tarred"))


def write_tar(path, **sounds):
    """A tar of recordings by their names; a length of 0 is another file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, seconds in sounds.items():
            content = (
                write_tone(path.parent / "tone.wav", seconds).read_bytes() if seconds else b"x"
            )
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))


def read(row):
    return files.read(row.path, 16000, byte_offset=row.byte_offset, byte_length=row.byte_length)


def test_recordings_of_one_name_in_two_folders_of_a_tar_are_told_apart(tmp_path):
    sounds = {"a/1.wav": 0.25, "a/1.json": 0, "b/1.wav": 0.5, "b/2.wav": 0.75, "2.json": 0}
    write_tar(tmp_path / "m" / "audio_0.tar", **sounds)
    names = ["a/1.wav", "./b/1.wav", "/data/b/1.wav", "b/1-sub1.wav", "2.wav", "x/2.wav"]
    write_json_lines(tmp_path / "m" / "m.json", *(line(name, shard_id=0) for name in names))
    rows = rows_of(opened(tmp_path, "m/m.json"))
    assert [len(read(row)) for row in rows] == [4000, 8000, 8000, 8000, 12000, 12000]
    write_json_lines(tmp_path / "m" / "m.json", line("1.wav", shard_id=0))
    with pytest.raises(UserError, match=r"several recordings .* may mean: a/1\.wav, b/1\.wav"):
        rows_of(opened(tmp_path, "m/m.json"))


def test_a_recording_of_a_tar_may_have_any_ending_and_come_again(tmp_path):
    """A tar that was appended to holds a name twice, and the last one counts."""
    (tmp_path / "m").mkdir()
    with tarfile.open(tmp_path / "m" / "audio_0.tar", "w") as tar:
        for name, seconds in [("a", 0.25), ("b.w64", 0.5), ("x/c.wav", 0.25), ("./x/c.wav", 0.75)]:
            content = write_tone(tmp_path / "tone.wav", seconds).read_bytes()
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    names = ["a", "b.w64", "c.wav"]
    write_json_lines(tmp_path / "m" / "m.json", *(line(name, shard_id=0) for name in names))
    assert [len(read(row)) for row in rows_of(opened(tmp_path, "m/m.json"))] == [4000, 8000, 12000]


def test_recordings_of_one_name_in_many_folders_of_a_tar_are_found_at_once(monkeypatch):
    """A name is looked up, and not compared with that of each recording."""
    held = [TarMember(f"{folder}/1.wav", 512 * folder, 512) for folder in range(4000)]
    monkeypatch.setattr(nemo, "members", lambda _: held)
    monkeypatch.setattr(nemo._Tars, "_path", lambda *_: Path("audio_0.tar"))
    tars, begun = nemo._Tars(Path()), time.process_time()
    for folder in range(4000):
        _, found = tars.find(0, f"/data/{folder}/1.wav", "here")
        assert found.offset == 512 * folder
    assert time.process_time() - begun < 5.0  # each with each would be 16 million comparisons


def test_a_line_that_nemo_passes_over_is_not_learned_from(tmp_path):
    lines = [line(f"{number}.wav", text=f"text {number}") for number in range(5)]
    for number, skipped in enumerate([1, True, "yes", 0, False]):
        write_tone(tmp_path / "m" / f"{number}.wav", 0.5, hertz=300 + 50 * number)
        lines[number]["_skipme"] = skipped
    write_json_lines(tmp_path / "m" / "m.json", *lines)
    config = settings(tmp_path, dataset_name="m/m.json", eval_splits=None, eval_fraction=0.0)
    data = prepare(config, working_directory=tmp_path)
    assert list(data.train.texts) == ["text 3", "text 4"]
    assert data.report["splits"]["train"]["dropped"] == {"no transcript": 3}


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"audio_filepath": "../../../x.wav", "text": "a"}, "leads out of the corpus"),
        ({"audio_filepath": "a.wav", "text": "a", "duration": "long"}, "not a number of seconds"),
        ({"audio_filepath": "a.wav", "text": "a", "offset": -1}, "not a number of seconds"),
        ({"audio_filepath": "a.wav", "text": {"a": 1}}, "not text but an object"),
        ({"audio_filepath": "a.wav", "text": "\ud800"}, "not valid Unicode"),
        ({"audio_filepath": "s3://bucket/a.wav", "text": "a"}, "nothing is fetched"),
        ({"text": "a"}, "No audio_filepath"),
        ({"audio_filepath": "a.wav", "text": "a", "shard_id": "x"}, "not the number of a shard"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, second, message):
    write_json_lines(tmp_path / "m" / "m.json", line("a.wav"), second)
    with pytest.raises(UserError, match=message) as caught:
        rows_of(opened(tmp_path, "m/m.json"))
    assert "m.json, line 2" in str(caught.value)
