"""What a resumed training must share with the one it goes on from, and what it may change."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah import console
from mynah.config.checkpointed import RUNTIME_SETTINGS
from mynah.config.derived import is_pretrained
from mynah.config.settings import all_settings
from mynah.config.tuning import tuning
from mynah.errors import UserError

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.augmentation.chain import Augmentation
    from mynah.data.positions import Key
    from mynah.data.utterances import TrainingData

ABOUT_NAME = "mynah.json"

# Beside data, model and augmentation: every one of these changes what the next step does, or
# which checkpoint is the best.
_FIXED = (
    "seed", "per_device_train_batch_size", "batch_seconds", "batch_characters_a_second",
    "gradient_accumulation_steps", "loss_normalization", "learning_rate", "encoder_learning_rate",
    "projector_learning_rate", "decoder_learning_rate", "lr_scheduler_type",
    "lr_scheduler_kwargs", "warmup_steps", "optim", "optim_args", "optim_target_modules",
    "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm",
    "neftune_noise_alpha", "bf16", "fp16", "metric_for_best_model", "greater_is_better",
)  # fmt: skip
# A learning rate that follows the scores changes with the steps they are measured at.
_FIXED_ON_PLATEAU = ("eval_strategy", "eval_steps", "eval_delay")
# Of a stream nobody has counted the rows: what leaves some out, or changes them, counts itself.
_NOT_OF_A_STREAM = (
    "dataset_name", "path", "dataset_cache_dir", "num_proc", "eval_splits", "eval_fraction",
    "max_eval_samples", "filter_eval", "on_leak", "on_error", "synthesis", "augmentation",
)  # fmt: skip
# Of the settings that a measurement may change those that are in the labels too.
_ASKED_IN_TRAINING = {"language", "task"}
_PRETRAINED = ("pretrained", "encoder_model_name", "decoder_model_name")
_ACCUMULATION = "training.gradient_accumulation_steps"


def fixed_settings(
    config: Config, corpus: TrainingData[Key], augmentation: Augmentation
) -> dict[str, Any]:
    """What decides the course of a training, by the names a user knows."""
    training = config.training
    names: tuple[str, ...] = _FIXED
    if training.lr_scheduler_type == "reduce_lr_on_plateau":
        names += _FIXED_ON_PLATEAU
    settings: dict[str, Any] = {f"training.{name}": getattr(training, name, None) for name in names}
    if training.per_device_train_batch_size is not None:
        del settings["training.batch_seconds"]
    settings |= _model_settings(config)
    settings |= _flat(config.data.augmentation, "data.augmentation")
    for name, fingerprint in augmentation.fingerprints().items():
        # What is in the folder counts, not where it lies.
        del settings[f"data.augmentation.{name}"]
        settings[f"data.augmentation.{name} (fingerprint)"] = fingerprint
    settings["data.sample_rate"] = corpus.sample_rate
    if corpus.size is not None:
        settings["training utterances"] = corpus.size
    else:
        settings |= {
            name: value
            for name, value in _flat(config.data, "data").items()
            if name.split(".")[1] not in _NOT_OF_A_STREAM
        }
    settings["training data (fingerprint)"] = corpus.fingerprint
    return json.loads(json.dumps(settings))


def _model_settings(config: Config) -> dict[str, Any]:
    """The settings of the model but those of decoding, which may change."""
    model = config.model
    settings = _flat(model, "model")
    for name in RUNTIME_SETTINGS - _ASKED_IN_TRAINING:
        del settings[f"model.{name}"]
    if not (is_pretrained(model) and tuning(model).adapts):
        settings = {name: v for name, v in settings.items() if not name.startswith("model.lora_")}
    for name in _PRETRAINED:
        folder = Path(getattr(model, name) or "")
        if folder.is_absolute():  # it may be moved, as the checkpoint may
            settings[f"model.{name}"] = folder.name
    return settings


def _flat(section: Any, prefix: str) -> dict[str, Any]:
    """The settings of a section and of those in it, by dotted name."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(section):
        value, name = getattr(section, field.name), f"{prefix}.{field.name}"
        if dataclasses.is_dataclass(value):
            found |= _flat(value, name)
        else:
            found[name] = value
    return found


