"""Masks over features of which each frame is several vectors of mel bins."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_models import TEXTS, tiny

from mynah.config.schema import AugmentationConfig, SpecAugmentConfig
from mynah.data.augmentation.chain import Augmentation
from mynah.data.utterances import Utterance
from mynah.errors import UserError
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


def build(folder):
    config = tiny(pretrained=str(folder))
    return registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)


@pytest.fixture(params=STACKED, ids=STACKED)
def masked(request, checkpoints):
    """Whether each number of a row has changed, bool [frames, vectors, bins], for given masks."""
    family = build(checkpoints(request.param))

    def rows(**masks):
        settings = AugmentationConfig(spec_augment=SpecAugmentConfig(**masks))
        augmentation = Augmentation.open(settings, sample_rate=16000, seed=0)
        loaded = TrainingRows(family, Rows(), augmentation)
        for row in range(20):
            plain = family.features(loaded.corpus.read_audio(row))
            features = loaded[(0, row, 1.0)].example.features
            assert features.shape == plain.shape
            yield (features != plain).reshape(len(plain), STACKED[request.param], -1)

    return rows


def assert_is_one_span(places):
    assert len(places) == 0 or np.ptp(places) == len(places) - 1


def test_a_band_is_blanked_out_in_each_vector_of_a_frame(masked):
    widths = set()
    for gone in masked(frequency_masks=1, frequency_mask_bins=WIDEST):
        bands = gone.any(axis=0)  # [vectors, bins]
        assert (bands == bands[0]).all()
        places = np.flatnonzero(bands[0])
        assert_is_one_span(places)
        widths.add(len(places))
    assert widths == set(range(WIDEST + 1))


def test_a_span_of_time_is_full_frames(masked):
    lengths = set()
    for gone in masked(time_masks=1, time_mask_fraction=0.5):
        assert (gone.all(axis=(1, 2)) == gone.any(axis=(1, 2))).all()
        places = np.flatnonzero(gone.any(axis=(1, 2)))
        assert_is_one_span(places)
        lengths.add(len(places))
    assert len(lengths) > 5


@pytest.mark.parametrize(("kind", "plain"), [("granite5_ctc", False), ("parakeet_ctc", True)])
def test_the_frequencies_of_plain_frames_alone_are_multiplied(kind, plain, checkpoints):
    settings = AugmentationConfig(vocal_tract_factors=[0.8, 0.81], vocal_tract_probability=1.0)
    augmentation = Augmentation.open(settings, sample_rate=16000, seed=0)
    family = build(checkpoints(kind))
    loaded = TrainingRows(family, Rows(), augmentation)
    features = loaded[(0, 0, 1.0)].example.features
    assert (features != family.features(loaded.corpus.read_audio(0))).any() == plain


def test_a_frame_that_is_not_so_many_vectors_is_a_mistake():
    augmentation = Augmentation.open(
        AugmentationConfig(spec_augment=SpecAugmentConfig(time_masks=1)), sample_rate=16000, seed=0
    )
    features = np.zeros((5, 9), dtype=np.float32)
    with pytest.raises(UserError, match="9 numbers is not 2 vectors"):
        augmentation.features(features, epoch=0, utterance_id="a", stacked=2)
