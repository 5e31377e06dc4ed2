"""Pieces of long and compressed recordings, recordings in shards, and recordings that are cut
short: what is read is what decoding the full file gives."""

import io
import struct
import tracemalloc

import numpy as np
import pytest
import soundfile
from data_helpers import real_corpus, tone, write_tone
from tiers import fast_where

from mynah.data.audio import containers, files

KINDS = [
    ("wav", "WAV", "PCM_16", 44100), ("flac", "FLAC", "PCM_16", 44100),
    ("vorbis", "OGG", "VORBIS", 44100), ("opus", "OGG", "OPUS", 48000),
    ("opus-16k", "OGG", "OPUS", 16000), ("mp3", "MP3", "MPEG_LAYER_III", 44100),
]  # fmt: skip


def noisy(seconds, rate):
    """Sound whose every piece differs: a shift by one sample would be seen."""
    generator = np.random.default_rng(0)
    steps = np.cumsum(generator.uniform(100, 3000, round(seconds * rate)))
    return (0.3 * np.sin(2 * np.pi * steps / rate)).astype(np.float32)


@pytest.mark.parametrize(("name", "format", "subtype", "rate"), KINDS)
@pytest.mark.parametrize("seconds", fast_where(lambda one: one < 30, [3.0, 34.0]))
def test_a_piece_is_that_of_the_full_file_to_the_sample(
    tmp_path, name, format, subtype, rate, seconds
):
    file = tmp_path / name
    soundfile.write(file, noisy(seconds, rate), rate, format=format, subtype=subtype)
    full = files.read(file, rate)
    generator = np.random.default_rng(1)
    starts = [0, 1, 777, *generator.integers(0, len(full), 8)]
    starts += [len(full) - left for left in (1, 10, 200, 1000, 5000, 40000)]
    for start in starts:
        length = min(3000, len(full) - start)
        piece = files.read(file, rate, offset_seconds=start / rate, duration_seconds=length / rate)
        assert len(piece) == length
        # Opus settles for a while after a seek (RFC 7845, 4.6); a shift by one sample is far more.
        near = 2e-3 if subtype == "OPUS" else 1e-6
        assert np.allclose(piece, full[start : start + length], atol=near), start


def test_a_piece_of_three_hours_takes_the_memory_of_the_piece(tmp_path):
    file, rate = tmp_path / "long.flac", 1000
    with soundfile.SoundFile(file, "w", rate, 1, "PCM_16") as written:
        for _ in range(180):
            written.write(tone(60.0, rate))
    tracemalloc.start()
    try:
        piece = files.read(file, rate, offset_seconds=3600 * 2.5, duration_seconds=2.0)
        assert np.allclose(piece, tone(2.0, rate), atol=1e-3)
        assert files.probe(file) == files.AudioInfo(rate, 1, 3 * 3600.0)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        assert files.inspect(file)[0] == 3 * 3600  # all of it is decoded, but never held
        assert tracemalloc.get_traced_memory()[1] < 10 << 20  # in full it is 41 MiB
    finally:
        tracemalloc.stop()


def test_a_recording_in_a_shard_is_read_in_its_place(tmp_path):
    first = write_tone(tmp_path / "a.flac", 0.5, hertz=300).read_bytes()
    second = write_tone(tmp_path / "b.ogg", 0.7, hertz=600).read_bytes()
    shard = tmp_path / "shard"
    shard.write_bytes(b"head" + first + b"between" + second)
    places = {"byte_offset": 4 + len(first) + 7, "byte_length": len(second)}
    assert np.array_equal(files.read(shard, 16000, **places), files.read(second, 16000))
    assert files.inspect(shard, **places) == files.inspect(tmp_path / "b.ogg")
    assert files.probe(shard, **places).sample_rate == 16000
    with pytest.raises(ValueError, match="its shard is cut short"):
        files.read(shard, 16000, byte_offset=4, byte_length=shard.stat().st_size)


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".raw", ".txt", ""])
@pytest.mark.parametrize("format", ["wav", "flac", "ogg", "mp3"])
def test_a_wrong_ending_does_not_matter(tmp_path, suffix, format):
    held = write_tone(tmp_path / f"right.{format}").read_bytes()
    (tmp_path / f"wrong{suffix}").write_bytes(held)
    recording = files.read(tmp_path / f"wrong{suffix}", 16000)
    assert np.array_equal(recording, files.read(tmp_path / f"right.{format}", 16000))


@pytest.mark.parametrize(("name", "format", "subtype", "rate"), KINDS)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.97])
def test_a_recording_that_was_cut_short_is_found_out(tmp_path, name, format, subtype, rate, share):
    held = io.BytesIO()
    soundfile.write(held, noisy(3.0, rate), rate, format=format, subtype=subtype)
    full = held.getvalue()
    assert files.inspect(full)[0] == pytest.approx(3.0, abs=0.1)
    with pytest.raises(ValueError, match=r"cut short|lost sync"):
        files.inspect(full[: int(len(full) * share)])
    (tmp_path / "cut").write_bytes(full[: int(len(full) * share)])
    with pytest.raises(ValueError):
        files.inspect(tmp_path / "cut")


def test_a_sphere_file_that_was_cut_short_is_found_out():
    full = (real_corpus("an4") / "wav" / "an4_clstk" / "fash" / "an251-fash-b.sph").read_bytes()
    assert files.inspect(full)[0] > 0.5
    with pytest.raises(ValueError, match="cut short"):
        files.inspect(full[: len(full) // 2])


def test_a_wav_file_that_was_written_to_a_pipe_is_intact():
    held = io.BytesIO()
    soundfile.write(held, tone(0.5), 16000, format="WAV", subtype="PCM_16")
    content = bytearray(held.getvalue())
    content[4:8] = content[40:44] = struct.pack("<I", 0xFFFFFFFF)
    assert containers.cut_short(io.BytesIO(content), len(content)) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (bytes(5000), "nothing but zero bytes"),
        (b"this is a transcript, not a recording", "holds text"),
        ("schöne grüße ".encode() * 500, "holds text"),
        (b"<!DOCTYPE html><title>404</title>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "git lfs pull"),
        (np.random.default_rng(0).bytes(5000), r"\w"),
    ],
)
def test_what_is_not_audio_is_named_by_what_it_is(tmp_path, content, reason):
    (tmp_path / "a.wav").write_bytes(content)
    for call in (files.inspect, files.probe, lambda file: files.read(file, 16000)):
        with pytest.raises(ValueError, match=reason):
            call(tmp_path / "a.wav")


def test_silence_is_kept(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000, np.float32), 16000)
    assert files.inspect(tmp_path / "a.wav")[0] == 1.0
    assert not files.read(tmp_path / "a.wav", 16000).any()


def test_two_channels_of_a_file_have_digests_of_their_own(tmp_path):
    sides = np.stack([tone(0.3, hertz=300), tone(0.3, hertz=600)], axis=1)
    soundfile.write(tmp_path / "a.wav", sides, 16000)
    digests = {files.inspect(tmp_path / "a.wav", channel=side)[1] for side in (None, 0, 1)}
    assert len(digests) == 3
