"""Whisper on clips as long as they are, not padded to its window of 30 s.

transformers' classes and weights are kept; only the forward pass takes any length: the first
position embeddings are used, and padding behind a shorter clip of a batch is unseen, by the
encoder and by the decoder. A clip that fills the window comes out as from transformers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.masking_utils import create_bidirectional_mask
from transformers.modeling_outputs import BaseModelOutput
from transformers.models.whisper import modeling_whisper as whisper


def encoder_frames(features: torch.Tensor | int) -> Any:
    """Feature frames to encoder frames: a convolution has stride 2, kernel 3 and padding 1."""
    return (features + 1) // 2


def encode_true_length(
    encoder: Any, features: torch.Tensor, real: torch.Tensor | None = None
) -> torch.Tensor:
    """Whisper's encoder over features of any length up to its window.

    Args:
        encoder: A WhisperEncoder.
        features: Log-mel features, [batch, bins, frames].
        real: Which frames are sound, bool [batch, frames]; None: all.

    Returns:
        [batch, time, width]; what stands at padding has no meaning.

    Raises:
        ValueError: More frames than the encoder has positions for.
    """
    hidden = nn.functional.gelu(encoder.conv1(features))
    if real is not None:
        hidden = hidden * real[:, None].to(hidden.dtype)
    hidden = nn.functional.gelu(encoder.conv2(hidden)).transpose(1, 2)
    positions = encoder.embed_positions.weight
    if hidden.shape[1] > len(positions):
        raise ValueError(f"{hidden.shape[1]} encoder frames are more than {len(positions)}")
    hidden = hidden + positions[: hidden.shape[1]]
    hidden = nn.functional.dropout(hidden, encoder.dropout, encoder.training)
    mask = None if real is None else _attention_mask(encoder.config, hidden, real)
    for layer in encoder.layers:
        if encoder.training and encoder.layerdrop and torch.rand([]) < encoder.layerdrop:
            continue  # LayerDrop, as in transformers
        hidden = layer(hidden, mask)
    return encoder.layer_norm(hidden)


def install_true_length(model: nn.Module) -> None:
    """Let every Whisper in ``model`` take features of any length; parameters stay as they are.

    Its forward pass then takes ``real``, bool [batch, frames], where a batch is padded.
    """
    for module in model.modules():
        if replacement := _REPLACEMENTS.get(type(module)):
            module.__class__ = replacement


class AnyLengthEncoder(whisper.WhisperEncoder):
    """Whisper's encoder over features of any length up to its window."""

    def forward(
        self, input_features: torch.Tensor, *_: Any, real: torch.Tensor | None = None, **__: Any
    ) -> BaseModelOutput:
        return BaseModelOutput(last_hidden_state=encode_true_length(self, input_features, real))


class MaskedDecoder(whisper.WhisperDecoder):
    """Whisper's decoder, given which encoder frames are sound."""

    def forward(self, *inputs: Any, real: torch.Tensor | None = None, **options: Any) -> Any:
        if real is not None:
            encoded = options["encoder_hidden_states"]
            # Of the queries the mask takes shape, dtype and device alone.
            queries = encoded.new_empty(*options["input_ids"].shape, 1)
            options["encoder_mask"] = _attention_mask(self.config, queries, real, encoded)
        return super().forward(*inputs, **options)


class MaskedDecoderLayer(whisper.WhisperDecoderLayer):
    """A layer of it: transformers' own takes a mask of the encoder, and is never given one."""

    def forward(
        self, *inputs: Any, encoder_mask: torch.Tensor | None = None, **options: Any
    ) -> Any:
        if encoder_mask is not None:
            options["encoder_attention_mask"] = encoder_mask
        return super().forward(*inputs, **options)


def _attention_mask(
    config: Any,
    queries: torch.Tensor,
    real: torch.Tensor,
    encoded: torch.Tensor | None = None,
) -> Any:
    """What the attention kernel in use takes as the mask of the encoder frames that are sound."""
    frames = encoder_frames(real.shape[1])
    lengths = encoder_frames(real.sum(-1))
    encoder_mask = torch.arange(frames, device=real.device) < lengths[:, None]
    return create_bidirectional_mask(
        config=config,
        inputs_embeds=queries,
        attention_mask=encoder_mask,
        encoder_hidden_states=encoded,
    )


_REPLACEMENTS: dict[type, type] = {
    whisper.WhisperEncoder: AnyLengthEncoder,
    whisper.WhisperDecoder: MaskedDecoder,
    whisper.WhisperDecoderLayer: MaskedDecoderLayer,
}
