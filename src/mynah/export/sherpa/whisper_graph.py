"""A Whisper as the two graphs that sherpa-onnx runs: its encoder, and one step of its decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

# Log-mel features: (log10 + 4) / 4, at least 8 / 4 below the loudest, and of silence -10 at most.
_RANGE, _SILENCE = 2.0, -1.5
_NEVER = -1e9  # logit of a token that is not written


class EncoderGraph(nn.Module):
    """Log-mel features to the keys and values that every layer of the decoder attends to.

    sherpa-onnx puts frames of zeros behind a recording, where transformers pads the recording with
    silence. Here such frames become those of silence, as many as fill Whisper's window.

    Args:
        model: WhisperForConditionalGeneration with eager attention.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.encoder, self.layers = model.model.encoder, model.model.decoder.layers
        strides = self.encoder.conv1.stride[0] * self.encoder.conv2.stride[0]
        self.window = model.config.max_source_positions * strides

    def forward(self, mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """[1, bins, frames] to twice [layers, 1, positions, size]."""
        is_sound = (mel != 0).any(dim=1, keepdim=True)
        loudest = mel.masked_fill(~is_sound, -torch.inf).amax(dim=(1, 2), keepdim=True)
        floor = (loudest - _RANGE).clamp(min=_SILENCE)
        filled = torch.where(is_sound, mel, floor)
        silence = floor.expand(1, mel.shape[1], self.window)
        filled = torch.cat([filled, silence], dim=2)[:, :, : self.window]
        states = self.encoder(filled).last_hidden_state
        keys = torch.stack([layer.encoder_attn.k_proj(states) for layer in self.layers])
        values = torch.stack([layer.encoder_attn.v_proj(states) for layer in self.layers])
        return keys, values


class DecoderGraph(nn.Module):
    """Tokens behind those before them to logits; keys and values of the tokens are kept.

    Args:
        model: WhisperForConditionalGeneration.
        suppressed: Tokens that are never written.
        suppressed_first: Tokens that are not written behind the prompt.
    """

    never: torch.Tensor
    never_first: torch.Tensor

    def __init__(
        self, model: Any, suppressed: Sequence[int], suppressed_first: Sequence[int]
    ) -> None:
        super().__init__()
        self.decoder, self.output = model.model.decoder, model.proj_out
        self.heads = int(model.config.decoder_attention_heads)
        self.positions = int(model.config.max_target_positions)
        size = int(model.config.vocab_size)
        self.register_buffer("never", _held(size, suppressed))
        self.register_buffer("never_first", _held(size, suppressed_first))

    def forward(
        self,
        tokens: torch.Tensor,
        self_keys: torch.Tensor,
        self_values: torch.Tensor,
        cross_keys: torch.Tensor,
        cross_values: torch.Tensor,
        offset: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One step.

        Args:
            tokens: [1, tokens], the prompt at first and then one.
            self_keys: [layers, 1, positions, size] of the tokens before, zeros behind them.
            self_values: Likewise.
            cross_keys: [layers, 1, encoder positions, size].
            cross_values: Likewise.
            offset: [1], how many tokens are before.

        Returns:
            Logits [1, tokens, vocabulary], and both of the tokens' own with these in them.
        """
        places = offset + torch.arange(tokens.shape[1])
        states = self.decoder.embed_tokens(tokens) + self.decoder.embed_positions.weight[places]
        hidden = torch.arange(self.positions)[None] > places[:, None]
        mask = torch.zeros(hidden.shape).masked_fill(hidden, _NEVER)
        all_keys, all_values = [], []
        for number, layer in enumerate(self.decoder.layers):
            attention, normed = layer.self_attn, layer.self_attn_layer_norm(states)
            here = places[None, :, None].expand(normed.shape)
            keys = self_keys[number].scatter(1, here, attention.k_proj(normed))
            values = self_values[number].scatter(1, here, attention.v_proj(normed))
            all_keys.append(keys)
            all_values.append(values)
            states = states + self._attended(attention, normed, keys, values, mask)
            normed = layer.encoder_attn_layer_norm(states)
            states = states + self._attended(
                layer.encoder_attn, normed, cross_keys[number], cross_values[number], None
            )
            normed = layer.final_layer_norm(states)
            states = states + layer.fc2(layer.activation_fn(layer.fc1(normed)))
        logits = self.output(self.decoder.layer_norm(states))
        logits = logits.masked_fill(self.never | (self.never_first & (offset == 0)), _NEVER)
        return logits, torch.stack(all_keys), torch.stack(all_values)

    def _attended(
        self,
        attention: Any,
        states: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        """What states attend to, [1, tokens, size] each."""
        query = self._by_head(attention.q_proj(states) * attention.scaling)
        weights = query @ self._by_head(keys).transpose(2, 3)
        if mask is not None:
            weights = weights + mask
        found = weights.softmax(dim=-1) @ self._by_head(values)
        joined: torch.Tensor = attention.out_proj(found.transpose(1, 2).flatten(2))
        return joined

    def _by_head(self, states: torch.Tensor) -> torch.Tensor:
        """[1, positions, size] to [1, heads, positions, size of a head]."""
        batch, positions, size = states.shape
        return states.view(batch, positions, self.heads, size // self.heads).transpose(1, 2)


def _held(size: int, tokens: Sequence[int]) -> torch.Tensor:
    """Which of so many tokens are among these, bool [size]."""
    held = torch.zeros(size, dtype=torch.bool)
    held[list(tokens)] = True
    return held
