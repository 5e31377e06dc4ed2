"""Containers that libsndfile cannot read: with FFmpeg, with a stand-in for it, and without."""

import json
import shutil
import stat
import subprocess
import sys
import tempfile

import numpy as np
import pytest
from data_helpers import settings, tone, write_tone

from mynah.data.audio import containers, files
from mynah.data.preparation.prepare import prepare

M4A = b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom" + bytes(200)
STAND_IN = """#!{python}
import json, os, struct, sys
json.dump(sys.argv[1:], open({log!r}, "w"))
mode = os.environ.get("STAND_IN", "")
if mode == "fail":
    sys.exit("moov atom not found")
samples = b"".join(struct.pack("<ff", 0.5, n / 16000) for n in range(16000))
fmt = struct.pack("<HHIIHH", 3, 2, 8000, 64000, 8, 32)
head = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + b"\\xff" * 4
sys.stdout.buffer.write(b"RIFF" + b"\\xff" * 4 + b"WAVE" + head + samples)
if mode == "cut":
    sys.stdout.flush()
    print("partial file", file=sys.stderr)
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """An ffmpeg that notes its arguments and gives two seconds of two channels at 8 kHz."""
    program, log = tmp_path / "bin" / "ffmpeg", tmp_path / "arguments.json"
    program.parent.mkdir()
    program.write_text(STAND_IN.format(python=sys.executable, log=str(log)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent))
    return log


def test_samples_come_through_the_pipe_and_a_piece_is_exact(tmp_path, stand_in):
    (tmp_path / "a.m4a").write_bytes(M4A)
    info = files.probe(tmp_path / "a.m4a")
    assert (info.sample_rate, info.channels, info.duration_seconds) == (8000, 2, None)
    right = files.read(tmp_path / "a.m4a", 8000, channel=1)
    assert np.allclose(right, np.arange(16000) / 16000)
    piece = files.read(
        tmp_path / "a.m4a", 8000, channel=1, offset_seconds=0.5, duration_seconds=0.25
    )
    assert np.array_equal(piece, right[4000:6000])
    assert np.allclose(files.read(M4A, 8000), (0.5 + right) / 2)
    assert files.inspect(tmp_path / "a.m4a")[0] == 2.0
    with pytest.raises(ValueError, match="begins at 3 s of a file of 2 s"):
        files.read(tmp_path / "a.m4a", 8000, offset_seconds=3.0)
    with pytest.raises(ValueError, match="no channel 2"):
        files.read(tmp_path / "a.m4a", 8000, channel=2)


def test_the_arguments_are_fixed_whatever_the_file_is_called(tmp_path, stand_in):
    names = ["-i evil.m4a", "http:x.m4a", "concat:a|b.m4a", "$(touch PWNED).m4a"]
    for name in names:
        (tmp_path / name).write_bytes(M4A)
        files.read(tmp_path / name, 8000)
        arguments = json.loads(stand_in.read_text())
        assert arguments[arguments.index("-i") + 1] == f"file:{tmp_path / name}"
        assert arguments[arguments.index("-protocol_whitelist") + 1] == "file,pipe"
        assert arguments[arguments.index("-f") + 1] == "mov"
    assert not list(tmp_path.rglob("PWNED"))


def test_a_playlist_is_never_given_to_ffmpeg(tmp_path, stand_in):
    (tmp_path / "a.m4a").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    with pytest.raises(ValueError, match="holds text"):
        files.read(tmp_path / "a.m4a", 8000)
    assert not stand_in.exists()


@pytest.mark.parametrize("mode", ["fail", "cut"])
def test_what_ffmpeg_complains_of_is_told(tmp_path, stand_in, monkeypatch, mode):
    monkeypatch.setenv("STAND_IN", mode)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "a.m4a").write_bytes(M4A)
    with pytest.raises(ValueError, match=r"FFmpeg cannot decode it: (moov atom|partial file)"):
        files.inspect(tmp_path / "a.m4a")
    with pytest.raises(ValueError, match="FFmpeg cannot decode it"):
        files.inspect(M4A)
    assert not list(tmp_path.glob("*.audio"))


def test_without_ffmpeg_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="needs FFmpeg, which is not installed: install it"):
        files.read(M4A, 16000)
    write_tone(tmp_path / "mine" / "b.wav")
    (tmp_path / "mine" / "a.m4a").write_bytes(M4A)
    (tmp_path / "mine" / "metadata.csv").write_text("file_name,text\na.m4a,x\nb.wav,y\n")
    config = settings(tmp_path, dataset_name="mine", eval_splits=None, eval_fraction=0.0)
    (dropped,) = prepare(config, working_directory=tmp_path).report["splits"]["train"][
        "dropped_rows"
    ]
    assert dropped["id"] == "a.m4a" and "FFmpeg" in dropped["detail"]


def test_containers_are_told_by_their_first_bytes():
    assert containers.ffmpeg_demuxer(M4A) == "mov"
    assert containers.ffmpeg_demuxer(b"\x1a\x45\xdf\xa3" + bytes(20)) == "matroska"
    assert containers.ffmpeg_demuxer(b"\xff\xf1\x50\x80" + bytes(20)) == "aac"
    for other in (b"RIFF....WAVE", b"fLaC", b"OggS", b"ID3", b"\xff\xfb\x90\x00", b""):
        assert containers.ffmpeg_demuxer(other) is None


@pytest.mark.parametrize("suffix", ["m4a", "mp4", "webm", "aac"])
def test_the_real_ffmpeg_gives_the_sound_that_was_written(tmp_path, suffix):
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs the ffmpeg executable")
    source = write_tone(tmp_path / "a.wav", 2.0, rate=48000)
    file = tmp_path / f"a.{suffix}"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(source), str(file)], check=True)
    heard = files.read(file, 16000)
    assert len(heard) == pytest.approx(32000, abs=3200)
    middle = heard[8000:24000]
    assert np.abs(np.fft.rfft(middle)).argmax() == pytest.approx(440, abs=1)
    assert np.abs(middle).max() == pytest.approx(np.abs(tone(1.0)).max(), abs=0.1)
    piece = files.read(file, 48000, offset_seconds=0.5, duration_seconds=0.5)
    assert np.array_equal(piece, files.read(file, 48000)[24000:48000])
    if suffix in ("m4a", "mp4"):  # its index is at its end
        with pytest.raises(ValueError, match="FFmpeg cannot decode"):
            files.inspect(file.read_bytes()[: file.stat().st_size // 2])
