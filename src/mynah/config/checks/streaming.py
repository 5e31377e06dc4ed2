"""What a streamed training asks of other settings: it has no table to choose from or to count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mynah.config.schema import Nature
from mynah.config.settings import all_settings, names
from mynah.config.values import argument, typed

if TYPE_CHECKING:
    from mynah.config.checks.checker import Checker


def check_streaming(checker: Checker) -> None:
    """Report what contradicts ``data.streaming``."""
    if checker.config.data.streaming and checker.config.eval_checkpoint is None:
        _check_rows(checker)
        _check_what_is_known_before(checker)
        _check_intervals(checker)


def _check_rows(checker: Checker) -> None:
    """What is read, and what is measured on."""
    data = checker.config.data
    if data.dataset_name == "synthetic" and data.path is None:
        checker.wrong(
            "data.streaming",
            "The synthetic corpus is made before training, and there is no stream of it.",
            "data.streaming=false",
        )
    if data.eval_splits is None:
        checker.wrong(
            "data.eval_splits",
            "Nothing can be held out of a stream: name the splits to measure on, or [] for none.",
            "data.eval_splits=[validation]",
        )
    for split in data.train_splits:
        if "[" in split or "+" in split:
            checker.wrong(
                "data.train_splits",
                f"A stream is read in full, and {split} is a part or a sum.",
                argument("data.train_splits", [split.split("[")[0].split("+")[0].strip()]),
            )
    if data.channels == "split":
        checker.wrong(
            "data.channels",
            "A stream's recordings are mixed or read on their first channel; a row that names "
            "its channel is read from that one.",
            "data.channels=mix",
        )


def _check_what_is_known_before(checker: Checker) -> None:
    """What asks for all rows before training."""
    config = checker.config
    for name in names(Nature.TABLE, "data"):
        nothing = all_settings()[name].default
        if checker.value(name) != nothing:
            checker.wrong(
                name,
                f"{name} looks at all rows before training, and a stream has none then.",
                f"{name}={typed(nothing)}",
            )
    if config.data.on_leak == "fail":
        checker.wrong(
            "data.on_leak",
            "What a stream shares with the evaluation is not known before it is read.",
            "data.on_leak=warn",
        )
    if config.training.per_device_train_batch_size == "auto":
        checker.wrong(
            "training.per_device_train_batch_size",
            "The largest batch that fits is found by the longest rows, which a stream does not "
            "know in advance.",
            "training.per_device_train_batch_size=null",
        )


def _check_intervals(checker: Checker) -> None:
    """A stream does not know where it ends."""
    training = checker.config.training
    if training.max_steps is None or training.max_steps < 0:
        checker.wrong(
            "training.max_steps",
            "A stream does not say how long it is: training.max_steps decides when to end.",
            "training.max_steps=10000",
        )
    for name in ("eval_strategy", "save_strategy"):
        if getattr(training, name) == "epoch":
            checker.wrong(
                f"training.{name}",
                f"Where a pass over a stream ends is not known: training.{name} counts steps.",
                f"training.{name}=steps",
            )
