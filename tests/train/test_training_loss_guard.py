"""A step whose loss is NaN or has exploded changes nothing, and is named."""

from __future__ import annotations

import json

import pytest
import torch
from training_fakes import TinyFamily, TinyPlan, tiny_config, tiny_train, weights

from mynah.errors import UserError
from mynah.models.family import LossSum
from mynah.training.guards.loss_guard import LossGuard, StepBatch


class Faulty(TinyFamily):
    """A family with batch normalisation whose loss, or its gradient, is wrong in some calls."""

    factors: dict[int, float]

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.norm = torch.nn.BatchNorm1d(6)
        self.model.norm = self.norm
        self.calls = 0
        self.factors = {}

    def loss(self, model, batch):
        features = batch["features"]
        factor = self.factors.get(self.calls, 1.0)
        self.calls += 1
        normed = self.norm((features * factor).transpose(1, 2)).transpose(1, 2)
        found = super().loss(model, batch | {"features": torch.nan_to_num(normed)})
        return LossSum(found.total * factor, found.count)


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), 1e6])
def test_a_bad_step_leaves_weights_and_running_statistics_as_they_were(tmp_path, factor):
    torch.manual_seed(0)
    family = Faulty()
    family.factors = {25: factor}
    seen = {}

    def remember(step):
        seen[step] = {**weights(family), **dict(family.norm.named_buffers())}
        seen[step] = {name: value.clone() for name, value in seen[step].items()}
        return {"eval_wer": 1.0}

    config = tiny_config(max_steps=27, eval_steps=1, save_steps=27)
    tiny_train(tmp_path / "model", config, family=family, evaluate=remember)
    before, after = seen[25], seen[26]
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert any(not torch.equal(seen[27][name], after[name]) for name in after)
    assert all(torch.isfinite(value).all() for value in seen[27].values())
    written = json.loads((tmp_path / "bad_batches" / "step-26.json").read_text())
    assert len(written["batches"][0]["utterances"]) == 4
    assert "loss" in written["reason"]


def test_a_gradient_that_is_not_finite_is_left_out_too(tmp_path, capsys):
    class Steep(TinyFamily):
        calls = 0

        def loss(self, model, batch):
            self.calls += 1
            found = super().loss(model, batch)
            if self.calls == 3:
                # The value stays; its derivative at zero has none.
                found = LossSum(found.total + torch.sqrt(0 * found.total), found.count)
            return found

    torch.manual_seed(0)
    family = Steep()
    tiny_train(tmp_path, tiny_config(max_steps=4), family=family)
    assert "Step 3 is left out: the gradient is not finite" in capsys.readouterr().out
    assert all(torch.isfinite(value).all() for value in weights(family).values())


def test_so_many_bad_steps_in_a_row_end_the_training_with_the_last_good_checkpoint(tmp_path):
    torch.manual_seed(0)
    family = Faulty()
    family.factors = dict.fromkeys(range(5, 100), float("nan"))
    config = tiny_config(max_steps=50, save_steps=2, eval_steps=2, max_bad_steps=3)
    with pytest.raises(UserError, match="3 steps in a row") as caught:
        tiny_train(tmp_path / "model", config, family=family)
    assert caught.value.where.startswith("step 8")
    assert (tmp_path / "model" / "checkpoint-6").is_dir()


def test_steps_left_out_are_counted_at_the_end_in_one_line(tmp_path, capsys):
    torch.manual_seed(0)
    family = Faulty()
    family.factors = {3: float("nan"), 5: float("inf")}
    tiny_train(tmp_path / "model", tiny_config(max_steps=8), family=family)
    said = capsys.readouterr().out
    assert said.count("2 of 8 steps left out: the loss is not finite.") == 1


def test_a_training_that_learned_nothing_ends_before_it_measures_or_saves_the_model(tmp_path):
    torch.manual_seed(0)
    family = Faulty()
    family.factors = dict.fromkeys(range(4), float("nan"))
    measured = []
    config = tiny_config(max_steps=4, save_steps=4, eval_steps=4)
    with pytest.raises(UserError, match="Nothing was learned: all 4 steps") as caught:
        tiny_train(tmp_path / "model", config, family=family, evaluate=measured.append)
    assert "the loss is not finite" in caught.value.what
    assert "bad_batches" in caught.value.where
    assert measured == []
    assert list((tmp_path / "model").glob("checkpoint-*")) == []


def guard(tmp_path, factor=20.0):
    made = LossGuard(tmp_path, most=100, factor=factor)
    for _ in range(30):
        made.accept(2.0)
    for _ in range(200):
        made.accept(0.05)
    return made


def test_a_hard_batch_late_in_a_training_is_not_an_explosion(tmp_path):
    assert guard(tmp_path).judge(3.0) is None
    assert "exploded" in guard(tmp_path).judge(5.0)
    assert guard(tmp_path, factor=0).judge(1e9) is None


def test_nothing_is_an_explosion_before_the_loss_has_settled(tmp_path):
    made = LossGuard(tmp_path, most=5, factor=2.0)
    for loss in (0.1, 50.0, 3.0):
        assert made.judge(loss) is None
        made.accept(loss)


def test_a_resumed_guard_judges_as_the_one_before(tmp_path):
    first, second = guard(tmp_path), LossGuard(tmp_path, most=100, factor=20.0)
    second.restore(json.loads(json.dumps(first.state())))
    for loss in (0.04, 3.9, 4.1, float("nan")):
        assert first.judge(loss) == second.judge(loss)
        first.accept(0.07)
        second.accept(0.07)
    assert first.state() == second.state()


def test_the_worst_batch_is_named_first(tmp_path, capsys):
    made = LossGuard(tmp_path, most=5, factor=2.0)
    made.reject(
        7,
        "the loss is not finite",
        [StepBatch(["a"], 1.0, 2.0), StepBatch(["b"], 1.0, float("nan"))],
    )
    assert "Utterances: b (step-7.json" in capsys.readouterr().out


def test_a_bad_batch_that_cannot_be_written_down_stops_nothing(tmp_path, capsys):
    (tmp_path / "bad_batches").write_text("in the way")
    LossGuard(tmp_path, most=5, factor=2.0).reject(7, "the loss is not finite", [])
    assert "cannot be written" in capsys.readouterr().out


def test_the_guards_state_is_in_the_checkpoint(tmp_path):
    tiny_train(tmp_path, tiny_config(max_steps=4), plan=TinyPlan(20, 4))
    about = json.loads((tmp_path / "checkpoint-4" / "mynah.json").read_text())
    assert about["training"]["guard"]["good"] == 4
