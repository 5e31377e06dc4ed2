"""What TrainingArguments asks of its fields: values it can honour, names that are there."""

from __future__ import annotations

import importlib.util
from typing import Any

from mynah.config.checks.checker import Checker
from mynah.config.trainer_fields.disposition import UPSTREAM_DISPOSITION, refusal
from mynah.config.trainer_fields.installed import optimizer_names
from mynah.config.values import argument, shown, typed

# Trackers of transformers whose package has another name than the tracker, or needs an extra.
_TRACKERS = {
    "tensorboard": ("tensorboard", "mynah-asr[tracking]"),
    "wandb": ("wandb", "wandb"),
    "mlflow": ("mlflow", "mlflow"),
    "trackio": ("trackio", "trackio"),
    "comet_ml": ("comet_ml", "comet_ml"),
    "clearml": ("clearml", "clearml"),
    "codecarbon": ("codecarbon", "codecarbon"),
    "dvclive": ("dvclive", "dvclive"),
    "swanlab": ("swanlab", "swanlab"),
    "none": (None, None),
}


def check_trainer_fields(checker: Checker) -> None:
    """Report fields that cannot be honoured, and optimizers and trackers that are not there."""
    for name in UPSTREAM_DISPOSITION:
        setting = f"training.{name}"
        value = checker.value(setting)
        if reason := refusal(name, value):
            of_root = name == "resume_from_checkpoint"
            instead = argument(name, value) if of_root else None
            checker.wrong(setting, f"{setting} cannot be honoured: {reason}.", instead, remove=True)
    training = checker.config.training
    upstream: Any = training
    optimizers = optimizer_names() | {"muon"}
    if upstream.optim is not None and upstream.optim not in optimizers:
        known = ", ".join(sorted(optimizers))
        checker.wrong(
            "training.optim",
            f"training.optim={typed(upstream.optim)} is not an optimizer: {known}.",
            "training.optim=adamw_torch",
        )
    for tracker in training.report_to or []:
        if tracker not in _TRACKERS:
            checker.wrong(
                "training.report_to",
                f"There is no tracker {shown(tracker)}: {', '.join(_TRACKERS)}.",
                "training.report_to=null",
            )
            continue
        package, install = _TRACKERS[tracker]
        if package and importlib.util.find_spec(package) is None:
            checker.wrong(
                "training.report_to",
                f"The tracker {tracker} is not installed: pip install {install}.",
                "training.report_to=null",
            )
