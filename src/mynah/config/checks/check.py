"""Ranges, choices and the rules between settings: the list of all rules.

Everything here reads the finished ``Config``, wherever it came from: files and command line,
legacy JSON, the Python API. One file is one set of rules; each is one line in ``_RULES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mynah.config.checks.augmentation import check_augmentation
from mynah.config.checks.best_model import check_best_model
from mynah.config.checks.checker import Checker
from mynah.config.checks.launch import check_launch
from mynah.config.checks.metrics import check_metrics
from mynah.config.checks.mixture import check_mixture
from mynah.config.checks.models.architectures import check_architecture, check_new_tokenizer
from mynah.config.checks.models.names import (
    check_encoder,
    check_language_model,
    check_model_names,
    check_n_best,
)
from mynah.config.checks.models.precision import check_precision
from mynah.config.checks.models.tuning import check_tuning
from mynah.config.checks.options import check_options
from mynah.config.checks.rows import check_rows
from mynah.config.checks.schedule import check_schedule
from mynah.config.checks.sharding import check_sharding
from mynah.config.checks.storage import check_storage
from mynah.config.checks.streaming import check_streaming
from mynah.config.checks.text import check_text
from mynah.config.checks.trainer import check_trainer_fields
from mynah.config.origins import Origin
from mynah.config.schema import Config
from mynah.config.settings import Setting, all_settings
from mynah.config.values import limits_mistake
from mynah.errors import ConfigErrors


def check(
    config: Config, origins: Mapping[str, Origin] | None = None, *, trains: bool = True
) -> None:
    """Check every range, choice and rule.

    Args:
        config: The settings.
        origins: The layer that set each of them, by dotted name.
        trains: Whether a training may come of them; a command that only looks at data, or
            prepares them, does not ask how long is trained and which checkpoint is the best.

    Raises:
        ConfigErrors: All that is wrong.
    """
    checker = Checker(config, origins or {})
    for setting in all_settings().values():
        _check_limits(checker, setting)
    if not checker.errors:
        for rule in _RULES:
            if trains or rule not in _OF_TRAINING:
                rule(checker)
    if checker.errors:
        raise ConfigErrors(checker.errors)


def _check_limits(checker: Checker, setting: Setting) -> None:
    if mistake := limits_mistake(setting, checker.value(setting.name)):
        instead = f"{setting.name}={mistake.instead}" if mistake.instead is not None else None
        checker.wrong(setting.name, mistake.what, instead, remove=instead is None)


def _check_ways(checker: Checker) -> None:
    config = checker.config
    if config.eval_checkpoint is not None and config.resume_from_checkpoint is not None:
        checker.wrong(
            "resume_from_checkpoint",
            "eval_checkpoint measures and resume_from_checkpoint trains on: only one of them.",
            "resume_from_checkpoint=null",
        )


_RULES: tuple[Callable[[Checker], None], ...] = (
    check_trainer_fields,
    check_schedule,
    check_sharding,
    check_best_model,
    check_metrics,
    check_rows,
    check_augmentation,
    check_encoder,
    check_model_names,
    check_language_model,
    check_n_best,
    _check_ways,
    check_precision,
    check_storage,
    check_streaming,
    check_mixture,
    check_options,
    check_text,
    check_tuning,
    check_architecture,
    check_new_tokenizer,
    check_launch,
)
_OF_TRAINING = (check_schedule, check_sharding, check_best_model)
