"""What a resumed training must share with the one it goes on from, and what it may change."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah import console
from mynah.config.errors import UserError

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.augmentation.chain import Augmentation
    from mynah.data.corpus import Corpus
    from mynah.data.streams.stream import Stream

ABOUT_NAME = "mynah.json"

# Beside data and augmentation: every one of these changes what the next step does.
_FIXED = (
    "seed", "per_device_train_batch_size", "batch_seconds", "batch_characters_a_second",
    "gradient_accumulation_steps", "loss_normalization", "learning_rate", "lr_scheduler_type",
    "lr_scheduler_kwargs", "warmup_steps", "optim", "optim_args", "weight_decay", "adam_beta1",
    "adam_beta2", "adam_epsilon", "max_grad_norm", "neftune_noise_alpha", "bf16", "fp16",
)  # fmt: skip


def fixed_settings(
    config: Config, corpus: Corpus | Stream, augmentation: Augmentation
) -> dict[str, Any]:
    """What decides the course of a training, by the names a user knows."""
    settings: dict[str, Any] = {
        f"training.{name}": getattr(config.training, name, None) for name in _FIXED
    }
    if config.training.per_device_train_batch_size is not None:
        del settings["training.batch_seconds"]
    settings["data.augmentation"] = dataclasses.asdict(config.data.augmentation)
    for name, fingerprint in augmentation.fingerprints().items():
        # What is in the folder counts, not where it lies.
        del settings["data.augmentation"][name]
        settings[f"data.augmentation.{name} (fingerprint)"] = fingerprint
    settings["data.sample_rate"] = corpus.sample_rate
    if config.data.streaming:  # nobody has counted its utterances
        settings["data.shuffle_buffer"] = config.data.shuffle_buffer
        settings["data.tokenizer_rows"] = config.data.tokenizer_rows
    else:
        settings["training utterances"] = len(corpus)
    settings["training data (fingerprint)"] = corpus.fingerprint
    return json.loads(json.dumps(settings))


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


def check_resume(checkpoint: Path, settings: dict[str, Any], *, world_size: int, steps: int) -> int:
    """Check that training may go on from a checkpoint; say what the changes mean.

    Args:
        checkpoint: A whole checkpoint.
        settings: :func:`fixed_settings` of this run.
        world_size: Processes of this run.
        steps: Steps of this run.

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
    changed = [
        f"{name}: {_short(before.get(name))} in the checkpoint, {_short(settings.get(name))} now"
        for name in sorted(before.keys() | settings.keys())
        if before.get(name) != settings.get(name)
    ]
    if changed:
        raise UserError(
            "A resumed training must be the same training, and this changed: "
            + "; ".join(changed)
            + ".",
            where=str(checkpoint),
            fix="set it back (more training.max_steps and other logging are fine), or start "
            "a new run without resume_from_checkpoint",
        )
    if training["world_size"] != world_size:
        console.notice(
            f"This training ran on {training['world_size']} process(es) and goes on with "
            f"{world_size}: every step now takes {world_size} batch(es), and an epoch has "
            "another number of steps. The result is not that of an uninterrupted run."
        )
    if training["steps_total"] != steps:
        console.notice(
            f"This training was to take {training['steps_total']:,} steps and now takes "
            f"{steps:,}: the learning rate follows the new length from here on."
        )
    return int(about["step"])


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
