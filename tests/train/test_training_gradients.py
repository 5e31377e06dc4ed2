"""The gradient of a step is the same however the step is split, and the logged loss is true."""

from __future__ import annotations

import pytest
import torch
from tiers import fast_where
from training_fakes import TinyCorpus, TinyFamily, TinyPlan, tiny_config, tiny_train, weights


class FixedPlan(TinyPlan):
    """One epoch of given batches, every epoch the same."""

    def __init__(self, batches):
        super().__init__(rows=1, batch_size=1)
        self.batches = batches

    @property
    def batches_per_epoch(self):
        return len(self.batches)

    def batch(self, epoch, index, rank=0):
        return [(row, 1.0) if isinstance(row, int) else row for row in self.batches[index]]

    def copies(self, epoch, index, rank=0):
        return [0] * len(self.batches[index])


def make_family():
    torch.manual_seed(5)
    return TinyFamily(dropout=0.0, dtype=torch.float64)


def trained(
    tmp_path, batches, *, steps, accumulation, optim="sgd", clip=0.0, normalization="token"
):
    config = tiny_config(
        max_steps=steps,
        gradient_accumulation_steps=accumulation,
        optim=optim,
        learning_rate=0.01,
        lr_scheduler_type="constant",
        warmup_steps=0.0,
        weight_decay=0.0,
        max_grad_norm=clip,
        logging_steps=1,
        eval_strategy="no",
        loss_normalization=normalization,
    )
    return tiny_train(tmp_path, config, family=make_family(), plan=FixedPlan(batches))


def full_gradient(rows, normalization="token"):
    """Gradient and mean loss of some rows by torch's own CTC loss, without any trainer."""
    family, corpus = make_family(), TinyCorpus()
    losses, lengths = [], []
    for row in rows:
        labels = torch.tensor(family.labels(corpus.texts[row]))
        features = torch.from_numpy(family.features(corpus.read_audio(row)))[None]
        logits = family.model(features.double())
        sizes = (torch.tensor([logits.shape[1]]), torch.tensor([len(labels)]))
        losses.append(
            torch.nn.functional.ctc_loss(
                logits.transpose(0, 1), labels[None], *sizes, reduction="sum"
            )
        )
        lengths.append(len(labels))
    if normalization == "token":
        mean = torch.stack(losses).sum() / sum(lengths)
    else:  # each utterance's mean over its tokens, as ctc_loss(reduction="mean") does it
        mean = (torch.stack(losses) / torch.tensor(lengths)).mean()
    mean.backward()
    return family, mean.item()


def norm_of(family):
    return torch.cat([p.grad.flatten() for p in family.model.parameters()]).norm().item()


SPLITS = {
    "one batch of eight": ([[0, 1, 2, 3, 4, 5, 6, 7]], 1),
    "four batches of two": ([[0, 1], [2, 3], [4, 5], [6, 7]], 4),
    "uneven batches": ([[0], [1, 2, 3, 4], [5, 6, 7]], 3),
    "fewer batches than accumulation asks for": ([[0, 1, 2], [3, 4, 5, 6, 7]], 4),
    "a filled tail": ([[0, 1, 2, 3], [4, 5, 6, 7, (9, 0.0)]], 2),
}


@pytest.mark.parametrize(
    "normalization", fast_where(lambda one: one == "token", ["token", "utterance"])
)
@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
def test_a_step_moves_by_the_gradient_of_the_mean_loss(tmp_path, split, normalization):
    batches, accumulation = split
    family, result = trained(
        tmp_path, batches, steps=1, accumulation=accumulation, normalization=normalization
    )
    reference, loss = full_gradient(range(8), normalization)
    start = make_family()
    # Weights are float32, and so is one over a number of tokens.
    exact = 1e-9 if normalization == "token" else 1e-7
    for name, parameter in reference.model.named_parameters():
        expected = dict(start.model.named_parameters())[name] - 0.01 * parameter.grad
        torch.testing.assert_close(weights(family)[name], expected.detach(), rtol=exact, atol=1e-9)
    assert result.history[0]["loss"] == pytest.approx(loss, rel=exact)
    assert result.history[0]["grad_norm"] == pytest.approx(norm_of(reference), rel=1e-6)


def test_what_is_counted_makes_a_difference():
    assert full_gradient(range(8))[1] != pytest.approx(full_gradient(range(8), "utterance")[1])


@pytest.mark.long
def test_fifty_steps_end_in_the_same_place_for_every_split(tmp_path):
    ends = [
        weights(trained(tmp_path / str(n), batches, steps=50, accumulation=accumulation)[0])
        for n, (batches, accumulation) in enumerate(SPLITS.values())
    ]
    for other in ends[1:]:
        for name, value in ends[0].items():
            torch.testing.assert_close(other[name], value, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("normalization", ["token", "utterance"])
def test_clipping_sees_the_true_norm_however_a_step_is_split(tmp_path, normalization):
    reference, loss = full_gradient(range(8), normalization)
    norm = norm_of(reference)
    start = weights(make_family())
    splits = {1: [list(range(8))], 4: [[0, 1], [2, 3], [4, 5], [6, 7]]}
    for share, clips in ((0.5, True), (1.01, False)):
        for accumulation, batches in splits.items():
            family, result = trained(
                tmp_path / f"{share}-{accumulation}",
                batches,
                steps=1,
                accumulation=accumulation,
                clip=share * norm,
                normalization=normalization,
            )
            moved = torch.cat([(weights(family)[n] - start[n]).flatten() for n in start]).norm()
            expected = 0.01 * norm * (share if clips else 1.0)
            assert moved.item() == pytest.approx(expected, rel=1e-5)
            assert result.history[0]["loss"] == pytest.approx(loss, rel=1e-6)


def test_the_logged_loss_of_an_interval_is_the_mean_over_its_tokens(tmp_path):
    config = tiny_config(
        max_steps=2, logging_steps=2, eval_strategy="no", learning_rate=1e-12, optim="sgd"
    )
    _, result = tiny_train(
        tmp_path, config, family=make_family(), plan=FixedPlan([[0], [1, 2, 3, 4, 5, 6, 7]])
    )
    assert result.history[0]["loss"] == pytest.approx(full_gradient(range(8))[1], rel=1e-6)