def read_about(checkpoint: Path) -> dict[str, Any]:
    """The ``mynah.json`` of a checkpoint.

    Raises:
        UserError: There is none that can be read.
    """
    try:
        return json.loads((checkpoint / ABOUT_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"This checkpoint has no {ABOUT_NAME} that can be read: {error}",
            where=str(checkpoint),
            fix="resume from a checkpoint-N directory that Mynah wrote",
        ) from error


def check_resume(
    checkpoint: Path, settings: dict[str, Any], *, world_size: int, steps: int, machine: str
) -> int:
    """Check that training may go on from a checkpoint; say what the changes mean.

    Args:
        checkpoint: An intact checkpoint.
        settings: :func:`fixed_settings` of this run.
        world_size: Processes of this run.
        steps: Steps of this run.
        machine: What this run computes on and with, in words.

    Returns:
        The checkpoint's step.

    Raises:
        UserError: It is no training's checkpoint, or what must not change did; named.
    """
    about = read_about(checkpoint)
    training = about.get("training")
    if training is None or not (checkpoint / "trainer_state.json").exists():
        raise UserError(
            "This is a model without its training state, so training cannot go on from it.",
            where=str(checkpoint),
            fix="resume from a checkpoint-N directory; to fine-tune this model instead, "
            "set model.pretrained to it",
        )
    before = training["settings"]
    ranks = training["world_size"]
    changed = _changed(before, settings)
    batches = ranks * (_value(before, _ACCUMULATION) or 1)
    if world_size != ranks and batches == world_size * settings[_ACCUMULATION]:
        changed.pop(_ACCUMULATION, None)  # as many batches a step as before
    if changed:
        raise UserError(
            "A resumed training must be the same training, and this changed: "
            + "; ".join(changed.values())
            + ".",
            where=str(checkpoint),
            fix="set it back (more training.max_steps and other logging are fine), or start "
            "a new run without resume_from_checkpoint",
        )
    step = int(about["step"])
    if ranks != world_size:
        _tell_ranks(training, world_size, batches, settings[_ACCUMULATION])
        if step >= steps and step < training["steps_total"]:
            raise UserError(
                f"With {world_size} processes this training has {steps:,} steps, and it has "
                f"done {step:,} of {training['steps_total']:,} with {ranks}.",
                where=str(checkpoint),
                fix=f"set training.max_steps={training['steps_total']}, or go on with as many "
                "batches a step as before (training.gradient_accumulation_steps)",
            )
    if training["steps_total"] != steps:
        console.notice(
            f"This training was to take {training['steps_total']:,} steps and now takes "
            f"{steps:,}: the learning rate follows the new length from here on."
        )
    if training["machine"] != machine:
        console.notice(
            f"This training ran on {training['machine']} and goes on on {machine}: sums are "
            "rounded in another order there, so that it will not end bit for bit as it would have."
        )
    return step


def _tell_ranks(training: dict[str, Any], world_size: int, batches: int, accumulation: int) -> None:
    ranks = training["world_size"]
    if batches == world_size * accumulation:
        means = f"every step takes {batches} batches as before, of other utterances"
    else:
        means = (
            f"every step takes {world_size * accumulation} batch(es) in place of {batches}, and "
            "an epoch has another number of steps"
        )
        if batches % world_size == 0:
            means += f" (training.gradient_accumulation_steps={batches // world_size} keeps both)"
    console.notice(
        f"This training ran on {ranks} process(es) and goes on with {world_size}: {means}. In "
        "this epoch some utterances may come twice and others not at all; from the next one on "
        "each comes once again. The result is not that of an uninterrupted run."
    )


def _changed(before: dict[str, Any], now: dict[str, Any]) -> dict[str, str]:
    """By name, what is not as it was; a setting that one side does not know has its default."""
    return {
        name: f"{name}: {_short(_value(before, name))} in the checkpoint, "
        f"{_short(_value(now, name))} now"
        for name in sorted(before.keys() | now.keys())
        if _value(before, name) != _value(now, name)
    }


def _value(settings: dict[str, Any], name: str) -> Any:
    if name in settings:
        return settings[name]
    known = all_settings().get(name)
    return None if known is None else json.loads(json.dumps(known.default))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
