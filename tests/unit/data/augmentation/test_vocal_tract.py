"""Vocal tract length perturbation, against tones that were made at the other frequency."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import ParakeetFeatureExtractor, WhisperFeatureExtractor

from mynah.config.schema import AugmentationConfig, SpecAugmentConfig
from mynah.data.augmentation.chain import Augmentation
from mynah.data.augmentation.vocal_tract import warp_frequencies

PLACE = {"epoch": 1, "utterance_id": "a"}


def log_mel(hertz, rate, bins):
    """[frames, bins] of a tone, not normalised, by transformers."""
    extractor = WhisperFeatureExtractor(feature_size=bins, sampling_rate=rate, n_fft=512)
    tone = 0.5 * np.sin(2 * np.pi * hertz * np.arange(rate) / rate)
    return extractor._np_extract_fbank_features(tone[None].astype(np.float32), "cpu")[0].T


@pytest.mark.parametrize(("rate", "bins"), [(16000, 80), (16000, 128)])
@pytest.mark.parametrize("factor", [0.8, 0.9, 1.15, 1.3])
@pytest.mark.parametrize("hertz", [400, 1000, 2500])
def test_a_tone_becomes_one_of_the_multiplied_frequency(rate, bins, factor, hertz):
    made = warp_frequencies(log_mel(hertz, rate, bins), factor, sample_rate=rate)
    reference = log_mel(hertz * factor, rate, bins)
    assert made.shape == reference.shape and made.dtype == np.float32
    middle = len(made) // 2
    assert abs(int(made[middle].argmax()) - int(reference[middle].argmax())) <= 1


def test_the_axis_ends_where_it_did_and_1_changes_nothing():
    features = np.random.default_rng(0).normal(size=(9, 80)).astype(np.float32)
    np.testing.assert_allclose(
        warp_frequencies(features, 1.0, sample_rate=16000), features, atol=1e-5
    )
    ramp = np.arange(80, dtype=np.float32)[None]
    for factor in (0.7, 1.4):
        (made,) = warp_frequencies(ramp, factor, sample_rate=16000)
        # By hand: of 80 bins that divide the mel scale evenly, the last lies at 7,699 hertz.
        assert made[-1] == pytest.approx(79, abs=0.6) and (np.diff(made) > 0).all()


def augmentation(**settings):
    return Augmentation.open(AugmentationConfig(**settings), sample_rate=16000, seed=3)


def test_factors_are_sampled_from_the_span_by_epoch_and_utterance():
    one = augmentation(vocal_tract_factors=[0.9, 1.2], vocal_tract_probability=0.5)
    found = [one.describe({}, epoch=0, utterance_id=str(number)) for number in range(400)]
    factors = [each["vocal_tract"] for each in found if each]
    assert 160 < len(factors) < 240 and 0.9 <= min(factors) < 0.92 and 1.18 < max(factors) <= 1.2
    assert one.describe({}, **PLACE) == augmentation(
        vocal_tract_factors=[0.9, 1.2], vocal_tract_probability=0.5
    ).describe({}, **PLACE)
    assert found[0] != one.describe({}, epoch=1, utterance_id="0")


def test_masks_are_where_they_were_without_it_and_other_input_is_masked_alone():
    features = np.random.default_rng(0).normal(size=(100, 80)).astype(np.float32)
    masks = SpecAugmentConfig(time_masks=2, frequency_masks=2)
    alone = augmentation(spec_augment=masks).features(features, **PLACE)
    both = augmentation(spec_augment=masks, vocal_tract_factors=[1.2, 1.2])
    assert both.warps and both.masks
    warped = warp_frequencies(features, 1.2, sample_rate=16000)
    made = both.features(features, **PLACE)
    assert np.array_equal(made != warped, alone != features)
    assert np.array_equal(both.features(features, **PLACE, warp=False), alone)


def test_the_mel_scale_is_that_of_the_features():
    """A tone in the features of a model, normalised over time, moves as it does in the air."""
    extractor = ParakeetFeatureExtractor(feature_size=80, sampling_rate=16000)
    centres = (extractor.mel_filters.numpy() * np.linspace(0, 8000, 257)).sum(1)
    centres /= extractor.mel_filters.numpy().sum(1)
    ramp = np.arange(80, dtype=np.float32)[None]
    (made,) = warp_frequencies(ramp, 1.1, sample_rate=16000)
    for number in range(10, 60):
        if 1.1 * centres[number] > 4500:
            break
        target = np.interp(1.1 * centres[number], centres, np.arange(80))
        assert np.interp(target, np.arange(80), made) == pytest.approx(number, abs=0.3)
