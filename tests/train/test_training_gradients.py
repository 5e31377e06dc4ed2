"""The gradient of a step is the same however the step is split, and the logged loss is true."""

from __future__ import annotations

import pytest
import torch
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


def trained(tmp_path, batches, *, steps, accumulation, optim="sgd", clip=0.0, corpus=None):
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
    )
    return tiny_train(
        tmp_path, config, family=make_family(), plan=FixedPlan(batches), corpus=corpus
    )


def full_gradient(rows):
    """Gradient and mean loss over the target tokens of some rows, without any trainer."""
    family, corpus = make_family(), TinyCorpus()
    total, count = 0.0, 0
    for row in rows:
        from mynah.models.family import Example

        labels = family.labels(corpus.texts[row])
        example = Example(corpus.ids[row], family.features(corpus.read_audio(row)), labels)
        loss = family.loss(family.model, family.collate([example]))
        total = total + loss.total
        count += len(labels)
    (total / count).backward()
    return family, (total / count).item()


SPLITS = {
    "one batch of eight": ([[0, 1, 2, 3, 4, 5, 6, 7]], 1),
    "four batches of two": ([[0, 1], [2, 3], [4, 5], [6, 7]], 4),
    "uneven batches": ([[0], [1, 2, 3, 4], [5, 6, 7]], 3),
    "fewer batches than accumulation asks for": ([[0, 1, 2], [3, 4, 5, 6, 7]], 4),
    "a filled tail": ([[0, 1, 2, 3], [4, 5, 6, 7, (9, 0.0)]], 2),
}


@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
def test_a_step_moves_by_the_mean_gradient_over_all_tokens(tmp_path, split):
    batches, accumulation = split
    family, result = trained(tmp_path, batches, steps=1, accumulation=accumulation)
    reference, loss = full_gradient(range(8))
    start = make_family()
    for name, parameter in reference.model.named_parameters():
        expected = dict(start.model.named_parameters())[name] - 0.01 * parameter.grad
        torch.testing.assert_close(weights(family)[name], expected.detach(), rtol=1e-9, atol=1e-12)
    assert result.history[0]["loss"] == pytest.approx(loss, rel=1e-9)
    norm = torch.cat([p.grad.flatten() for p in reference.model.parameters()]).norm().item()
    assert result.history[0]["grad_norm"] == pytest.approx(norm, rel=1e-6)


def test_fifty_steps_end_in_the_same_place_for_every_split(tmp_path):
    ends = [
        weights(trained(tmp_path / str(n), batches, steps=50, accumulation=accumulation)[0])
        for n, (batches, accumulation) in enumerate(SPLITS.values())
    ]
    for other in ends[1:]:
        for name, value in ends[0].items():
            torch.testing.assert_close(other[name], value, rtol=1e-8, atol=1e-10)


def test_clipping_sees_the_true_norm(tmp_path):
    reference, _ = full_gradient(range(8))
    norm = torch.cat([p.grad.flatten() for p in reference.model.parameters()]).norm().item()
    family, _ = trained(
        tmp_path, [[0, 1], [2, 3], [4, 5], [6, 7]], steps=1, accumulation=4, clip=norm / 2
    )
    start = weights(make_family())
    moved = torch.cat([(weights(family)[n] - start[n]).flatten() for n in start]).norm().item()
    assert moved == pytest.approx(0.01 * norm / 2, rel=1e-4)


def test_the_logged_loss_of_an_interval_is_the_mean_over_its_tokens(tmp_path):
    config = tiny_config(
        max_steps=2, logging_steps=2, eval_strategy="no", learning_rate=1e-12, optim="sgd"
    )
    _, result = tiny_train(
        tmp_path, config, family=make_family(), plan=FixedPlan([[0], [1, 2, 3, 4, 5, 6, 7]])
    )
    assert result.history[0]["loss"] == pytest.approx(full_gradient(range(8))[1], rel=1e-6)
