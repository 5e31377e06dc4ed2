"""Values that follow from other settings where nobody gave them.

How long is trained on one's own corpus follows from its hours: that stays null here, and
:mod:`mynah.training.settled` fills it in.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Container, Mapping
from functools import cache

from mynah.config.origins import SCHEMA, Origin
from mynah.config.schema import Config, DataConfig, ModelConfig, Nature, TrainingConfig
from mynah.config.settings import all_settings, leaves
from mynah.config.tuning import FROZEN, tuning

_LEARNING_RATE_FROM_SCRATCH = 2e-3
_LEARNING_RATE_OF_PARTS = 1e-4
_LEARNING_RATE_OF_ALL = 3e-5
_GUARDED_BASE = "openai/whisper-tiny.en"  # of model=default
_STEPS_OF_EMBEDDED = 1400
_STEPS_OF_ADAPTED = 160  # of a full recognizer with LoRA on the embedded corpus
STEPS_OF_STREAM = 5000  # the most that one's own corpus gets by its hours: of a stream none knows
_REPLAYED = 0.1  # the least that keeps general speech: docs/base.md, "What tuning costs elsewhere"
_MASKS = 2  # of SpecAugment, of each kind: as Park et al. 2019 have them for LibriSpeech
_EMBEDDED = "synthetic"
# Corpora whose transcripts are written in one case throughout: it says nothing.
_CAPITALS = frozenset({_EMBEDDED, "librispeech", "openslr/librispeech_asr", "an4"})
_RECOMMENDED = "model.recommended_learning_rate"
_WAYS = ("model.use_lora", "model.encoder_tuning", "model.decoder_tuning")


@cache
def derived() -> dict[str, str]:
    """The settings that are filled in where they are null, and what each follows from."""
    found = {name: setting.metadata.get("derived") for name, setting in all_settings().items()}
    return {name: follows for name, follows in found.items() if follows}


def with_derived(config: Config, origins: Mapping[str, Origin] | None = None) -> Config:
    """The settings with what follows from others filled in, so that what is written to a run is
    what the run did.

    Args:
        config: The settings.
        origins: The layer that set each of them, by dotted name.
    """
    config = dataclasses.replace(config, data=_with_derived_data(config.data, config.model))
    training = _with_derived_length(config, origins or {})
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
        guard = ["general"] if _is_guarded(config.model) else []
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


def is_embedded(data: DataConfig) -> bool:
    """Whether all that is learned from is the corpus that is synthesized here."""
    return data.dataset_name == _EMBEDDED and data.path is None and not data.mixture


def _is_path(data: DataConfig) -> bool:
    """Whether the corpus is whatever lies at a path."""
    return data.path is not None and data.dataset_name == _EMBEDDED


def _with_derived_data(data: DataConfig, model: ModelConfig) -> DataConfig:
    named = {entry.get("dataset_name", "") for entry in data.mixture.values()}
    named = named or {data.dataset_name if is_embedded(data) or not _is_path(data) else ""}
    case = data.text_case
    if case is None:
        case = "lower" if named <= _CAPITALS or data.format in _CAPITALS else "keep"
    masks, number = data.augmentation.spec_augment, 0 if is_embedded(data) else _MASKS
    masks = dataclasses.replace(
        masks,
        time_masks=number if masks.time_masks is None else masks.time_masks,
        frequency_masks=number if masks.frequency_masks is None else masks.frequency_masks,
    )
    augmentation = dataclasses.replace(data.augmentation, spec_augment=masks)
    replay = data.replay
    if replay is None:
        own = named != {_EMBEDDED} and not data.streaming
        replay = _REPLAYED if own and tuning(model).adapts and _is_guarded(model) else 0.0
    return dataclasses.replace(data, text_case=case, augmentation=augmentation, replay=replay)


def _with_derived_length(config: Config, origins: Mapping[str, Origin]) -> TrainingConfig:
    """How many steps, where that follows from no corpus: epochs that are typed, the embedded
    corpus, and a stream, which does not say how long it is."""
    training = config.training
    if training.max_steps is not None:
        return training
    steps = -1 if origins.get("training.num_train_epochs", SCHEMA).asked else None
    if steps is None and config.data.streaming:
        return dataclasses.replace(training, max_steps=STEPS_OF_STREAM)
    if steps is None and is_embedded(config.data):
        if not (config.model.pretrained and config.model.use_lora):
            return dataclasses.replace(training, max_steps=_STEPS_OF_EMBEDDED)
        steps = _STEPS_OF_ADAPTED
    # A group's interval is for its own number of steps.
    of_group = [
        origins.get(f"training.{name}", SCHEMA).layer == "group"
        for name in ("eval_steps", "save_steps")
    ]
    return dataclasses.replace(
        training,
        max_steps=steps,
        eval_steps=0.5 if of_group[0] else training.eval_steps,
        save_steps=0.5 if all(of_group) else training.save_steps,
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


def _is_guarded(model: ModelConfig) -> bool:
    """Whether general speech is measured before and after, and replayed, without being asked
    for: of the one base that is known to need it, where speech can be synthesized."""
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
