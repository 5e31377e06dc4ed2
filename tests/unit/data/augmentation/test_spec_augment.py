"""SpecAugment: masks no wider than allowed, as many as asked for, set to the mean."""

import numpy as np
import pytest

from mynah.config.schema import SpecAugmentConfig
from mynah.data.augmentation.spec_augment import mask_features


def masked(config, frames=200, bins=80, seed=0):
    features = np.random.default_rng(0).normal(size=(frames, bins)).astype(np.float32)
    kept = features.copy()
    made = mask_features(features, config, np.random.default_rng(seed))
    assert np.array_equal(features, kept) and made.dtype == features.dtype
    changed = made != features
    assert np.allclose(made[changed], features.mean())
    return changed


def test_masks_are_not_wider_than_allowed_and_hold_the_mean():
    config = SpecAugmentConfig(
        time_masks=1, time_mask_fraction=0.1, frequency_masks=1, frequency_mask_bins=10
    )
    widths = []
    for seed in range(100):
        changed = masked(config, seed=seed)
        rows, columns = changed.all(axis=1), changed.all(axis=0)
        widths.append((rows.sum(), columns.sum()))
        assert not changed[~rows][:, ~columns].any()
    assert max(width for width, _ in widths) in range(15, 21)
    assert max(width for _, width in widths) in range(8, 11)


def test_the_share_that_is_masked_is_that_of_uniform_widths():
    """Two masks of up to w each: a mean width of w / 2, less what they share."""
    config = SpecAugmentConfig(time_masks=2, time_mask_fraction=0.2)
    shares = [masked(config, seed=seed).all(axis=1).mean() for seed in range(300)]
    assert np.mean(shares) == pytest.approx(0.19, abs=0.02)
    config = SpecAugmentConfig(frequency_masks=2, frequency_mask_bins=16)
    shares = [masked(config, seed=seed).all(axis=0).mean() for seed in range(300)]
    assert np.mean(shares) == pytest.approx(0.19, abs=0.02)


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_features_shorter_than_a_mask_are_masked_all_the_same(frames):
    config = SpecAugmentConfig(
        time_masks=2, time_mask_fraction=1.0, frequency_masks=2, frequency_mask_bins=27
    )
    made = mask_features(np.ones((frames, 4), np.float32), config, np.random.default_rng(0))
    assert made.shape == (frames, 4)
