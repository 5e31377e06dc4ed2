"""What a training rests on in transformers: where a version changes it, a sentence says so."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
import transformers
from training_fakes import tiny_config, tiny_train
from transformers import Trainer, TrainingArguments

from mynah.training import engine
from mynah.training.engine import PRIVATE, MynahTrainer

# Public methods that are overridden or called with these parameters.
PUBLIC = {
    "compute_loss_context_manager(self)": "a batch's loss is computed in its precision",
    "create_optimizer(self, model)": "each part of a model has a learning rate of its own",
    "create_scheduler(self, num_training_steps, optimizer)": "a schedule's mistakes are named",
    "evaluate(self, eval_dataset, ignore_keys, metric_key_prefix)": "the measure is free-running "
    "decoding",
    "floating_point_ops(self, inputs)": "a batch is not a tensor of token ids",
    "get_batch_samples(self, epoch_iterator, num_batches, device)": "batches are read ahead and "
    "watched",
    "get_decay_parameter_names(self, model)": "Muon's weight decay spares the same weights",
    "get_train_dataloader(self)": "the loader follows the batch plan",
    "log(self, logs, start_time)": "the logged loss is a mean over tokens",
    "training_step(self, model, inputs, num_items_in_batch)": "a step's gradient is divided once",
}  # fmt: skip
STEP = ("get_batch_samples", "training_step", "log")
MEASURED_STEP = (*STEP, "evaluate", "log", "_save_checkpoint")
# The order in which Trainer's loop calls us: of two steps, and of a third after it.
BEGUN = ("get_train_dataloader", "create_optimizer", "create_scheduler", "begin_training",
         "begin_epoch")  # fmt: skip
FRESH = (*BEGUN, *STEP, *MEASURED_STEP, "log")
RESUMED = ("_load_from_checkpoint", *BEGUN, *MEASURED_STEP, "log")


def parameters(function) -> str:
    return ", ".join(inspect.signature(function).parameters)


def changed_signatures() -> Iterator[str]:
    named = {f"Trainer.{signature}": why for signature, why in PUBLIC.items()} | PRIVATE
    for signature, why in named.items():
        owner, _, rest = signature.partition(".")
        name, _, expected = rest.rstrip(")").partition("(")
        found = getattr(getattr(transformers, owner), name, None)
        if found is None and not hasattr(TrainingArguments(use_cpu=True), name):
            yield f"{owner} has no {name} any more, and Mynah needs it: {why}."
        elif expected and parameters(found) != expected:
            yield f"{owner}.{name} takes ({parameters(found)}) and took ({expected}): {why}."


def changed_order(directory: Path, patch: pytest.MonkeyPatch) -> Iterator[str]:
    calls: list[str] = []

    def noted(name):
        method = getattr(MynahTrainer, name)

        def call(*positional, **named):
            calls.append(name)
            return method(*positional, **named)

        return call

    for name in dict.fromkeys((*FRESH, *RESUMED)):
        patch.setattr(MynahTrainer, name, noted(name))
    for steps, resume, expected in ((2, None, FRESH), (3, "checkpoint-2", RESUMED)):
        calls.clear()
        config = tiny_config(
            max_steps=steps,
            logging_steps=1,
            eval_steps=2,
            save_steps=2,
            lr_scheduler_type="constant",
        )
        tiny_train(directory, config, resume=directory / resume if resume else None)
        what = "a resumed training" if resume else "a training"
        for place, (found, wanted) in enumerate(
            zip([*calls, *[None] * len(expected)], expected, strict=False)
        ):
            if found != wanted:
                before = calls[place - 1] if place else "the beginning"
                yield (
                    f"In {what} Trainer calls {found or 'nothing'} after {before}, and called "
                    f"{wanted}: what is saved, logged and restored there comes at another time."
                )
                break


def changes(directory: Path, patch: pytest.MonkeyPatch) -> list[str]:
    found = list(changed_signatures())
    return found or list(changed_order(directory, patch))


def test_transformers_has_what_the_training_rests_on(tmp_path, monkeypatch):
    found = changes(tmp_path, monkeypatch)
    assert not found, f"transformers {transformers.__version__}: " + " ".join(found)


def test_a_private_method_that_is_gone_is_named_with_what_it_was_for(tmp_path, monkeypatch):
    monkeypatch.delattr(Trainer, "_save_checkpoint")
    (said,) = changes(tmp_path, monkeypatch)
    assert said.startswith("Trainer has no _save_checkpoint any more, and Mynah needs it: a ")


def test_a_method_that_takes_something_else_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Trainer, "get_batch_samples", lambda self, batches, count: ([], None))
    (said,) = changes(tmp_path, monkeypatch)
    assert "takes (self, batches, count) and took (self, epoch_iterator, num_batches, d" in said


def test_a_loop_that_saves_before_it_measures_is_named(tmp_path, monkeypatch):
    def other_way(self, tr_loss, grad_norm, model, trial, epoch, keys, start, learning_rate=None):
        if self.control.should_log:
            self.log({"loss": 0.0, "learning_rate": learning_rate})
        if self.control.should_save:
            self._save_checkpoint(model, trial)
            self.control = self.callback_handler.on_save(self.args, self.state, self.control)
        if self.control.should_evaluate:
            self._evaluate(trial, keys)

    monkeypatch.setattr(Trainer, "_maybe_log_save_evaluate", other_way)
    said = changes(tmp_path, monkeypatch)[0]
    assert said.startswith(
        "In a training Trainer calls _save_checkpoint after log, and called evaluate"
    )


def test_every_private_name_of_transformers_that_the_training_uses_is_listed():
    private = {
        name
        for owner in (Trainer, TrainingArguments(use_cpu=True))
        for name in dir(owner)
        if name.startswith("_") and not name.startswith("__")
    }
    used = {
        name
        for file in Path(engine.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        for name in [getattr(node, "attr", None) or getattr(node, "name", None)]
        if name in private
    }
    listed = {signature.partition(".")[2].partition("(")[0] for signature in PRIVATE}
    assert used == listed
