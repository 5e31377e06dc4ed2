"""Speed moves tempo and pitch together; gain is never clipped."""

import numpy as np
import pytest
from data_helpers import tone
from hypothesis import given
from hypothesis import strategies as st

from mynah.data.augmentation.gain import apply_gain, level, within_full_scale
from mynah.data.augmentation.speed import change_speed


@given(
    samples=st.integers(1, 20_000),
    factor=st.sampled_from([0.5, 0.87, 0.9, 0.95, 1.05, 1.1, 1.125, 1.25, 2.0]),
)
def test_the_length_is_that_of_the_factor_to_the_sample(samples, factor):
    audio = change_speed(np.zeros(samples, dtype=np.float32), factor)
    assert audio.dtype == np.float32
    assert abs(len(audio) - samples / factor) <= 0.5 + 1e-9


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.25])
def test_the_pitch_rises_by_the_factor(factor):
    audio = change_speed(tone(1.0, hertz=400), factor)
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    assert spectrum.argmax() * 16000 / len(audio) == pytest.approx(400 * factor, abs=2)


def test_decibels_are_decibels():
    quiet = tone(0.1) * 0.1
    assert 20 * np.log10(level(apply_gain(quiet, 6.0)) / level(quiet)) == pytest.approx(6.0)


def test_what_exceeds_full_scale_is_scaled_in_full_and_nothing_else_is():
    loud = tone(0.1) * 5
    scaled = within_full_scale(loud)
    assert np.abs(scaled).max() == pytest.approx(1.0)
    assert np.allclose(scaled * np.abs(loud).max(), loud, atol=1e-5)
    quiet = tone(0.1)
    assert within_full_scale(quiet) is quiet


def test_the_level_of_nothing_is_nothing():
    assert level(np.empty(0, dtype=np.float32)) == 0.0
