"""What is sampled stays what it was in earlier versions: a resumed training depends on it.

``recorded_draws.json`` was written by the version before augmentations had a file each.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mynah.config.schema import AugmentationConfig, SpecAugmentConfig
from mynah.data.augmentation.chain import Augmentation

RATE = 16000
RECORDED = json.loads((Path(__file__).parent / "recorded_draws.json").read_text(encoding="utf-8"))


def sine(seconds, hertz=440):
    time = np.arange(int(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def folders(tmp_path):
    """Three noises and three responses, as they were when it was recorded."""
    for kind in ("noise", "room"):
        (tmp_path / kind).mkdir()
    for number, hertz in enumerate((100, 250, 900)):
        soundfile.write(tmp_path / "noise" / f"{number}.wav", sine(1.0 + number, hertz), RATE)
        response = np.zeros(800, dtype=np.float32)
        response[10 * (number + 1)], response[300] = 0.9, 0.2
        soundfile.write(tmp_path / "room" / f"{number}.wav", response, RATE)
    named = {"noise_folder": str(tmp_path / "noise"), "room_folder": str(tmp_path / "room")}
    return named | {"noise_sources": 3}


@pytest.mark.parametrize("kind", ["made", "recorded"])
def test_every_draw_and_what_it_makes_is_as_it_was(kind, tmp_path):
    config = AugmentationConfig(
        speed_factors=[0.9, 1.0, 1.1],
        speed_probability=0.7,
        room_probability=0.5,
        simulated_rooms=3,
        room_rt60_seconds=[0.1, 0.3],
        gain_db=6.0,
        gain_probability=0.8,
        noise_snr_db=[5.0, 20.0],
        noise_probability=0.6,
        telephone_probability=0.5,
        spec_augment=SpecAugmentConfig(time_masks=2, frequency_masks=2, probability=0.8),
        **(folders(tmp_path) if kind == "recorded" else {}),
    )
    one = Augmentation.open(config, sample_rate=RATE, seed=7)
    features = np.arange(2000, dtype=np.float32).reshape(50, 40)
    for was in RECORDED[kind]:
        place = {"epoch": was["epoch"], "utterance_id": was["id"]}
        sampled = one.draw(**place)
        assert json.loads(json.dumps(one.describe(sampled, **place))) == was["drawn"]
        made = one.waveform(sine(0.5), sampled)
        assert len(made) == was["samples"]
        np.testing.assert_allclose(made[1000::2000], was["some"], atol=2e-6)
        assert int((one.features(features, **place) != features).sum()) == was["masked"]
