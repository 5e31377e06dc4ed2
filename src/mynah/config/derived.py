"""Values that follow from other settings where nobody gave them."""

from __future__ import annotations

import dataclasses
import importlib.util

from mynah.config.schema import Config, ModelConfig
from mynah.config.tuning import FROZEN, tuning

_LEARNING_RATE_FROM_SCRATCH = 2e-3
_LEARNING_RATE_OF_PARTS = 1e-4
_LEARNING_RATE_OF_ALL = 3e-5


def with_derived(config: Config) -> Config:
    """The settings with optimizer, learning rate and trackers filled in, so that what is
    written to a run is what the run did."""
    training = config.training
    optim = training.optim
    if optim is None:
        optim = "adamw_torch" if is_pretrained(config.model) else "muon"
    rate = training.learning_rate
    if rate is None:
        rate = learning_rate(config.model)
    trackers = training.report_to
    if trackers is None:
        trackers = ["tensorboard"] if importlib.util.find_spec("tensorboard") else []
    return dataclasses.replace(
        config,
        training=dataclasses.replace(training, optim=optim, learning_rate=rate, report_to=trackers),
    )


def is_pretrained(model: ModelConfig) -> bool:
    """Whether any weights are loaded rather than drawn."""
    return bool(model.pretrained or model.encoder_model_name or model.decoder_model_name)


def learning_rate(model: ModelConfig) -> float:
    """The peak learning rate that suits a model where none is given."""
    if not is_pretrained(model):
        return _LEARNING_RATE_FROM_SCRATCH
    parts = tuning(model)
    in_parts = parts.adapts or model.decoder_model_name or FROZEN in (parts.encoder, parts.decoder)
    return _LEARNING_RATE_OF_PARTS if in_parts else _LEARNING_RATE_OF_ALL
