"""A take is measured before it is kept: what a voice would not be is said."""

from __future__ import annotations

import numpy as np
import pytest

from mynah.recording.levels import measure_levels

RATE = 16000
SENTENCE = "call anna at nine"


def tone(amplitude, seconds=2.0):
    return (amplitude * np.sin(2 * np.pi * 200 * np.arange(int(RATE * seconds)) / RATE)).astype(
        "f4"
    )


def problems(audio, text=SENTENCE):
    return " ".join(measure_levels(audio, RATE).problems(text))


def test_a_sine_has_the_level_that_its_formula_gives():
    levels = measure_levels(tone(0.1), RATE)
    # 20 log10 0.1 at its peak, 3.01 dB less in its mean power.
    assert levels.peak_decibels == pytest.approx(-20.0, abs=0.01)
    assert levels.speech_decibels == pytest.approx(-23.01, abs=0.01)
    assert (levels.seconds, levels.clipped) == (2.0, 0)
    assert problems(tone(0.1)) == ""


def test_pauses_do_not_make_speech_quiet():
    audio = np.concatenate([tone(0.1), np.zeros(8 * RATE, np.float32)])
    assert measure_levels(audio, RATE).speech_decibels == pytest.approx(-23.01, abs=0.01)


def test_what_is_cut_off_at_full_scale_is_clipped_and_what_touches_it_is_not():
    # 200 Hz for 2 s: 400 periods, each with a top and a bottom.
    assert measure_levels(np.clip(tone(2.0), -1, 1), RATE).clipped == 800
    assert "clipped in 800 places" in problems(np.clip(tone(2.0), -1, 1))
    touching = tone(0.1)
    touching[100] = 1.0
    assert measure_levels(touching, RATE).clipped == 0


@pytest.mark.parametrize(
    ("audio", "said"),
    [
        (tone(0.004), "very quiet"),
        (np.zeros(2 * RATE, np.float32), "is the microphone on"),
        (np.zeros(0, np.float32), "shorter than a word"),
        (tone(0.1, 0.2), "shorter than a word"),
        (tone(0.1, 0.5), "too short for the sentence"),
    ],
)
def test_what_speaks_against_a_take_is_said(audio, said):
    assert said in problems(audio)


def test_no_block_of_samples_is_a_fault():
    for length in (0, 1, 2, 319, 320, 321):
        measure_levels(np.zeros(length, np.float32), RATE)
