"""Masks over features of which each frame is several vectors of mel bins."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_models import TEXTS, tiny

from mynah.config.schema import AugmentationConfig, SpecAugmentConfig
from mynah.data.augmentation.chain import Augmentation
from mynah.data.utterances import Utterance
from mynah.models import registry
from mynah.training.loading.dataset import TrainingRows

WIDEST = 5
# Vectors of mel bins in a frame, as the papers and model cards have it: two frames; two frames of
# mel bins and of their deltas; two frames; seven frames; and one.
STACKED = {
    "w2v_bert_ctc": 2,
    "granite5_ctc": 4,
    "granite_speech": 2,
    "fun_asr_nano": 7,
    "parakeet_ctc": 1,
}


class Rows:
    name, sample_rate, fingerprint, size = "train", 16000, "", 40

    def __getitem__(self, row):
        return Utterance(f"u{row}", TEXTS[0], 2.0, "", "", "")

    def read_audio(self, row):
        return np.random.default_rng(row).standard_normal(32000).astype(np.float32)


@pytest.mark.parametrize(("kind", "stacked"), STACKED.items(), ids=STACKED)
def test_a_band_is_blanked_out_in_each_frame_that_is_stacked(kind, stacked, checkpoints):
    config = tiny(pretrained=str(checkpoints(kind)))
    family = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    masks = SpecAugmentConfig(frequency_masks=1, frequency_mask_bins=WIDEST)
    augmentation = Augmentation.open(
        AugmentationConfig(spec_augment=masks), sample_rate=16000, seed=0
    )
    rows = TrainingRows(family, Rows(), augmentation)
    widths = set()
    for row in range(20):
        plain = family.features(rows.corpus.read_audio(row))
        masked = rows[(0, row, 1.0)].example.features
        assert masked.shape == plain.shape
        gone = (masked != plain).reshape(len(plain), stacked, -1)
        bands = gone.any(axis=0)  # [vectors, bins]
        assert (bands == bands[0]).all(), "a band of one vector alone"
        places = np.flatnonzero(bands[0])
        assert len(places) == 0 or np.ptp(places) == len(places) - 1
        widths.add(len(places))
    assert widths == set(range(WIDEST + 1))
