"""Layers of transformers that take padding for speech, given where each clip ends.

A convolution that reaches over a clip's end sees zeros there where the clip is alone, and
something else where it is padded for a longer neighbour; a norm over a clip's frames, or one
that is trained on a batch's, takes padded frames into its statistics. Fixed are the group norm
of wav2vec2 and its relatives, the conformer of wav2vec2, data2vec's positional convolutions,
w2v-BERT's adapter, SEW, LASR and Granite Speech 5 (Parakeet: fastconformer.py), and of
sequence-to-sequence models both Moonshines and Speech2Text. transformers' modules are kept,
weights, names and all: only a forward pass with a mask changes, to what it is without padding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers.models.moonshine_streaming import modeling_moonshine_streaming as streaming


def _real(lengths: torch.Tensor, frames: int) -> torch.Tensor:
    """Which of ``frames`` frames are none of padding, bool [batch, frames]."""
    return torch.arange(frames, device=lengths.device) < lengths[:, None]


class PaddedConvolution(nn.Conv1d):
    """A convolution to which what lies behind a clip is zeros."""

    lengths: torch.Tensor | None = None  # frames of each clip, [batch]; None: no padding

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if self.lengths is not None:
            input = input * _real(self.lengths, input.shape[2])[:, None]
        return super().forward(input)


class GroupNorm(nn.GroupNorm):
    """A group norm whose statistics are those of the clip, clip by clip."""

    lengths: torch.Tensor | None = None

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        frames = input.shape[2]
        if self.lengths is None or bool((self.lengths == frames).all()):
            return super().forward(input)
        rows = []
        for row, length in zip(input.split(1), self.lengths.clamp(min=1).tolist(), strict=True):
            rows.append(functional.pad(super().forward(row[..., :length]), (0, frames - length)))
        return torch.cat(rows)


class BatchNorm(nn.BatchNorm1d):
    """A BatchNorm that is trained on the statistics of real frames."""

    lengths: torch.Tensor | None = None

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or self.lengths is None:
            return super().forward(input)
        batch, channels, frames = input.shape
        rows = _real(self.lengths, frames).reshape(-1).nonzero()[:, 0]
        packed = input.transpose(1, 2).reshape(-1, channels).index_select(0, rows)
        packed = super().forward(packed)
        empty = packed.new_zeros(batch * frames, channels)
        return empty.index_copy(0, rows, packed).view(batch, frames, channels).transpose(1, 2)


class CausalConvolution(streaming.MoonshineStreamingCausalConv1d):
    """Moonshine's, whose mask counts no frame behind the last that a clip has alone."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> Any:
        x, _ = super().forward(x)
        if mask is None:
            return x, None
        real = _real((mask.sum(-1) - 1) // self.stride[0] + 1, x.shape[2])
        return x * real[:, None], real


_AWARE: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: PaddedConvolution,
    nn.GroupNorm: GroupNorm,
    nn.BatchNorm1d: BatchNorm,
}


def _set_lengths(module: nn.Module, lengths: torch.Tensor | None) -> None:
    for part in module.modules():
        if isinstance(part, tuple(_AWARE.values())):  # fully_shard makes classes of its own of them
            part.lengths = lengths  # type: ignore[assignment]


def _lengths(arguments: tuple[Any, ...], named: dict[str, Any]) -> torch.Tensor | None:
    """Lengths by the mask, which is the second argument of all that is hooked here."""
    mask = named.get("attention_mask", arguments[1] if len(arguments) > 1 else None)
    return None if mask is None else mask.sum(-1)


