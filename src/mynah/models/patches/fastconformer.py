"""Parakeet's layers, computed with less work and with padding left out of the statistics.

transformers' modules are kept, weights, names and all, so a checkpoint is theirs; only how a
forward pass is computed changes:

- BatchNorm in training sees real frames alone. Over padded frames its mean and variance
  depend on what an utterance was batched with, and differ from those of decoding.
- Relative positions are projected once, not once an utterance of the batch.
- Convolutions over one frame are matrix products, in the layout that is there already.
- Dropout on the CPU draws a byte an element, not a double.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers.models.parakeet import modeling_parakeet as parakeet


def dropout(hidden: torch.Tensor, probability: float, training: bool) -> torch.Tensor:
    """Dropout; on the CPU with probabilities in steps of 1/256, 15 times as fast to draw."""
    if not training or probability == 0.0:
        return hidden
    if hidden.device.type != "cpu":
        return functional.dropout(hidden, probability, True)
    dropped = max(1, round(256 * probability))
    words = torch.empty((hidden.numel() + 7) // 8, dtype=torch.int64)
    # All 64 bits: random_() alone leaves the sign bit out.
    words.random_(-(2**63), None)
    kept = words.view(torch.uint8)[: hidden.numel()].view(hidden.shape) >= dropped
    return hidden * kept.to(hidden.dtype).mul_(256 / (256 - dropped))


class _Pack(torch.autograd.Function):
    """Rows of [rows, channels] that are real; its gradient is a copy, not a scatter-add."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(rows)
        ctx.count = len(hidden)
        return hidden.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (rows,) = ctx.saved_tensors
        return gradient.new_zeros(ctx.count, gradient.shape[1]).index_copy_(0, rows, gradient), None


class FeedForward(parakeet.ParakeetEncoderFeedForward):
    """transformers' feed-forward block with the dropout above."""

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        hidden = self.activation(self.linear1(hidden_states))
        return self.linear2(dropout(hidden, self.activation_dropout, self.training))


class FastConvolution(parakeet.ParakeetEncoderConvolutionModule):
    """transformers' convolution module, its BatchNorm over the frames that are real."""

    def forward(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        first, second = self.pointwise_conv1, self.pointwise_conv2
        hidden = functional.linear(hidden_states, first.weight[:, :, 0], first.bias)
        hidden = functional.glu(hidden, dim=-1)  # [batch, frames, channels]
        real = None
        if attention_mask is not None:
            # A real frame sees itself: the diagonal is the mask of the frames.
            real = attention_mask.diagonal(dim1=2, dim2=3)[:, 0]  # [batch, frames]
            hidden = hidden * real.unsqueeze(-1)
        hidden = self.depthwise_conv(hidden.transpose(1, 2))
        if self.norm.training and real is not None:
            batch, channels, frames = hidden.shape
            rows = real.reshape(-1).nonzero()[:, 0]
            packed = _Pack.apply(hidden.transpose(1, 2).reshape(-1, channels), rows)
            packed = self.activation(self.norm(packed))
            packed = functional.linear(packed, second.weight[:, :, 0], second.bias)
            empty = packed.new_zeros(batch * frames, packed.shape[1])
            return empty.index_copy(0, rows, packed).view(batch, frames, -1)
        hidden = self.activation(self.norm(hidden)).transpose(1, 2)
        return functional.linear(hidden, second.weight[:, :, 0], second.bias)


class Attention(parakeet.ParakeetEncoderAttention):
    """transformers' relative attention, its positions projected once for the batch."""

    def forward(
        self,
        hidden_states: torch.Tensor,
        position_embeddings: torch.Tensor | None,
        attention_mask: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        assert position_embeddings is not None  # the encoder always makes them
        batch, frames, _ = hidden_states.shape
        shape = (batch, frames, -1, self.head_dim)
        query = self.q_proj(hidden_states).view(shape).transpose(1, 2)
        key = self.k_proj(hidden_states).view(shape).transpose(1, 2)
        value = self.v_proj(hidden_states).view(shape).transpose(1, 2)

        positions = self.relative_k_proj(position_embeddings[:1])
        positions = positions.view(1, -1, self.config.num_attention_heads, self.head_dim)
        bias = (query + self.bias_v[None, :, None]) @ positions.permute(0, 2, 3, 1)
        bias = self._rel_shift(bias)[..., :frames] * self.scaling
        if attention_mask is not None:
            bias = bias.masked_fill(attention_mask.logical_not(), torch.finfo(bias.dtype).min)
        query = query + self.bias_u[None, :, None]
        weights = torch.matmul(query * self.scaling, key.transpose(2, 3)).add_(bias).softmax(-1)
        weights = dropout(weights, self.attention_dropout, self.training)
        context = torch.matmul(weights, value).transpose(1, 2)
        return self.o_proj(context.reshape(batch, frames, -1)), weights


_REPLACEMENTS: dict[type[nn.Module], type[nn.Module]] = {
    parakeet.ParakeetEncoderFeedForward: FeedForward,
    parakeet.ParakeetEncoderConvolutionModule: FastConvolution,
    parakeet.ParakeetEncoderAttention: Attention,
}


def install_fastconformer(model: nn.Module) -> None:
    """Let every Parakeet layer in ``model`` compute as above; parameters stay as they are."""
    for module in model.modules():
        if replacement := _REPLACEMENTS.get(type(module)):
            module.__class__ = replacement
