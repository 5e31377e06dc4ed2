"""Ranges, choices and the rules between settings.

Everything here reads the finished ``Config``, wherever it came from: files and command line,
legacy JSON, the Python API.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

from mynah.config.checks.architectures import check_architecture, check_new_tokenizer
from mynah.config.checks.augmentation import check_augmentation
from mynah.config.checks.checker import Checker
from mynah.config.checks.metrics import check_metrics
from mynah.config.checks.mixture import check_mixture
from mynah.config.checks.options import check_options
from mynah.config.checks.precision import check_precision
from mynah.config.checks.streaming import check_streaming
from mynah.config.checks.text import check_text
from mynah.config.durations import parse_duration
from mynah.config.origins import SCHEMA, Origin
from mynah.config.schema import Config
from mynah.config.settings import Setting, all_settings
from mynah.config.trainer_fields.disposition import UPSTREAM_DISPOSITION, refusal
from mynah.config.trainer_fields.installed import optimizer_names
from mynah.config.tuning import check_tuning
from mynah.config.values import argument, limits_mistake, shown, typed
from mynah.errors import ConfigErrors

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


def check(config: Config, origins: Mapping[str, Origin] | None = None) -> None:
    """Check every range, choice and rule.

    Args:
        config: The settings.
        origins: The layer that set each of them, by dotted name.

    Raises:
        ConfigErrors: All that is wrong.
    """
    checker = Checker(config, origins or {})
    for setting in all_settings().values():
        _check_limits(checker, setting)
    if not checker.errors:
        for rule in _RULES:
            rule(checker)
    if checker.errors:
        raise ConfigErrors(checker.errors)


def _check_limits(checker: Checker, setting: Setting) -> None:
    if mistake := limits_mistake(setting, checker.value(setting.name)):
        checker.wrong(setting.name, mistake.what, f"{setting.name}={mistake.instead}")


def _check_upstream(checker: Checker) -> None:
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
            f"training.optim={typed(upstream.optim)} is no optimizer: {known}.",
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


def _check_schedule(checker: Checker) -> None:
    training = checker.config.training
    if training.max_steps == 0:
        checker.wrong("training.max_steps", "Nothing would be trained.", "training.max_steps=-1")
    if training.max_steps < 0 and training.num_train_epochs <= 0:
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


def _check_best_model(checker: Checker) -> None:
    training = checker.config.training
    if checker.config.eval_checkpoint is not None:
        return
    evaluates = training.eval_strategy != "no"
    if evaluates and checker.config.data.eval_splits == []:
        checker.wrong(
            "training.eval_strategy",
            "There is nothing to evaluate on: data.eval_splits is empty.",
            "training.eval_strategy=no",
        )
        return
    if training.save_strategy == "best" and not evaluates:
        checker.wrong(
            "training.save_strategy",
            "To save what is best, it has to be measured: training.eval_strategy is no.",
            "training.save_strategy=steps",
        )
    if not training.load_best_model_at_end or training.save_strategy == "best":
        return
    if not evaluates or training.save_strategy == "no":
        off = "eval_strategy" if not evaluates else "save_strategy"
        checker.wrong(
            "training.load_best_model_at_end",
            "The best checkpoint can only be chosen among saved and measured ones: "
            f"training.{off} is no.",
            "training.load_best_model_at_end=false",
        )
    elif training.eval_strategy != training.save_strategy:
        checker.wrong(
            "training.save_strategy",
            "The best checkpoint is wanted, so saving goes with measuring: training.save_strategy "
            f"is {training.save_strategy}, training.eval_strategy is {training.eval_strategy}.",
            f"training.save_strategy={training.eval_strategy}",
        )
    elif training.eval_strategy == "steps":
        measured = training.eval_steps or training.logging_steps
        saved = training.save_steps
        if (measured < 1) != (saved < 1) or not _is_multiple(saved, measured):
            nearest = (
                max(round(saved / measured), 1) * measured if saved >= 1 <= measured else measured
            )
            checker.wrong(
                "training.save_steps",
                "The best checkpoint is wanted, so each one saved must be measured: "
                f"training.save_steps={typed(saved)} is no multiple of "
                f"training.eval_steps={typed(measured)}.",
                f"training.save_steps={steps_text(nearest)}",
            )


def _is_multiple(saved: float, measured: float) -> bool:
    times = saved / measured
    return times >= 1 - 1e-9 and abs(times - round(times)) < 1e-9


def steps_text(value: float) -> str:
    return str(int(value)) if value == int(value) else typed(value)


def _check_audio(checker: Checker) -> None:
    data = checker.config.data
    for name in ("data.augmentation.noise_snr_db", "data.synthesis.noise_snr_db"):
        span = checker.value(name)
        if span and (len(span) != 2 or span[0] > span[1]):
            low, high = min(span), max(span)
            checker.wrong(
                name,
                f"{name} is [low, high] in decibels, or [] for none; not {typed(span)}.",
                f"{name}=[{typed(low)},{typed(high)}]",
            )
    factors = data.augmentation.speed_factors
    if any(not 0.5 <= factor <= 2 for factor in factors):
        checker.wrong(
            "data.augmentation.speed_factors",
            f"Speed factors lie between 0.5 and 2; not {typed(factors)}.",
            "data.augmentation.speed_factors=[0.9,1.0,1.1]",
        )
    longest = data.max_audio_seconds
    if longest is not None and longest <= data.min_audio_seconds:
        checker.wrong(
            "data.max_audio_seconds",
            f"No utterance is shorter than {typed(longest)} and longer than "
            f"{typed(data.min_audio_seconds)} seconds (data.min_audio_seconds).",
            "data.max_audio_seconds=30.0",
        )
    if not data.train_splits and checker.config.eval_checkpoint is None:
        checker.wrong(
            "data.train_splits", "There is nothing to train on.", "data.train_splits=[train]"
        )


def _check_encoder(checker: Checker) -> None:
    encoder = checker.config.model.encoder
    if encoder.hidden_size % encoder.heads:
        fitting = -(-encoder.hidden_size // encoder.heads) * encoder.heads
        checker.wrong(
            "model.encoder.hidden_size",
            f"model.encoder.hidden_size={encoder.hidden_size} cannot be shared out to "
            f"model.encoder.heads={encoder.heads}.",
            f"model.encoder.hidden_size={fitting}",
        )
    if encoder.conv_kernel_size % 2 == 0:
        checker.wrong(
            "model.encoder.conv_kernel_size",
            "model.encoder.conv_kernel_size must be odd: as many frames before as after.",
            f"model.encoder.conv_kernel_size={encoder.conv_kernel_size + 1}",
        )
    factor = encoder.subsampling_factor
    if factor & (factor - 1):
        checker.wrong(
            "model.encoder.subsampling_factor",
            f"model.encoder.subsampling_factor is a power of two, not {factor}.",
            f"model.encoder.subsampling_factor={1 << (factor.bit_length() - 1)}",
        )


def _check_model_names(checker: Checker) -> None:
    model = checker.config.model
    parts = [n for n in ("encoder_model_name", "decoder_model_name") if getattr(model, n)]
    if model.pretrained and parts:
        checker.wrong(
            f"model.{parts[0]}",
            f"model.pretrained names a whole recognizer, and model.{parts[0]} a part of another.",
            f"model.{parts[0]}=null",
        )
    if model.family == "ctc" and model.decoder_model_name:
        checker.wrong(
            "model.family",
            "A CTC model has no language model behind it, and model.decoder_model_name names one.",
            "model.family=auto",
        )
    if model.family == "speech_llm" and not model.decoder_model_name and not model.pretrained:
        checker.wrong(
            "model.family",
            "family speech_llm needs a language model: model.decoder_model_name.",
            "model.family=auto",
        )


def _check_language_model(checker: Checker) -> None:
    """Only CTC's labels are joined by a language model of words in decoding."""
    asked = checker.origins.get("model.language_model", SCHEMA).asked
    if asked and words_unused(checker.config):
        checker.wrong(
            "model.language_model",
            "A language model of words joins CTC models alone in decoding, and this model is a "
            f"{family_named(checker.config)}.",
            "model.language_model=none",
        )


def family_named(config: Config) -> str:
    """The family, as far as the settings tell it."""
    model = config.model
    return "speech_llm" if model.family == "auto" and model.decoder_model_name else model.family


def words_unused(config: Config) -> bool:
    return config.model.language_model == "words" and family_named(config) not in ("auto", "ctc")


def _check_ways(checker: Checker) -> None:
    config = checker.config
    if config.eval_checkpoint is not None and config.resume_from_checkpoint is not None:
        checker.wrong(
            "resume_from_checkpoint",
            "eval_checkpoint measures and resume_from_checkpoint trains on: only one of them.",
            "resume_from_checkpoint=null",
        )


_RULES: tuple[Callable[[Checker], None], ...] = (
    _check_upstream,
    _check_schedule,
    _check_best_model,
    check_metrics,
    _check_audio,
    check_augmentation,
    _check_encoder,
    _check_model_names,
    _check_language_model,
    _check_ways,
    check_precision,
    check_streaming,
    check_mixture,
    check_options,
    check_text,
    check_tuning,
    check_architecture,
    check_new_tokenizer,
)
