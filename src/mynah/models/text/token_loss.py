"""The loss of models that write token by token: cross-entropy over what is to be learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mynah.models.family import LossSum

if TYPE_CHECKING:
    import torch

IGNORED = -100  # label of a position that is not a target, as everywhere in transformers


def token_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood of each target, 0 where there is none, in fp32 at least.

    Args:
        logits: [batch, tokens, vocabulary].
        targets: Token ids, or :data:`IGNORED`, int64 [batch, tokens].

    Returns:
        [batch, tokens].
    """
    import torch

    dtype = torch.promote_types(logits.dtype, torch.float32)
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1).to(dtype),
        targets.flatten(),
        ignore_index=IGNORED,
        reduction="none",
    ).view(targets.shape)


def token_loss(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> LossSum:
    """The undivided loss of a batch.

    Args:
        logits: As :func:`token_losses` takes them.
        targets: The same.
        weights: What each target of an utterance counts, [batch].
    """
    losses = token_losses(logits, targets)
    each = weights.to(losses)[:, None]
    counted = (targets != IGNORED).to(losses) * each
    return LossSum(total=(losses * each).sum(), count=counted.sum())
