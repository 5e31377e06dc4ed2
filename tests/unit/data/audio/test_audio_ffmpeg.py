"""Containers that libsndfile cannot read: decoded by PyAV, and without it."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from data_helpers import settings, write_tone

from mynah.data.audio import containers, files
from mynah.data.preparation.prepare import prepare
from mynah.errors import UserError

RATE = 16000
M4A = b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom" + bytes(200)


def sweep(seconds: float, *, rate: int = RATE, first_hertz: float = 300.0) -> np.ndarray:
    """float32 [samples]: a tone that rises by 1,000 Hz a second, so that each moment is another."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * (first_hertz * time + 500 * time**2)
    return (0.4 * np.sin(phase)).astype(np.float32)


def write(
    path: Path, codec: str, *tracks: np.ndarray, rate: int = RATE, form: str = "fltp", **options
) -> Path:
    """Write tracks of float32 [samples] or [channels, samples] with PyAV."""
    with av.open(str(path), "w", options=options) as container:
        streams = [
            container.add_stream(codec, rate=rate, layout="stereo" if track.ndim > 1 else "mono")
            for track in tracks
        ]
        for stream, track in zip(streams, tracks, strict=True):
            stream.bit_rate = 192_000  # which lossless codecs leave alone
            planes = np.atleast_2d(track)
            if form == "s16p":
                planes = np.round(planes * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(planes, format=form, layout=stream.layout.name)
            frame.sample_rate, frame.pts = rate, 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def as_wav(sound: np.ndarray, rate: int = RATE) -> np.ndarray:
    """What soundfile decodes of the same 16-bit samples."""
    held = io.BytesIO()
    full = np.round(sound * 32767).astype(np.int16)
    soundfile.write(held, full.T, rate, format="WAV", subtype="PCM_16")
    return soundfile.read(io.BytesIO(held.getvalue()), dtype="float32", always_2d=True)[0].T


@pytest.mark.parametrize(
    ("suffix", "codec", "form"), [("m4a", "alac", "s16p"), ("mka", "pcm_s16le", "s16")]
)
def test_a_lossless_track_is_what_soundfile_reads_of_the_same_samples(
    tmp_path, suffix, codec, form
):
    sound = sweep(2.5)
    if form == "s16":
        with av.open(str(tmp_path / "a.mka"), "w") as container:
            stream = container.add_stream(codec, rate=RATE, layout="mono")
            full = np.round(sound * 32767).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(full, format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    else:
        write(tmp_path / f"a.{suffix}", codec, sound, form=form)
    decoded = files.read(tmp_path / f"a.{suffix}", RATE)
    assert np.array_equal(decoded, as_wav(sound)[0])


def test_channels_of_one_track_are_mixed_or_picked(tmp_path):
    both = np.stack([sweep(2.0), sweep(2.0, first_hertz=900.0)])
    path = write(tmp_path / "a.m4a", "alac", both, form="s16p")
    left, right = as_wav(both)
    info = files.probe(path)
    assert (info.sample_rate, info.channels, info.duration_seconds) == (RATE, 2, None)
    assert np.array_equal(files.read(path, RATE, channel=0), left)
    assert np.array_equal(files.read(path, RATE, channel=1), right)
    assert np.allclose(files.read(path, RATE), (left + right) / 2, atol=1e-7)
    with pytest.raises(ValueError, match="no channel 2"):
        files.read(path, RATE, channel=2)


def test_webm_with_the_packets_of_an_ogg_file_is_what_soundfile_reads_of_that(tmp_path):
    soundfile.write(tmp_path / "a.ogg", sweep(3.0, rate=48000), 48000, subtype="OPUS")
    with av.open(str(tmp_path / "a.ogg")) as source, av.open(str(tmp_path / "a.webm"), "w") as to:
        stream = to.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                to.mux(packet)
    expected = soundfile.read(tmp_path / "a.ogg", dtype="float32")[0]
    decoded = files.read(tmp_path / "a.webm", 48000)
    assert abs(len(decoded) - len(expected)) <= 960  # Opus ends with a packet of 20 ms
    both = min(len(decoded), len(expected))
    # Two decoders of one standard; RFC 6716 allows them to differ a little.
    assert np.abs(decoded[:both] - expected[:both]).max() < 0.01


@pytest.mark.parametrize(
    ("suffix", "codec", "rate"),
    [("m4a", "aac", 44100), ("mp4", "aac", 16000), ("webm", "libopus", 48000),
     ("aac", "aac", 44100), ("wma", "wmav2", 44100)],
)  # fmt: skip
def test_a_lossy_track_is_the_sound_that_was_written_but_for_the_codecs_delay(
    tmp_path, suffix, codec, rate
):
    sound = sweep(3.0, rate=rate)
    both = np.stack([sound, sound]) if suffix == "wma" else sound
    path = write(tmp_path / f"a.{suffix}", codec, both, rate=rate)
    decoded = files.read(path, rate)
    padded = np.zeros(len(sound) + 4096, dtype=np.float32)
    padded[: min(len(decoded), len(padded))] = decoded[: len(padded)]
    spectrum = np.fft.rfft(padded) * np.conj(np.fft.rfft(sound, len(padded)))
    correlation = np.fft.irfft(spectrum, len(padded))
    delay = int(correlation.argmax())
    if delay > len(padded) // 2:
        delay -= len(padded)
    assert abs(delay) <= 2048  # two frames of AAC, one of WMA
    inside = slice(4096, len(sound) - 4096)
    error = np.roll(padded, -delay)[inside] - sound[inside]
    assert np.square(error).mean() < 0.01 * np.square(sound).mean()  # 20 dB below it


@pytest.mark.parametrize(
    ("suffix", "codec", "rate"), [("m4a", "aac", 44100), ("webm", "libopus", 48000)]
)
def test_a_piece_is_exactly_that_stretch_of_the_recording(tmp_path, suffix, codec, rate):
    path = write(tmp_path / f"a.{suffix}", codec, sweep(9.0, rate=rate), rate=rate)
    full = files.read(path, rate)
    for start, seconds in [(0.5, 0.25), (6.0, 1.0), (0.0, 2.0), (8.5, None)]:
        piece = files.read(path, rate, offset_seconds=start, duration_seconds=seconds)
        first = round(start * rate)
        end = None if seconds is None else first + round(seconds * rate)
        assert np.array_equal(piece, full[first:end])
    with pytest.raises(ValueError, match="begins at 30 s of a file of 9"):
        files.read(path, rate, offset_seconds=30.0)
    assert files.inspect(path)[0] == len(full) / rate
    assert np.array_equal(files.read(path.read_bytes(), rate), full)


def two_tracks(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    tracks = sweep(4.0), sweep(3.0, first_hertz=900.0)
    return write(folder / "two.mp4", "alac", *tracks, form="s16p")


def test_several_tracks_are_refused_with_what_picks_one(tmp_path):
    path = two_tracks(tmp_path)
    with pytest.raises(ValueError, match=r"2 audio tracks.*data\.channels=first.*column channel"):
        files.read(path, RATE)
    with pytest.raises(ValueError, match="2 audio tracks"):
        files.inspect(path)
    assert np.array_equal(files.read(path, RATE, channel=0), as_wav(sweep(4.0))[0])
    second = as_wav(sweep(3.0, first_hertz=900.0))[0]
    assert np.array_equal(files.read(path, RATE, channel=1), second)
    piece = files.read(path, RATE, channel=1, offset_seconds=1.0, duration_seconds=0.5)
    assert np.array_equal(piece, second[RATE : RATE + RATE // 2])
    with pytest.raises(ValueError, match="no channel 2, only 2"):
        files.read(path, RATE, channel=2)


@pytest.mark.parametrize(
    ("channels", "seconds"), [("mix", []), ("first", [4.0]), ("split", [4.0, 3.0])]
)
def test_data_channels_says_which_tracks_are_used(tmp_path, channels, seconds):
    two_tracks(tmp_path / "mine")
    write_tone(tmp_path / "mine" / "b.wav", 1.0)
    (tmp_path / "mine" / "metadata.csv").write_text("file_name,text_0,text_1\ntwo.mp4,one,two\n")
    if channels != "split":
        (tmp_path / "mine" / "metadata.csv").write_text("file_name,text\ntwo.mp4,one\nb.wav,x\n")
    config = settings(
        tmp_path, dataset_name="mine", channels=channels, eval_splits=None, eval_fraction=0.0
    )
    prepared = prepare(config, working_directory=tmp_path)
    found = [one for one in prepared.train.durations.tolist() if one != 1.0]
    assert found == pytest.approx(seconds, abs=0.001)
    dropped = prepared.report["splits"]["train"]["dropped_rows"]
    assert [row["id"] for row in dropped] == (["two.mp4"] if channels == "mix" else [])
    assert all("2 audio tracks" in row["detail"] for row in dropped)


@pytest.mark.parametrize(
    "name", ["-i evil.m4a", "http:x.m4a", "concat:a|b.m4a", "$(touch PWNED).m4a"]
)
def test_a_file_is_read_whatever_it_is_called(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    made = write(tmp_path / "a.m4a", "alac", sweep(1.0), form="s16p")
    made.rename(tmp_path / name)
    assert len(files.read(name, RATE)) == RATE
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_playlist_is_never_given_to_ffmpeg(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "open", None)
    (tmp_path / "a.m4a").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    with pytest.raises(ValueError, match="holds text"):
        files.read(tmp_path / "a.m4a", 8000)


@pytest.mark.parametrize(
    ("suffix", "codec", "form", "options"),
    [("m4a", "alac", "s16p", {}), ("m4a", "aac", "fltp", {"movflags": "faststart"}),
     ("webm", "libopus", "fltp", {}), ("wma", "wmav2", "fltp", {})],
    ids=["index at the end", "index at the beginning", "webm", "wma"],
)  # fmt: skip
def test_a_file_that_is_cut_short_is_refused(tmp_path, suffix, codec, form, options):
    rate = 48000 if suffix == "webm" else 44100
    sound = sweep(3.0, rate=rate)
    both = np.stack([sound, sound]) if suffix == "wma" else sound
    path = write(tmp_path / f"a.{suffix}", codec, both, rate=rate, form=form, **options)
    content = path.read_bytes()
    files.inspect(content)
    for share in (0.5, 0.9):
        with pytest.raises(ValueError, match=r"cut short: [\d,]+ of [\d,]+ bytes are there"):
            files.inspect(content[: int(len(content) * share)])


def test_a_stream_of_unknown_size_is_not_taken_for_cut_short(tmp_path):
    path = write(tmp_path / "a.webm", "libopus", sweep(1.0, rate=48000), rate=48000, live="1")
    with path.open("rb") as file:
        assert containers.cut_short(file, path.stat().st_size) is None
    assert files.inspect(path)[0] == pytest.approx(1.0, abs=0.03)


def test_what_ffmpeg_cannot_decode_is_reported(tmp_path):
    box = struct.pack(">I4s", 40, b"free") + bytes(32)
    for content in (M4A[:32], M4A[:32] + box):
        with pytest.raises(ValueError, match=r"FFmpeg cannot decode it: |there is no sound in it"):
            files.read(content, RATE)


def test_without_pyav_the_run_ends_with_the_extra_that_brings_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match="need PyAV") as caught:
        files.read(M4A, 16000)
    assert "pip install 'mynah-asr[ffmpeg]'" in caught.value.fix
    write_tone(tmp_path / "mine" / "b.wav")
    (tmp_path / "mine" / "a.m4a").write_bytes(M4A)
    (tmp_path / "mine" / "metadata.csv").write_text("file_name,text\na.m4a,x\nb.wav,y\n")
    config = settings(tmp_path, dataset_name="mine", eval_splits=None, eval_fraction=0.0)
    with pytest.raises(UserError, match="need PyAV") as caught:
        prepare(config, working_directory=tmp_path)
    assert "a.m4a" in caught.value.where


def test_containers_are_recognized_by_their_first_bytes():
    assert containers.ffmpeg_demuxer(M4A) == "mov"
    assert containers.ffmpeg_demuxer(b"\x1a\x45\xdf\xa3" + bytes(20)) == "matroska"
    assert containers.ffmpeg_demuxer(b"\xff\xf1\x50\x80" + bytes(20)) == "aac"
    for other in (b"RIFF....WAVE", b"fLaC", b"OggS", b"ID3", b"\xff\xfb\x90\x00", b""):
        assert containers.ffmpeg_demuxer(other) is None