def _set_all(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    _set_lengths(module, _lengths(arguments, named))


def _set_first_norm(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    """wav2vec2's only group norm follows its first convolution, over samples."""
    first = module.feature_extractor.conv_layers[0]
    lengths = _lengths(arguments, named)
    if lengths is not None:
        lengths = (lengths - first.conv.kernel_size[0]) // first.conv.stride[0] + 1
    _set_lengths(first, lengths)


def _set_adapter(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Each layer of w2v-BERT's adapter has fewer frames than the one before."""
    lengths = _lengths(arguments, named)
    for layer in module.layers:
        _set_lengths(layer, lengths)
        lengths = module._compute_sub_sample_lengths_from_attention_mask(lengths)


def _set_halved(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Each of Speech2Text's convolutions makes half as many frames."""
    lengths = _lengths(arguments, named)
    for layer in module.conv.conv_layers:
        _set_lengths(layer, lengths)
        lengths = None if lengths is None else (lengths - 1) // 2 + 1


def _set_moonshine(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Its norm follows the first of three convolutions. Of its mask every 384th sample counts,
    which alone would be up to two frames more than the convolutions make of a clip."""
    lengths, stride = _lengths(arguments, named), 1
    _set_lengths(module.groupnorm, None)
    if lengths is None:
        return None
    for convolution in (module.conv1, module.conv2, module.conv3):
        stride *= convolution.stride[0]
        lengths = (lengths - convolution.kernel_size[0]) // convolution.stride[0] + 1
        if convolution is module.conv1:
            _set_lengths(module.groupnorm, lengths)
    samples = named["input_values"] if "input_values" in named else arguments[0]
    mask = _real((lengths - 1) * stride + 1, samples.shape[-1])
    return arguments[:1], named | {"attention_mask": mask}


def _set_subsampled(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    lengths = _lengths(arguments, named)
    _set_lengths(
        module, None if lengths is None else module._get_subsampling_output_length(lengths)
    )


def _set_strided(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    lengths = _lengths(arguments, named)
    _set_lengths(
        module.norm, None if lengths is None else lengths // module.depthwise_conv.stride[0]
    )


def _fold_whole_groups(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """SEW folds frames, leaves out what remains at the end of a clip, and unfolds them again.

    Of a padded clip it would fold the remainder with padding. It is given full groups alone;
    but for its positional convolution, which takes the remainder too.
    """
    lengths = _lengths(arguments, named)
    if lengths is None:
        return None
    hidden, frames = arguments[0], arguments[0].shape[1]
    module.pos_conv_embed.remainder = hidden * _real(lengths, frames)[..., None]
    module.folded = lengths - lengths % module.config.squeeze_factor
    return arguments[:1], named | {"attention_mask": _real(module.folded, frames)}


def _take_remainder(module: Any, arguments: tuple[Any, ...]) -> Any:
    remainder, module.remainder = module.remainder, None
    return arguments if remainder is None else (remainder.transpose(1, 2),)


def _leave_remainder_out(module: Any, arguments: tuple[Any, ...], output: Any) -> Any:
    folded, module.folded = module.folded, None
    if folded is not None:
        hidden = output.last_hidden_state
        output.last_hidden_state = hidden * _real(folded, hidden.shape[1])[..., None]
    return output


def _install_folding(encoder: Any) -> None:
    if hasattr(encoder, "folded"):
        return
    encoder.folded = encoder.pos_conv_embed.remainder = None
    encoder.register_forward_pre_hook(_fold_whole_groups, with_kwargs=True)
    encoder.pos_conv_embed.register_forward_pre_hook(_take_remainder)
    encoder.register_forward_hook(_leave_remainder_out)


# Whose first convolution has a norm over the samples of a clip, where feat_extract_norm=group.
_NORMED_FIRST = (
    "HubertModel", "SEWDModel", "SEWModel", "UniSpeechModel",
    "UniSpeechSatModel", "Wav2Vec2ConformerModel", "Wav2Vec2Model", "WavLMModel",
)  # fmt: skip
_HUBERT_POSITIONS = ("pos_conv_embed.batch_norm", "pos_conv_embed.conv")

# By the name of transformers' class: its hook, and the endings of the paths that get lengths.
_Hook = Callable[[Any, tuple[Any, ...], dict[str, Any]], None]
_HOOKS: dict[str, tuple[_Hook, tuple[str, ...]]] = {
    "Wav2Vec2ConformerEncoder": (_set_all, (".depthwise_conv", ".batch_norm")),
    "Data2VecAudioEncoder": (_set_all, (".conv",)),
    # Where a config asks for a batch norm before it (conv_pos_batch_norm); else neither has it.
    "HubertEncoder": (_set_all, _HUBERT_POSITIONS),
    "HubertEncoderStableLayerNorm": (_set_all, _HUBERT_POSITIONS),
    "Wav2Vec2BertAdapter": (_set_adapter, ("residual_conv", "self_attn_conv")),
    "Speech2TextEncoder": (_set_halved, ("conv_layers.0", "conv_layers.1")),
    "MoonshineEncoder": (_set_moonshine, ("groupnorm",)),
    "LasrEncoder": (_set_subsampled, (".conv.norm",)),
    "GraniteSpeech5EncoderConvolutionModule": (_set_strided, ("norm",)),
    **dict.fromkeys(
        _NORMED_FIRST, (_set_first_norm, ("feature_extractor.conv_layers.0.layer_norm",))
    ),
}
_FOLDING = ("SEWEncoder", "SEWDEncoder")


def install_padding(model: nn.Module) -> None:
    """Let the layers in ``model`` compute as above; parameters stay as they are."""
    for module in list(model.modules()):
        if type(module) is streaming.MoonshineStreamingCausalConv1d:
            module.__class__ = CausalConvolution
        if type(module).__name__ in _FOLDING:
            _install_folding(module)
        rule = _rule(module)
        if rule is None:
            continue
        hook, endings = rule
        aware = [
            part
            for path, part in module.named_modules()
            if type(part) in _AWARE and path.endswith(endings)
        ]
        for part in aware:
            part.__class__ = _AWARE[type(part)]
        if aware:
            module.register_forward_pre_hook(hook, with_kwargs=True)


def _rule(module: nn.Module) -> tuple[_Hook, tuple[str, ...]] | None:
    """The rule of a module's class, or of the class that it inherits; None: it needs none."""
    names = (kind.__name__ for kind in type(module).__mro__)
    return next((_HOOKS[name] for name in names if name in _HOOKS), None)
