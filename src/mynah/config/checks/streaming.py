"""What a streamed training asks of other settings: it has no table to choose from or to count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mynah.config.values import argument, typed

if TYPE_CHECKING:
    from mynah.config.checks.checker import Checker

# Settings of data that look at all rows at once, and their value that asks for nothing.
_OF_TABLES: dict[str, Any] = {
    "max_train_samples": None,
    "on_duplicates": "keep",
    "mixture": {},
    "max_train_hours": None,
}


def check_streaming(checker: Checker) -> None:
    """Report what contradicts ``data.streaming``."""
    data, training = checker.config.data, checker.config.training
    if not data.streaming or checker.config.eval_checkpoint is not None:
        return
    if training.max_steps < 0:
        checker.wrong(
            "training.max_steps",
            "A stream does not say how long it is: training.max_steps decides when to end.",
            "training.max_steps=10000",
        )
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
                f"A stream is read whole, and {split} is a part or a sum.",
                argument("data.train_splits", [split.split("[")[0].split("+")[0].strip()]),
            )
    for name, nothing in _OF_TABLES.items():
        value = getattr(data, name, nothing)
        if value != nothing:
            checker.wrong(
                f"data.{name}",
                f"data.{name} looks at all rows before training, and a stream has none then.",
                f"data.{name}={typed(nothing)}",
            )
    if getattr(data, "on_leak", "warn") == "fail":
        checker.wrong(
            "data.on_leak",
            "What a stream shares with the evaluation is not known before it is read.",
            "data.on_leak=warn",
        )
    if getattr(data, "channels", "mix") == "split":
        checker.wrong(
            "data.channels",
            "A stream's recordings are mixed or heard on their first channel; a row that names "
            "its channel is read from that one.",
            "data.channels=mix",
        )
    if training.per_device_train_batch_size == "auto":
        checker.wrong(
            "training.per_device_train_batch_size",
            "The largest batch that fits is found by the longest rows, which a stream does not "
            "tell beforehand.",
            "training.per_device_train_batch_size=null",
        )
    for name in ("eval_strategy", "save_strategy"):
        if getattr(training, name) == "epoch":
            checker.wrong(
                f"training.{name}",
                f"Where a pass over a stream ends is not known: training.{name} counts steps.",
                f"training.{name}=steps",
            )
