"""Tokens that a language model did not know: their rows alone are trained.

The embedding and the head of the language model stay what they are, frozen or behind LoRA; the
new tokens' rows are parameters beside them. No gradient of the full vocabulary is made, and no
weight decay touches a row that is not new.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class NewTokens(nn.Module):
    """Rows of new tokens: one matrix where embedding and head are tied, otherwise two.

    Args:
        language_model: The causal language model (without peft around it); its embedding and
            head say how wide a row is.
        first: Id of the first new token; the others follow.
        count: How many there are.
    """

    def __init__(self, language_model: Any, first: int, count: int) -> None:
        super().__init__()
        self.first = first
        embedding, head = _ends(language_model)
        self.embedded = nn.Parameter(_middle(embedding.weight, first).repeat(count, 1))
        self.scored: nn.Parameter | None = None
        self.bias: nn.Parameter | None = None
        if not is_tied(language_model):
            self.scored = nn.Parameter(_middle(head.weight, first).repeat(count, 1))
        if getattr(head, "bias", None) is not None:
            self.bias = nn.Parameter(torch.zeros(count))

    def __len__(self) -> int:
        return len(self.embedded)

    @property
    def head(self) -> nn.Parameter:
        """The rows that score the new tokens, [count, width]."""
        return self.embedded if self.scored is None else self.scored

    def install(self, language_model: Any) -> None:
        """Let the language model read and write the new tokens."""
        embedding, head = _ends(language_model)
        if not isinstance(embedding, _Embedding):
            language_model.set_input_embeddings(_Embedding(embedding, self))
            language_model.set_output_embeddings(_Head(head, self))

    def remove(self, language_model: Any) -> None:
        """Give the language model its own embedding and head back."""
        embedding, head = _ends(language_model)
        if isinstance(embedding, _Embedding):
            language_model.set_input_embeddings(embedding.base)
            language_model.set_output_embeddings(head.base)

    @torch.no_grad()
    def settle(self, language_model: Any) -> None:
        """Write the rows into the language model itself, which may then be trained in full."""
        self.remove(language_model)
        last = self.first + len(self)
        if last > language_model.get_input_embeddings().num_embeddings:
            language_model.resize_token_embeddings(last, mean_resizing=False)
        embedding, head = _ends(language_model)
        embedding.weight[self.first : last] = self.embedded.to(embedding.weight)
        head.weight[self.first : last] = self.head.to(head.weight)
        if self.bias is not None:
            head.bias[self.first : last] = self.bias.to(head.bias)


class _Beside(nn.Module):
    """A layer with the new tokens' rows beside it, which belong to another module."""

    def __init__(self, base: nn.Module, tokens: NewTokens) -> None:
        super().__init__()
        self.base = base
        self._held = (tokens,)  # a module in a tuple is not a part of this one

    @property
    def tokens(self) -> NewTokens:
        return self._held[0]

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("base"), name)


class _Embedding(_Beside):
    """Token ids [...] to embeddings [..., width]."""

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        rows = ids - self.tokens.first
        known = self.base(ids.masked_fill(rows >= 0, 0))
        # Gemma's embedding scales what it looks up.
        scale = getattr(self.base, "embed_scale", 1.0)
        new = functional.embedding(rows.clamp(min=0), self.tokens.embedded) * scale
        return torch.where((rows >= 0)[..., None], new.to(known.dtype), known)


class _Head(_Beside):
    """Hidden states [..., width] to logits of the known tokens and of the new ones."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        tokens = self.tokens
        known = self.base(hidden)
        bias = None if tokens.bias is None else tokens.bias.to(hidden.dtype)
        new = functional.linear(hidden, tokens.head.to(hidden.dtype), bias).to(known.dtype)
        behind = known[..., tokens.first + len(tokens) :]
        return torch.cat([known[..., : tokens.first], new, behind], dim=-1)


def is_tied(language_model: Any) -> bool:
    """Whether the head scores with the embedding's own matrix."""
    embedding, head = _ends(language_model)
    return embedding.weight is head.weight


def _ends(language_model: Any) -> tuple[Any, Any]:
    return language_model.get_input_embeddings(), language_model.get_output_embeddings()


@torch.no_grad()
def _middle(weight: torch.Tensor, first: int) -> torch.Tensor:
    """The mean row of the tokens that are known: as likely as any (Hewitt 2021,
    https://nlp.stanford.edu/~johnhew/vocab-expansion.html), [1, width] in fp32."""
    return weight[:first].float().mean(0, keepdim=True)
