"""Augmentation: what it does to a sound, and that it depends on nothing but its position."""

import numpy as np
import pytest
from data_helpers import tone

from mynah.config.schema import AugmentationConfig, SpecAugmentConfig
from mynah.data.augment import augment_features, augment_waveform, speed_factor
from mynah.data.noise import noise

PLACE = {"seed": 1, "epoch": 2, "utterance_id": "a"}


def test_nothing_is_changed_where_nothing_is_on():
    audio = tone(0.5)
    assert augment_waveform(audio, 16000, AugmentationConfig(), **PLACE) is audio
    features = np.ones((10, 4), dtype=np.float32)
    assert augment_features(features, SpecAugmentConfig(), **PLACE) is features


def test_the_same_place_gives_the_same_samples_and_another_gives_others():
    config = AugmentationConfig(
        speed_factors=[0.9, 1.0, 1.1], gain_db=6.0, noise_snr_db=[10.0, 20.0]
    )
    audio = tone(0.5)
    made = augment_waveform(audio, 16000, config, **PLACE)
    assert np.array_equal(made, augment_waveform(audio, 16000, config, **PLACE))
    for change in ({"seed": 3}, {"epoch": 3}, {"utterance_id": "b"}):
        other = augment_waveform(audio, 16000, config, **{**PLACE, **change})
        assert made.shape != other.shape or not np.array_equal(made, other)


def test_speed_changes_length_and_pitch_together():
    config = AugmentationConfig(speed_factors=[1.25])
    made = augment_waveform(tone(1.0, hertz=400), 16000, config, **PLACE)
    assert made.dtype == np.float32
    assert len(made) == pytest.approx(16000 / 1.25, abs=2)
    spectrum = np.abs(np.fft.rfft(made))
    assert spectrum.argmax() * 16000 / len(made) == pytest.approx(500, abs=3)


def test_every_speed_factor_is_drawn_about_equally_often():
    config = AugmentationConfig(speed_factors=[0.9, 1.0, 1.1])
    drawn = [speed_factor(config, seed=0, epoch=0, utterance_id=str(n)) for n in range(600)]
    assert [150 < drawn.count(factor) < 250 for factor in config.speed_factors] == [True] * 3


def test_gain_stays_within_its_range():
    config = AugmentationConfig(gain_db=6.0)
    audio = tone(0.1) * 0.1
    gains = [
        20 * np.log10(
            np.abs(augment_waveform(audio, 16000, config, seed=0, epoch=0, utterance_id=str(n)))
            .max() / np.abs(audio).max()
        )
        for n in range(200)
    ]  # fmt: skip
    assert -6.01 <= min(gains) < -5 and 5 < max(gains) <= 6.01


def test_noise_is_added_at_the_ratio_asked_for():
    config = AugmentationConfig(noise_snr_db=[15.0, 15.0])
    audio = tone(2.0) * 0.5
    added = augment_waveform(audio, 16000, config, **PLACE) - audio
    ratio = 10 * np.log10(np.mean(audio**2) / np.mean(added**2))
    assert ratio == pytest.approx(15.0, abs=0.5)


def test_turning_one_augmentation_on_leaves_the_draws_of_the_others():
    audio = tone(0.3) * 0.2
    alone = augment_waveform(audio, 16000, AugmentationConfig(gain_db=6.0), **PLACE)
    both = augment_waveform(
        audio, 16000, AugmentationConfig(gain_db=6.0, noise_snr_db=[60.0, 60.0]), **PLACE
    )
    assert np.allclose(alone, both, atol=2e-3)


def test_a_loud_sound_is_clipped_to_full_scale():
    config = AugmentationConfig(gain_db=40.0)
    made = augment_waveform(tone(0.2), 16000, config, seed=0, epoch=0, utterance_id="x")
    assert np.abs(made).max() <= 1.0


def test_pink_noise_falls_three_decibels_an_octave_and_white_noise_does_not():
    def octaves(colour: float) -> float:
        made = noise(1 << 18, colour, np.random.default_rng(0))
        assert np.mean(made**2) == pytest.approx(1.0, abs=0.1)
        power = np.abs(np.fft.rfft(made)) ** 2
        low, high = power[2000:4000].mean(), power[32000:64000].mean()  # four octaves apart
        return 10 * np.log10(low / high) / 4

    assert octaves(1.0) == pytest.approx(3.0, abs=0.2)
    assert octaves(0.0) == pytest.approx(0.0, abs=0.2)


def test_masks_are_no_wider_than_allowed_and_hold_the_mean():
    features = np.random.default_rng(0).normal(size=(200, 80)).astype(np.float32)
    kept = features.copy()
    config = SpecAugmentConfig(
        time_masks=1, time_mask_fraction=0.1, frequency_masks=1, frequency_mask_bins=10
    )
    widths = []
    for epoch in range(100):
        made = augment_features(features, config, seed=0, epoch=epoch, utterance_id="a")
        changed = made != features
        assert np.allclose(made[changed], features.mean())
        rows, columns = changed.all(axis=1), changed.all(axis=0)
        widths.append((rows.sum(), columns.sum()))
        assert not changed[~rows][:, ~columns].any()
    assert max(width for width, _ in widths) in range(15, 21)
    assert max(width for _, width in widths) in range(8, 11)
    assert np.array_equal(features, kept)


def test_features_shorter_than_a_mask_are_masked_all_the_same():
    config = SpecAugmentConfig(
        time_masks=2, time_mask_fraction=1.0, frequency_masks=2, frequency_mask_bins=27
    )
    assert augment_features(np.ones((1, 4), np.float32), config, **PLACE).shape == (1, 4)
