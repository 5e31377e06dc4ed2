"""Decoding: formats, channels, rates, parts of files, and files that are broken."""

import io

import numpy as np
import pytest
import soundfile
from data_helpers import real_corpus, tone, write_tone

from mynah.data.audio import files


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".aiff", ".au"])
def test_each_format_gives_the_sound_that_was_written(tmp_path, suffix):
    file = write_tone(tmp_path / f"a{suffix}", 1.0)
    recording = files.read(file, 16000)
    assert recording.dtype == np.float32 and recording.ndim == 1
    assert len(recording) == pytest.approx(16000, abs=1600)
    assert np.abs(np.fft.rfft(recording)).argmax() * 16000 / len(recording) == pytest.approx(
        440, abs=3
    )


def test_nist_sphere_files_of_an4_are_read():
    file = real_corpus("an4") / "wav" / "an4_clstk" / "fash" / "an251-fash-b.sph"
    recording = files.read(file, 16000)
    header = file.read_bytes()[:1024].decode("latin-1")
    samples = int(header.split("sample_count -i ")[1].split()[0])
    assert len(recording) == samples
    # Sphere: a header of 1024 bytes, then 16-bit samples, here the big end or the little first
    order = ">i2" if "sample_byte_format -s2 10" in header else "<i2"
    raw = np.frombuffer(file.read_bytes()[1024:], dtype=order)[:samples] / 32768
    assert np.allclose(recording, raw, atol=1e-4)


def test_bytes_and_a_path_give_the_same_samples(tmp_path):
    file = write_tone(tmp_path / "a.flac")
    assert np.array_equal(files.read(file, 16000), files.read(file.read_bytes(), 16000))


def test_audio_is_resampled_to_the_rate_asked_for(tmp_path):
    file = write_tone(tmp_path / "a.wav", 1.0, rate=44100)
    recording = files.read(file, 16000)
    assert len(recording) == 16000
    assert np.allclose(recording[500:-500], tone(1.0)[500:-500], atol=0.01)


def test_channels_are_mixed_or_one_of_them_chosen(tmp_path):
    left, right = tone(0.2), np.zeros(3200, np.float32)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16000)
    assert np.allclose(files.read(tmp_path / "a.wav", 16000), left / 2, atol=1e-3)
    assert np.allclose(files.read(tmp_path / "a.wav", 16000, channel=0), left, atol=1e-3)
    assert not files.read(tmp_path / "a.wav", 16000, channel=1).any()
    with pytest.raises(ValueError, match="no channel 2"):
        files.read(tmp_path / "a.wav", 16000, channel=2)


def test_a_part_of_a_file_is_cut_out_to_the_sample(tmp_path):
    full = np.random.default_rng(0).uniform(-0.5, 0.5, 16000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", full, 16000, subtype="FLOAT")
    part = files.read(tmp_path / "a.wav", 16000, offset_seconds=0.25, duration_seconds=0.5)
    assert np.array_equal(part, full[4000:12000])
    with pytest.raises(ValueError, match="begins at 2 s"):
        files.read(tmp_path / "a.wav", 16000, offset_seconds=2.0)
    with pytest.raises(ValueError, match="ends after"):
        files.read(tmp_path / "a.wav", 16000, offset_seconds=0.5, duration_seconds=2.0)


def test_inspecting_gives_the_length_and_a_digest_that_tells_sounds_apart(tmp_path):
    first, second = write_tone(tmp_path / "a.flac", 0.5), write_tone(tmp_path / "b.flac", 0.5)
    other = write_tone(tmp_path / "c.flac", 0.5, hertz=300)
    assert files.inspect(first) == files.inspect(second)
    assert files.inspect(first)[0] == 0.5
    assert files.inspect(first)[1] != files.inspect(other)[1]


def test_what_is_not_audio_says_why(tmp_path):
    (tmp_path / "text.wav").write_text("this is not a sound")
    (tmp_path / "empty.wav").write_bytes(b"")
    soundfile.write(tmp_path / "silent.wav", np.zeros(0, np.float32), 16000)
    for name in ("text.wav", "empty.wav"):
        with pytest.raises(ValueError, match=r"\w"):
            files.read(tmp_path / name, 16000)
    with pytest.raises(ValueError, match="no sound"):
        files.read(tmp_path / "silent.wav", 16000)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        files.read(tmp_path / "absent.wav", 16000)


def test_a_file_that_was_cut_short_is_found_out(tmp_path):
    file = write_tone(tmp_path / "a.flac", 3.0, hertz=333)
    held = file.read_bytes()
    with pytest.raises(ValueError):
        files.read(held[: len(held) // 2], 16000)


def test_samples_that_are_not_numbers_are_refused():
    held = io.BytesIO()
    samples = np.array([0.0, np.nan, 0.1] * 100, dtype=np.float32)
    soundfile.write(held, samples, 16000, format="WAV", subtype="FLOAT")
    with pytest.raises(ValueError, match="not numbers"):
        files.read(held.getvalue(), 16000)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_no_more_is_asked_of_a_decoder_than_a_file_holds(suffix, tmp_path, monkeypatch):
    """What libsndfile does not fill it clears: a megabyte for each short recording."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 5000)
    soundfile.write(tmp_path / f"short.{suffix}", noise, 16000)
    expected, _ = soundfile.read(tmp_path / f"short.{suffix}", dtype="float32")
    asked = []
    plain = soundfile.SoundFile.read

    def watched(self, frames=-1, *arguments, **options):
        asked.append(frames)
        return plain(self, frames, *arguments, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", watched)
    samples = files.read(tmp_path / f"short.{suffix}", 16000)
    assert np.array_equal(samples, expected)
    assert asked
    assert max(asked) <= 5000 + 1024
