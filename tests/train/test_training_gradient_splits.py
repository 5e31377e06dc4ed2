"""For every family the gradient of a step is the same however the step is split."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import gradient_trainings as splits
from gradient_splits import key_of, on_two_ranks

from mynah.models.family import Example

torch.set_num_threads(1)

EXACT = 1e-9  # of fp64; the figure to reach is 1e-5
QUICK = [
    "ctc, FastConformer from scratch",
    "speech_llm, Whisper, all trained",
]
SLOW = [name for name in splits.FAMILIES if name not in QUICK]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("standins")


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.long) for name in SLOW)]
)
def test_a_step_has_one_gradient_for_every_split(name, folder):
    def of(batches, **training):
        return splits.outcome(splits.build(name, folder, torch.float64), batches, **training)

    for normalization in ("token", "utterance"):
        full = of(splits.FULL, loss_normalization=normalization)
        assert full.gradient_norm > 0
        for batches in (splits.SPLITS["uneven"], splits.SPLITS["a filled tail"]):
            split = of(batches, loss_normalization=normalization)
            assert splits.difference(split.gradients, full.gradients) < EXACT
            assert split.loss == pytest.approx(full.loss, rel=EXACT)
            assert split.gradient_norm == pytest.approx(full.gradient_norm, rel=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("name", splits.FAMILIES)
def test_a_step_in_fp32_has_nearly_one_gradient_for_every_split(name, folder):
    full = splits.outcome(splits.build(name, folder, torch.float32), splits.FULL)
    for batches in splits.SPLITS.values():
        split = splits.outcome(splits.build(name, folder, torch.float32), batches)
        assert splits.difference(split.gradients, full.gradients) < 1e-3


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_ranks_train_what_one_does_in_every_family(tmp_path):
    steps = 50
    for name in splits.FAMILIES:
        splits.build(name, tmp_path, torch.float32)  # writes what it is built from
    shared = on_two_ranks(list(splits.FAMILIES), tmp_path, steps=steps)
    for name in splits.FAMILIES:
        for dtype, limit in ((torch.float64, EXACT), (torch.float32, 1e-3)):
            full = splits.outcome(splits.build(name, tmp_path, dtype), splits.FULL)
            for split in splits.RANK_SPLITS:
                found = shared[key_of(name, f"{split} {dtype}")]
                assert splits.difference(found, full.gradients) < limit, (name, split)
        alone = splits.several_steps(name, tmp_path, splits.EPOCH, steps)
        assert splits.difference(shared[key_of(name, "weights")], alone) < EXACT, name


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.long) for name in SLOW)]
)
def test_a_batch_that_counts_for_nothing_has_a_gradient_of_zeros(name, folder):
    family = splits.build(name, folder, torch.float64)
    clips = splits.Clips(splits.MIXED_SECONDS)
    rows = [
        Example(clips.ids[row], family.features(clips.read_audio(row)), labels, weight=0.0)
        for row, labels in ((0, family.labels(clips.texts[0])), (1, []))
    ]
    loss = family.loss(family.model, family.collate(rows))
    loss.total.backward()
    assert loss.total == 0 and loss.count == 0
    given = [p.grad for p in family.model.parameters() if p.grad is not None]
    assert given and all(not gradient.any() for gradient in given)


def test_live_batch_norm_makes_a_gradient_depend_on_its_batch(folder):
    name = "ctc, FastConformer from scratch"
    cost = {
        frozen: float(splits.cost(name, folder, frozen_norms=frozen, seconds=splits.EQUAL_SECONDS))
        for frozen in (True, False)
    }
    assert cost[True] < EXACT and math.isfinite(cost[False]) and cost[False] > 1e-3


def test_batch_norm_whose_weights_are_not_trained_costs_nothing(folder):
    name = "ctc, Parakeet, LoRA"
    full, split = (
        splits.outcome(splits.build(name, folder, torch.float64, frozen_norms=False), batches)
        for batches in (splits.FULL, splits.SPLITS["uneven"])
    )
    assert splits.difference(split.gradients, full.gradients) < EXACT
