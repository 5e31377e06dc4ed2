"""Values that follow from other settings where nobody gave them."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Container, Mapping
from functools import cache

from mynah.config.origins import SCHEMA, Origin
from mynah.config.schema import Config, ModelConfig, Nature
from mynah.config.settings import all_settings, leaves
from mynah.config.tuning import FROZEN, tuning

_LEARNING_RATE_FROM_SCRATCH = 2e-3
_LEARNING_RATE_OF_PARTS = 1e-4
_LEARNING_RATE_OF_ALL = 3e-5
_GUARDED_BASE = "openai/whisper-tiny.en"  # of model=default
_RECOMMENDED = "model.recommended_learning_rate"
_WAYS = ("model.use_lora", "model.encoder_tuning", "model.decoder_tuning")


@cache
def derived() -> dict[str, str]:
    """The settings that are filled in where they are null, and what each follows from."""
    found = {name: setting.metadata.get("derived") for name, setting in all_settings().items()}
    return {name: follows for name, follows in found.items() if follows}


def with_derived(config: Config, origins: Mapping[str, Origin] | None = None) -> Config:
    """The settings with optimizer, learning rate, steps between checkpoints, trackers and guards
    filled in, so that what is written to a run is what the run did.

    Args:
        config: The settings.
        origins: The layer that set each of them, by dotted name.
    """
    training = config.training
    optim = training.optim
    if optim is None:
        optim = "adamw_torch" if is_pretrained(config.model) else "muon"
    rate = training.learning_rate
    if rate is None:
        recommended = _recommended_learning_rate(config.model, origins or {})
        rate = learning_rate(config.model) if recommended is None else recommended
    saved = training.save_steps
    if saved is None:
        saved = training.eval_steps or training.logging_steps
    guard = config.evaluation.guard
    if guard is None:
        guard = ["general"] if _has_default_guard(config.model) else []
    trackers = training.report_to
    if trackers is None:
        trackers = ["tensorboard"] if importlib.util.find_spec("tensorboard") else []
    return dataclasses.replace(
        config,
        evaluation=dataclasses.replace(config.evaluation, guard=guard),
        training=dataclasses.replace(
            training, optim=optim, learning_rate=rate, save_steps=saved, report_to=trackers
        ),
    )


def with_derived_origins(
    origins: Mapping[str, Origin], nulls: Container[str], model: ModelConfig
) -> dict[str, Origin]:
    """The origins, those of values that :func:`with_derived` filled in among them.

    Args:
        origins: The layer that set each setting, by dotted name.
        nulls: Those of :func:`derived` that were null.
        model: The model's settings.
    """
    found = dict(origins)
    for name, follows in derived().items():
        if name in nulls:
            found[name] = Origin("schema", follows)
    if "training.learning_rate" in nulls and _recommended_learning_rate(model, origins) is not None:
        preset = origins.get(_RECOMMENDED, SCHEMA)
        reason = preset.place or preset.detail
        found["training.learning_rate"] = Origin("schema", f"{_RECOMMENDED}, {reason}")
    return found


def _recommended_learning_rate(model: ModelConfig, origins: Mapping[str, Origin]) -> float | None:
    """What a preset recommends, where that still counts: it is for the way that the preset
    tunes, and LoRA takes ten times or more of what suits all weights."""
    asked = origins.get(_RECOMMENDED, SCHEMA).asked
    if asked or all(origins.get(name, SCHEMA).layer in ("schema", "group") for name in _WAYS):
        return model.recommended_learning_rate
    return None


def _has_default_guard(model: ModelConfig) -> bool:
    """Whether general speech is measured before and after without being asked for: of the one
    base that is known to need it, where speech can be synthesized."""
    can_synthesize = importlib.util.find_spec("espeakng_loader") is not None
    return model.pretrained == _GUARDED_BASE and can_synthesize


def is_pretrained(model: ModelConfig) -> bool:
    """Whether any weights are loaded rather than initialized."""
    return any(getattr(model, name) for name in leaves(Nature.NAME, "model"))


def learning_rate(model: ModelConfig) -> float:
    """The peak learning rate that suits a model where none is given."""
    if not is_pretrained(model):
        return _LEARNING_RATE_FROM_SCRATCH
    parts = tuning(model)
    in_parts = parts.adapts or model.decoder_model_name or FROZEN in (parts.encoder, parts.decoder)
    return _LEARNING_RATE_OF_PARTS if in_parts else _LEARNING_RATE_OF_ALL
