"""Mel filters beside those of transformers."""

import numpy as np
import pytest
from transformers.audio_utils import mel_filter_bank

from mynah.data.audio.mel import hertz_to_mel, mel_filters

SIZES = [
    (80, 257, 16000),
    (160, 257, 16000),
    (80, 201, 16000),
    (40, 129, 8000),
    (128, 1025, 44100),
]


@pytest.mark.parametrize(("bins", "frequencies", "rate"), SIZES)
def test_filters_over_hertz_are_bit_for_bit_those_of_transformers(bins, frequencies, rate):
    right = mel_filter_bank(
        frequencies, bins, 0.0, rate / 2, rate, norm=None, mel_scale="htk"
    ).astype(np.float32)
    assert np.array_equal(mel_filters(bins, frequencies, rate), right)


@pytest.mark.parametrize(("bins", "frequencies", "rate"), SIZES)
def test_filters_over_mel_are_bit_for_bit_those_of_transformers(bins, frequencies, rate):
    right = mel_filter_bank(
        frequencies, bins, 20.0, rate / 2, rate, norm=None, mel_scale="kaldi",
        triangularize_in_mel_space=True,
    ).astype(np.float32)  # fmt: skip
    found = mel_filters(bins, frequencies, rate, lowest_hertz=20.0, straight_in_mel=True)
    assert np.array_equal(found, right), np.abs(found - right).max()


def test_a_thousand_hertz_are_a_thousand_mel():
    assert hertz_to_mel(1000.0) == pytest.approx(999.99, abs=0.01)  # 2595 log10(17 / 7)
    assert hertz_to_mel(0.0) == 0.0
