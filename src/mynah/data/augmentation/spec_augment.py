"""SpecAugment: spans of time and bands of frequency blanked out.

Park et al. 2019, arXiv 1904.08779; time masks are a share of the utterance, as in Park et al.
2020, arXiv 1912.05533.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mynah.config.schema import SpecAugmentConfig
from mynah.data.augmentation.change import FeatureChange, Setup


def mask_features(
    features: np.ndarray,
    config: SpecAugmentConfig,
    generator: np.random.Generator,
    *,
    stacked: int = 1,
) -> np.ndarray:
    """A copy with masks over time and frequency, set to the utterance's mean.

    Args:
        features: float32 [frames, bins]; left as it is.
        config: How many masks, and how wide.
        generator: Draws widths and places.
        stacked: Vectors of mel bins in a frame, one after the other: a band is blanked out in each.
    """
    masked = np.array(features, copy=True)
    frames, bins = len(masked), masked.shape[1] // stacked
    vectors = masked.reshape(frames, stacked, bins)  # a view
    value = masked.mean() if masked.size else 0.0
    for _ in range(config.frequency_masks or 0):
        width = int(generator.integers(min(config.frequency_mask_bins, bins) + 1))
        start = int(generator.integers(bins - width + 1))
        vectors[:, :, start : start + width] = value
    for _ in range(config.time_masks or 0):
        width = int(generator.integers(int(config.time_mask_fraction * frames) + 1))
        start = int(generator.integers(frames - width + 1))
        masked[start : start + width] = value
    return masked


class SpecAugment(FeatureChange):
    """The masks of ``data.augmentation.spec_augment``."""

    name = "spec_augment"
    order = 100

    def __init__(self, config: SpecAugmentConfig) -> None:
        self._config = config

    @classmethod
    def open(cls, setup: Setup) -> SpecAugment | None:
        config = setup.settings.spec_augment
        on = (config.time_masks or config.frequency_masks) and config.probability
        return cls(config) if on else None

    def apply(
        self, features: NDArray[np.float32], generator: np.random.Generator
    ) -> NDArray[np.float32]:
        return self.apply_to_stacked(features, generator, 1)

    def apply_to_stacked(
        self, features: NDArray[np.float32], generator: np.random.Generator, stacked: int
    ) -> NDArray[np.float32]:
        if generator.random() >= self._config.probability:
            return features
        return mask_features(features, self._config, generator, stacked=stacked)
