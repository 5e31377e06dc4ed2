"""The telephone: its band, its codec, and nothing moved in time."""

import io

import numpy as np
import pytest
import soundfile
from data_helpers import tone

from mynah.data.augmentation.gain import level
from mynah.data.augmentation.telephone import CODECS, companded, telephone

RATE = 16000


@pytest.mark.parametrize(("codec", "subtype"), [("mu-law", "ULAW"), ("a-law", "ALAW")])
def test_every_sample_is_what_another_codec_makes_of_it(codec, subtype):
    samples = np.arange(-32768, 32768).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, samples, 8000, format="WAV", subtype=subtype)
    file.seek(0)
    theirs = soundfile.read(file, dtype="float32")[0]
    assert np.array_equal(companded(samples / np.float32(32767), codec), theirs)


def test_eight_bits_are_left():
    ramp = np.linspace(-1, 1, 100_001, dtype=np.float32)
    for codec in CODECS:
        assert 250 <= len(np.unique(companded(ramp, codec))) <= 256


@pytest.mark.parametrize("codec", CODECS)
def test_what_lies_outside_the_band_is_gone(codec):
    white = 0.1 * np.random.default_rng(0).standard_normal(8 * RATE).astype(np.float32)
    power = np.abs(np.fft.rfft(telephone(white, RATE, codec))) ** 2
    hertz = np.fft.rfftfreq(len(white), 1 / RATE)

    def decibels(low, high):
        inside = power[(hertz > 500) & (hertz < 3000)].mean()
        return 10 * np.log10(power[(hertz > low) & (hertz < high)].mean() / inside)

    assert decibels(0, 220) < -30 and decibels(3500, 3900) < -30 and decibels(4100, 8000) < -60
    assert abs(decibels(400, 500)) < 1 and abs(decibels(3000, 3300)) < 1


@pytest.mark.parametrize("rate", [4000, 8000, 11025, 16000, 44100])
def test_a_voice_is_not_moved_in_time(rate):
    audio = tone(0.5, rate=rate, hertz=700)
    audio[: rate // 4] *= 0.01
    recording = telephone(audio, rate, "mu-law")
    assert recording.shape == audio.shape and recording.dtype == np.float32
    inner = slice(rate // 20, -rate // 20)
    assert np.corrcoef(recording[inner], audio[inner])[0, 1] > 0.99
    assert level(recording) == pytest.approx(level(audio), rel=0.05)
