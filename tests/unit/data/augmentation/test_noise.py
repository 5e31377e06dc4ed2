"""Noise, made or recorded: its colour, its level, and how a short recording is repeated."""

import numpy as np
import pytest
import soundfile
from data_helpers import tone, write_tone
from hypothesis import given
from hypothesis import strategies as st

from mynah.data.augmentation.audio_folder import open_folder
from mynah.data.augmentation.gain import level
from mynah.data.augmentation.noise import NoisePiece, looped, mix_noise, noise, recorded_noise

RATE = 16000


def folder(path):
    return open_folder(path, "data.augmentation.noise_folder", "noise")


def test_pink_noise_falls_three_decibels_an_octave_and_white_noise_does_not():
    def octaves(colour: float) -> float:
        made = noise(1 << 18, colour, np.random.default_rng(0))
        assert np.mean(made**2) == pytest.approx(1.0, abs=0.1)
        power = np.abs(np.fft.rfft(made)) ** 2
        low, high = power[2000:4000].mean(), power[32000:64000].mean()  # four octaves apart
        return 10 * np.log10(low / high) / 4

    assert octaves(1.0) == pytest.approx(3.0, abs=0.2)
    assert octaves(0.0) == pytest.approx(0.0, abs=0.2)


@given(snr=st.floats(-20, 60), loudness=st.floats(1e-4, 1.0), seed=st.integers(0, 100))
def test_the_ratio_of_the_mixture_is_the_one_asked_for(snr, loudness, seed):
    audio = tone(0.2) * np.float32(loudness)
    added = np.random.default_rng(seed).standard_normal(len(audio)).astype(np.float32)
    ratio = level(audio) / level(mix_noise(audio, added, snr).astype(np.float64) - audio)
    assert 20 * np.log10(ratio) == pytest.approx(snr, abs=0.05)


def test_silence_stays_silence_and_silent_noise_adds_nothing():
    audio, nothing = tone(0.1), np.zeros(1600, dtype=np.float32)
    assert mix_noise(audio, nothing, 10.0) is audio
    assert not mix_noise(nothing, audio, 10.0).any()


def test_a_piece_is_cut_from_where_it_was_sampled(tmp_path):
    written = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", written, RATE, subtype="FLOAT")
    for place in (0.0, 0.25, 0.9999):
        begin = round(place * (len(written) - RATE))
        cut = recorded_noise(folder(tmp_path), (NoisePiece(0, place),), RATE, RATE)
        wanted = written[begin : begin + RATE]
        assert np.allclose(cut / level(cut), wanted / level(wanted), atol=1e-4)


@pytest.mark.parametrize(("name", "rate"), [("a.flac", 8000), ("a.ogg", 44100), ("a.mp3", 16000)])
def test_noise_of_any_format_and_rate_is_as_long_as_the_speech(tmp_path, name, rate):
    write_tone(tmp_path / name, 1.0, rate=rate, hertz=1000)
    for samples in (1, 999, 7001, 40_001):
        cut = recorded_noise(folder(tmp_path), (NoisePiece(0, 0.3),), samples, RATE)
        assert cut.shape == (samples,) and cut.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(cut))
    assert spectrum.argmax() * RATE / len(cut) == pytest.approx(1000, abs=5)


@given(length=st.integers(1, 500), start=st.integers(0, 1000), samples=st.integers(0, 2000))
def test_a_short_recording_goes_round_without_end(length, start, samples):
    recording = np.arange(1, length + 1, dtype=np.float32)
    received = looped(recording, start, samples, sample_rate=100)  # fades over 5 samples
    assert received.shape == (samples,)
    fade = min(5, length // 2)
    ring = length - fade
    places = (np.arange(samples) + start % ring) % ring
    full = places >= fade
    assert np.array_equal(received[full], recording[places[full]])
    if samples > ring:
        assert np.array_equal(received[ring:], received[: samples - ring])


def test_there_is_no_click_where_a_recording_begins_again():
    recording = tone(0.5, hertz=441.7)  # its end does not meet its beginning
    received = looped(recording, 0, 4 * RATE, RATE)
    assert np.abs(np.diff(received)).max() < 1.5 * np.abs(np.diff(recording)).max()


def test_several_pieces_are_equally_loud(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(2.0, hertz=500) * 0.9, RATE)
    soundfile.write(tmp_path / "b.wav", tone(2.0, hertz=2000) * 0.01, RATE)
    received = recorded_noise(
        folder(tmp_path), (NoisePiece(0, 0.2), NoisePiece(1, 0.7)), RATE, RATE
    )
    spectrum = np.abs(np.fft.rfft(received))
    assert spectrum[500] / spectrum[2000] == pytest.approx(1.0, abs=0.05)


def test_a_silent_piece_of_a_recording_adds_no_noise(tmp_path):
    half = np.concatenate([tone(1.0), np.zeros(3 * RATE, dtype=np.float32)])
    soundfile.write(tmp_path / "a.wav", half, RATE)
    assert not recorded_noise(folder(tmp_path), (NoisePiece(0, 0.999),), RATE, RATE).any()


def test_a_recording_that_vanishes_is_named(tmp_path):
    write_tone(tmp_path / "a.wav", 2.0)
    opened = folder(tmp_path)
    (tmp_path / "a.wav").unlink()
    with pytest.raises(ValueError, match=r"a\.wav cannot be read"):
        recorded_noise(opened, (NoisePiece(0, 0.0),), RATE, RATE)
