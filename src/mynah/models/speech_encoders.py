"""Speech encoders without a head: how each is loaded, how wide it is, how it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from mynah.config.errors import UserError
from mynah.models import fastconformer, hub, weights, whisper_length

# transformers' model types with an encoder that can be had alone.
SUPPORTED = (
    "whisper",
    "wav2vec2",
    "wav2vec2-bert",
    "wav2vec2-conformer",
    "hubert",
    "wavlm",
    "data2vec-audio",
    "unispeech",
    "unispeech-sat",
    "parakeet_ctc",
    "parakeet_encoder",
)
# Weights of a whole recognizer that its encoder alone does not have.
_NOT_ENCODER = ("decoder.", "proj_out.", "lm_head.", "ctc_head.", "quantizer.", "project_")


def encoder_config(config: Any, source: hub.Source) -> Any:
    """The configuration of the encoder in a model of configuration ``config``.

    Raises:
        UserError: The architecture has no speech encoder that is supported.
    """
    if config.model_type not in SUPPORTED:
        raise UserError(
            f"{source.name} is a {config.model_type}, and no speech encoder that is supported.",
            where=source.setting,
            fix="Supported are: " + ", ".join(SUPPORTED),
        )
    return config.encoder_config if config.model_type == "parakeet_ctc" else config


def draw(config: Any) -> Any:
    """An encoder with random weights."""
    from transformers import AutoModel
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    encoder = (
        WhisperEncoder(config) if config.model_type == "whisper" else AutoModel.from_config(config)
    )
    fastconformer.install(encoder)
    return encoder


def load(source: hub.Source, config: Any) -> Any:
    """The pretrained encoder in fp32; the rest of its checkpoint is dropped.

    Args:
        source: A whole recognizer or an encoder alone.
        config: What :func:`encoder_config` made of its configuration.

    Raises:
        UserError: It is not to be had, or its weights are not whole.
    """
    from transformers import AutoModel, AutoModelForCTC, WhisperForConditionalGeneration
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    whole = hub.load_config(source)
    alone = (Path(source.name) / "config.json").exists() and _is_encoder_alone(whole)
    kind: Any = AutoModel
    if whole.model_type == "whisper":
        kind = WhisperEncoder if alone else WhisperForConditionalGeneration
    elif whole.model_type == "parakeet_ctc":
        kind = AutoModelForCTC
    model = weights.load(kind, source, dropped=_NOT_ENCODER)
    if kind is WhisperForConditionalGeneration:
        model = model.model.encoder
    elif kind is AutoModelForCTC:
        model = model.encoder
    fastconformer.install(model)
    return model


def _is_encoder_alone(config: Any) -> bool:
    return "WhisperEncoder" in (config.architectures or ())


def width(config: Any) -> int:
    """Size of a frame that the encoder puts out."""
    if config.model_type == "whisper":
        return config.d_model
    return getattr(config, "output_hidden_size", None) or config.hidden_size


def encode(
    encoder: Any,
    features: torch.Tensor,
    lengths: torch.Tensor,
    mask: torch.Tensor | None,
) -> torch.Tensor:
    """Features [batch, frames, bins] or samples [batch, samples] to [batch, time, width].

    Args:
        encoder: What :func:`load` gave.
        features: Padded with zeros.
        lengths: Real features of each row, [batch].
        mask: [batch, frames], for encoders that are told of padding; None for the others.
    """
    if encoder.config.model_type == "whisper":
        frames = features.shape[1]
        real = torch.arange(frames, device=features.device) < lengths[:, None]
        padded = bool((lengths < frames).any())
        return whisper_length.encode(encoder, features.transpose(1, 2), real if padded else None)
    name = encoder.main_input_name
    return encoder(**{name: features}, attention_mask=mask).last_hidden_state
