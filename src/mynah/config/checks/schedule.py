"""How long is trained, and in which steps."""

from __future__ import annotations

import os

from mynah.config.checks.checker import Checker
from mynah.config.durations import parse_duration
from mynah.config.schema.launch import LOCAL

_WORKERS_A_CORE = 8
_FEW_WORKERS = 16  # as a configuration for larger machines has them: slow, and no more than that


def check_schedule(checker: Checker) -> None:
    """Report steps and times that train nothing, or contradict each other."""
    training = checker.config.training
    if training.max_steps == 0:
        checker.wrong("training.max_steps", "Nothing would be trained.", "training.max_steps=-1")
    if training.max_steps in (None, -1) and training.num_train_epochs <= 0:
        checker.wrong(
            "training.num_train_epochs", "Nothing would be trained.", "training.num_train_epochs=1"
        )
    if training.max_time is not None:
        try:
            parse_duration(training.max_time)
        except ValueError as problem:
            checker.wrong(
                "training.max_time",
                f"training.max_time: {problem}. Write 90m, 11.5h, or '12:30:00' in quotes.",
                "training.max_time=12h",
            )
    _check_workers(checker)
    for name in ("adam_beta1", "adam_beta2"):
        if getattr(training, name) >= 1:
            checker.wrong(
                f"training.{name}", f"training.{name} must be below 1.", f"training.{name}=0.98"
            )
    if training.bf16 and training.fp16:
        checker.wrong(
            "training.fp16",
            "training.bf16 and training.fp16 exclude each other.",
            "training.fp16=false",
        )
    for name in ("eval_steps", "save_steps", "logging_steps"):
        value = getattr(training, name)
        if value is not None and (value == 0 or (value > 1 and value != int(value))):
            checker.wrong(
                f"training.{name}",
                f"training.{name} is a whole number of steps, or below 1 a share of all.",
                f"training.{name}={max(int(value), 1)}",
            )


def _check_workers(checker: Checker) -> None:
    """Report more data workers than the machine can start, let alone feed.

    Of a job it is not this machine: there they are the cores that the job asks for.
    """
    launch = checker.config.launch
    is_here = launch.launcher == LOCAL
    workers = checker.config.training.dataloader_num_workers
    cores = (os.cpu_count() or 1) if is_here else launch.cpus_per_process
    if workers is None or cores is None:
        return
    if workers > max(_FEW_WORKERS, _WORKERS_A_CORE * cores):
        checker.wrong(
            "training.dataloader_num_workers",
            f"{workers} data workers are too many for {cores} cores: each is a process of its own.",
            f"training.dataloader_num_workers={min(cores, 8)}",
        )
