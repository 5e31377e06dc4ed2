"""The attention of a language model to rows that hold several texts.

Through transformers' AttentionInterface; on CUDA by torch's kernel for texts of different lengths
(https://docs.pytorch.org/docs/stable/nn.attention.varlen.html), which computes in half precision.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mynah.errors import UserError
from mynah.models.text.packing import MASK, VARLEN

if TYPE_CHECKING:
    import torch

_NAME = "mynah_packed"  # of the attention, among transformers'


def check(config: Any, how: str, name: str) -> None:
    """See that a causal language model computes packed rows, as far as its configuration tells.

    Args:
        config: Its configuration, or that of the model that it is a part of.
        how: ``training.sequence_packing``.
        name: What it is called in a message.

    Raises:
        UserError: It looks at a row in another way than by the attention of every token to all
            before it.
    """
    own = config.get_text_config(decoder=True)
    if (reason := _problem(own)) is not None:
        raise UserError(
            f"{name} ({own.model_type}) cannot compute rows of several utterances: {reason}.",
            where=f"training.sequence_packing={how}",
            fix="leave training.sequence_packing out",
        )


def _problem(config: Any) -> str | None:
    """Why texts in one row of a language model would not be computed as by themselves, or None."""
    others = sorted(set(getattr(config, "layer_types", None) or ()) - {"full_attention"})
    if others:
        return f"it has layers of another kind than full attention ({', '.join(others)})"
    if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        return f"its attention reaches over a window of {config.sliding_window} tokens"
    return None


def prepare(model: Any, decoders: Sequence[Any], how: str, name: str) -> None:
    """Let a causal language model compute packed rows.

    Args:
        model: Of transformers, without what LoRA puts around it.
        decoders: The modules that its language model consists of.
        how: ``training.sequence_packing``.
        name: What it is called in a message.

    Raises:
        UserError: As :func:`check`, or it computes attention by another kernel.
    """
    from transformers import PreTrainedModel

    check(model.config, how, name)
    if "position_ids" not in inspect.signature(model.forward).parameters:
        raise UserError(
            f"{name} ({model.config.model_type}) cannot be given the positions of its tokens, "
            "which begin again with every utterance of a row.",
            where=f"training.sequence_packing={how}",
            fix="leave training.sequence_packing out",
        )
    used = model.config.get_text_config(decoder=True)._attn_implementation
    if used not in ("sdpa", _NAME):
        raise UserError(
            f"Rows of several utterances are computed by sdpa, and {name} computes attention by "
            f"{used}.",
            where=f"training.sequence_packing={how}",
            fix="model.attn_implementation=sdpa, or leave training.sequence_packing out",
        )
    if how != VARLEN:
        return
    if next(model.parameters()).is_cuda and not _has_kernel():
        raise UserError(
            "This version of torch has no kernel that takes texts of different lengths and groups "
            "of heads: torch 2.13 has.",
            where=f"training.sequence_packing={how}",
            fix=f"training.sequence_packing={MASK}",
        )
    _register()
    language_models = [one for one in decoders if isinstance(one, PreTrainedModel)]
    for one in language_models or [model]:
        one.set_attn_implementation(_NAME)
    if model.config.get_text_config(decoder=True)._attn_implementation != _NAME:
        raise UserError(
            f"{name} takes no attention but its own.",
            where=f"training.sequence_packing={how}",
            fix=f"training.sequence_packing={MASK}",
        )


def _has_kernel() -> bool:
    from torch.nn.attention.varlen import varlen_attn

    wanted = {"scale", "window_size", "enable_gqa"}
    return wanted <= set(inspect.signature(varlen_attn).parameters)


def _register() -> None:
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    AttentionInterface.register(_NAME, _attend)
    AttentionMaskInterface.register(_NAME, sdpa_mask)  # of rows that are not packed


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Attention as transformers asks for it; of a packed row, whose mask is integers, by text.

    Args:
        module: The layer.
        query: [batch, heads, tokens, width].
        key: [batch, heads or a fraction of them, tokens, width].
        value: Likewise.
        attention_mask: The lengths of a packed row's texts, int32 [1, 1, 1, texts], or a mask.
        scaling: Of the products; None: one over the root of the width.
        dropout: Share of the weights of attention that are dropped.
        others: Of sdpa.

    Returns:
        [batch, tokens, heads, width], and None.
    """
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if attention_mask is None or attention_mask.dtype != torch.int32:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **others
        )
    lengths = attention_mask.flatten()
    half = _half(value) if query.is_cuda and not dropout else None
    if half is not None:
        return _kernel(query, key, value, lengths, scaling, half), None
    texts = zip(*(one.split(lengths.tolist(), dim=2) for one in (query, key, value)), strict=True)
    return torch.cat(list(_each(texts, scaling, dropout)), dim=2).transpose(1, 2), None


def _each(
    texts: Iterator[tuple[torch.Tensor, ...]], scaling: float | None, dropout: float
) -> Iterator[torch.Tensor]:
    from torch.nn.functional import scaled_dot_product_attention

    for query, key, value in texts:
        yield scaled_dot_product_attention(
            query, key, value, dropout_p=dropout, is_causal=True, scale=scaling, enable_gqa=True
        )


def _kernel(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    lengths: torch.Tensor,
    scaling: float | None,
    dtype: torch.dtype,
) -> torch.Tensor:
    """The same by torch's kernel, [1, tokens, heads, width]."""
    import torch
    from torch.nn.attention.varlen import varlen_attn

    ends = torch.nn.functional.pad(lengths.cumsum(0), (1, 0)).to(torch.int32)
    longest = int(lengths.max())
    said = [one[0].transpose(0, 1).to(dtype) for one in (query, key, value)]
    attend: Any = varlen_attn
    found: torch.Tensor = attend(
        *said, ends, ends, longest, longest, scale=scaling, window_size=(-1, 0), enable_gqa=True
    )
    return found[None].to(query.dtype)


def _half(tensor: torch.Tensor) -> torch.dtype | None:
    """The half precision that attention is computed in; None: it is computed in full."""
    import torch

    halves = (torch.bfloat16, torch.float16)
    if torch.is_autocast_enabled(tensor.device.type):
        dtype = torch.get_autocast_dtype(tensor.device.type)
    else:
        dtype = tensor.dtype
    return dtype if dtype in halves else None
