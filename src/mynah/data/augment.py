"""Augmentation of training audio: each draw is a function of (seed, epoch, utterance)."""

from __future__ import annotations

import hashlib

import numpy as np

from mynah.config.schema import AugmentationConfig, SpecAugmentConfig
from mynah.data.audio import resample
from mynah.data.noise import noise

_WAVEFORM, _FEATURES = 1, 2  # keeps the draws of the two functions apart


def augment_waveform(
    audio: np.ndarray,
    sample_rate: int,
    config: AugmentationConfig,
    *,
    seed: int,
    epoch: int,
    utterance_id: str,
) -> np.ndarray:
    """Speed, gain and noise, as far as they are on: float32 [samples] to float32 [samples].

    Speed perturbation resamples, which moves tempo and pitch together (Ko et al. 2015,
    "Audio Augmentation for Speech Recognition"): the length becomes samples / factor.
    """
    generator = _generator(seed, epoch, utterance_id, _WAVEFORM)
    changed = audio
    # Every number is drawn whether it is used or not: turning one augmentation on leaves
    # the draws of the others as they were.
    _, gain, ratio, colour = generator.random(4)
    factor = speed_factor(config, seed=seed, epoch=epoch, utterance_id=utterance_id)
    if factor != 1.0:
        changed = resample(changed, factor * sample_rate, sample_rate)
    if config.gain_db:
        changed = changed * np.float32(10 ** ((2 * gain - 1) * config.gain_db / 20))
    if config.noise_snr_db and len(changed):
        low, high = config.noise_snr_db[0], config.noise_snr_db[-1]
        power = float(np.sqrt(np.mean(np.square(changed, dtype=np.float64))))
        level = power * 10 ** (-(low + (high - low) * ratio) / 20)
        changed = changed + noise(len(changed), colour, generator) * np.float32(level)
    return np.clip(changed, -1.0, 1.0) if changed is not audio else audio


def speed_factor(config: AugmentationConfig, *, seed: int, epoch: int, utterance_id: str) -> float:
    """The factor that :func:`augment_waveform` plays this utterance at, 1.0 where it is off."""
    if not config.speed_factors:
        return 1.0
    choice = _generator(seed, epoch, utterance_id, _WAVEFORM).random()
    return config.speed_factors[int(choice * len(config.speed_factors))]


def augment_features(
    features: np.ndarray,
    config: SpecAugmentConfig,
    *,
    seed: int,
    epoch: int,
    utterance_id: str,
) -> np.ndarray:
    """SpecAugment: masks over time and frequency, set to the utterance's mean.

    Args:
        features: float32 [frames, bins]; left as it is, a changed copy is given.
        config: How many masks, and how wide (arXiv 1904.08779; time masks are a share of
            the utterance, as in arXiv 1912.05533).
        seed: Of the run.
        epoch: Which pass over the data.
        utterance_id: Of the utterance.
    """
    if not config.time_masks and not config.frequency_masks:
        return features
    generator = _generator(seed, epoch, utterance_id, _FEATURES)
    masked = np.array(features, copy=True)
    frames, bins = masked.shape
    value = masked.mean() if masked.size else 0.0
    for _ in range(config.frequency_masks):
        width = int(generator.integers(min(config.frequency_mask_bins, bins) + 1))
        start = int(generator.integers(bins - width + 1))
        masked[:, start : start + width] = value
    for _ in range(config.time_masks):
        width = int(generator.integers(int(config.time_mask_fraction * frames) + 1))
        start = int(generator.integers(frames - width + 1))
        masked[start : start + width] = value
    return masked


def _generator(seed: int, epoch: int, utterance_id: str, purpose: int) -> np.random.Generator:
    name = int.from_bytes(hashlib.blake2b(utterance_id.encode(), digest_size=8).digest())
    return np.random.default_rng([seed, epoch, name, purpose])
