"""Settings of augmentation."""

from __future__ import annotations

from dataclasses import dataclass

from mynah.config.schema.setting import setting


@dataclass
class SpecAugmentConfig:
    """SpecAugment on log-mel features, Park et al. 2019, arXiv 1904.08779."""

    time_masks: int = setting(0, "Time masks an utterance; 0 turns them off.", minimum=0)
    time_mask_fraction: float = setting(
        0.05, "Longest time mask as a share of the utterance.", minimum=0.0, maximum=1.0
    )
    frequency_masks: int = setting(0, "Frequency masks an utterance; 0 turns them off.", minimum=0)
    frequency_mask_bins: int = setting(27, "Widest frequency mask.", unit="mel bins", minimum=0)


@dataclass
class AugmentationConfig:
    """Changes made to training audio alone, each a function of (seed, epoch, utterance)."""

    speed_factors: list[float] = setting(
        [], "Speed perturbation: each utterance draws one of these factors; empty: off."
    )
    gain_db: float = setting(
        0.0, "Gain drawn uniformly from -gain_db to +gain_db.", unit="decibels", minimum=0.0
    )
    noise_snr_db: list[float] = setting(
        [],
        "Synthetic noise at a signal-to-noise ratio drawn from [low, high]; empty: off.",
        unit="decibels",
    )
    spec_augment: SpecAugmentConfig = setting(SpecAugmentConfig, "SpecAugment.")
