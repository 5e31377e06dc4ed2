"""The real CTC family, plan and augmentation under the trainer."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import standins
import torch
from test_training_resume import assert_same_end
from tiers import fast_where
from training_fakes import TinyCorpus, tiny_config, tiny_train
from transcripts import transcribed

from mynah.config.schema import EncoderConfig, ModelConfig, SpecAugmentConfig
from mynah.data.batches import BatchPlan
from mynah.models import registry

RATE = 16000


class SpokenCorpus(TinyCorpus):
    """Half a second of tones a letter, at the rate of the model."""

    def __init__(self, rows: int = 24) -> None:
        super().__init__(rows)
        self.sample_rate = RATE
        self.durations = self.durations * 5

    def read_audio(self, row: int) -> np.ndarray:
        return np.repeat(super().read_audio(row), 10)


class StoppingBatchPlan(BatchPlan):
    """The real plan; sends this process SIGTERM when the batch at a place is planned."""

    at: tuple[int, int] | None = None

    def batch(self, epoch, index, rank=0):
        if (epoch, index) == self.at:
            self.at = None
            os.kill(os.getpid(), signal.SIGTERM)
        return super().batch(epoch, index, rank)


def make_family(corpus, consistency=0.0):
    torch.manual_seed(1)
    config = ModelConfig(
        ctc_consistency=consistency,
        encoder=EncoderConfig(
            hidden_size=16, layers=1, heads=2, feed_forward_size=32, subsampling_channels=8
        ),
        tokenizer="character",
    )
    return registry.build(config, texts=corpus.texts, sample_rate=RATE, offline=True)


def make_config(**training):
    config = tiny_config(per_device_train_batch_size=None, batch_seconds=8.0, **training)
    augmentation = replace(
        config.data.augmentation,
        speed_factors=[0.9, 1.0, 1.1],
        noise_snr_db=[10.0, 20.0],
        vocal_tract_factors=[0.9, 1.1],
        spec_augment=SpecAugmentConfig(time_masks=2, frequency_masks=1),
    )
    return replace(config, data=replace(config.data, augmentation=augmentation))


def run(directory, config, at=None, make=make_family, **options):
    corpus = SpokenCorpus()
    made = StoppingBatchPlan(corpus.durations, seed=42, batch_seconds=8.0, batch_size=None)
    made.at = at
    return tiny_train(directory, config, family=make(corpus), corpus=corpus, plan=made, **options)


@pytest.mark.parametrize(
    ("workers", "consistency"),
    fast_where(lambda workers, _: workers == 1, [(0, 0.0), (2, 0.0), (1, 0.2)]),
)
def test_a_ctc_training_with_augmentation_resumes_bit_for_bit(tmp_path, workers, consistency):
    config = make_config(gradient_accumulation_steps=2, dataloader_num_workers=workers)
    config = replace(config, model=replace(config.model, ctc_consistency=consistency))
    make = partial(make_family, consistency=consistency)
    straight = run(tmp_path / "a", config, make=make)
    _, stopped = run(tmp_path / "b", config, at=(1, 3), make=make)
    assert stopped.interrupted and 3 <= stopped.steps < 8
    checkpoint = tmp_path / "b" / f"checkpoint-{stopped.steps}"
    resumed = run(tmp_path / "b", config, make=make, resume=checkpoint)
    assert_same_end(straight, resumed, tmp_path / "a", tmp_path / "b")


def test_two_copies_without_masks_are_named(tmp_path, capsys):
    config = make_config(max_steps=1, eval_strategy="no")
    plain = replace(
        config.data.augmentation, spec_augment=SpecAugmentConfig(), vocal_tract_factors=[]
    )
    warped = replace(plain, vocal_tract_factors=[0.9, 1.1])
    for augmentation, named in ((plain, True), (warped, False)):
        asked = replace(
            config,
            model=replace(config.model, ctc_consistency=0.2),
            data=replace(config.data, augmentation=augmentation),
        )
        run(tmp_path / str(named), asked, make=partial(make_family, consistency=0.2))
        said = " ".join("".join(capsys.readouterr()).split())
        assert ("that dropout alone tells apart: no masks are on" in said) == named


@pytest.mark.parametrize(
    "variant",
    [
        {},
        pytest.param(
            {"lora_use_dora": True, "lora_use_rslora": True},
            id="dora-rslora",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_training_of_adapters_resumes_bit_for_bit(tmp_path, capsys, variant):
    standin = standins.write(tmp_path / "wav2vec2", "wav2vec2_ctc")

    def make(corpus):
        torch.manual_seed(1)
        config = ModelConfig(
            pretrained=str(standin), use_lora=True, lora_r=4, lora_alpha=8, **variant
        )
        return registry.build(config, texts=corpus.texts, sample_rate=RATE, offline=True)

    config = make_config(gradient_accumulation_steps=2)
    straight = run(tmp_path / "a", config, make=make)
    said = " ".join("".join(capsys.readouterr()).split())
    for setting in ("spec_augment", "vocal_tract_factors"):
        assert f"data.augmentation.{setting} has no effect" in said
    _, stopped = run(tmp_path / "b", config, at=(1, 3), make=make)
    assert stopped.interrupted and 3 <= stopped.steps < 8
    checkpoint = tmp_path / "b" / f"checkpoint-{stopped.steps}"
    resumed = run(tmp_path / "b", config, make=make, resume=checkpoint)
    assert_same_end(straight, resumed, tmp_path / "a", tmp_path / "b")


def test_the_published_ctc_model_loads_and_transcribes_the_same(tmp_path):
    family, _ = run(tmp_path, make_config(max_steps=4))
    loaded = registry.load_family(tmp_path)
    audios = [SpokenCorpus().read_audio(row) for row in range(3)]
    assert transcribed(loaded, audios) == transcribed(family, audios)


def test_a_ctc_training_learns(tmp_path):
    config = make_config(max_steps=30, logging_steps=5, eval_strategy="no")
    _, result = run(tmp_path, config)
    losses = [entry["loss"] for entry in result.history if "loss" in entry]
    assert losses[-1] < 0.8 * losses[0]
