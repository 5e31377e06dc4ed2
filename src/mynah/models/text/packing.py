"""Several texts in one row of a language model, one behind the other and without padding.

A row is computed as if each of its texts had one to itself: positions begin again with every
text, and attention does not look from one into another. What is packed so is what Krell et al.
2021 (arXiv 2107.02027) pack, with the same loss as without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mynah.models.text.token_loss import IGNORED

if TYPE_CHECKING:
    import torch

MASK = "mask"
"""A mask over the full row, whose blocks are the texts, through sdpa."""
VARLEN = "varlen"
"""The attention of each text by itself."""

LENGTHS = "sequence_lengths"  # of a packed batch: tokens of each text


def pack(rows: Sequence[tuple[Sequence[int], Sequence[int]]]) -> dict[str, torch.Tensor]:
    """One row of (what is given, what is learned) of each text.

    Returns:
        ``input_ids``, ``labels`` and ``position_ids``, int64 [1, tokens], and ``sequence_lengths``,
        int64 [texts].
    """
    import torch

    lengths = [len(given) + len(learned) for given, learned in rows]
    ids = [token for given, learned in rows for token in (*given, *learned)]
    labels = [label for given, learned in rows for label in (*[IGNORED] * len(given), *learned)]
    return {
        "input_ids": torch.tensor([ids], dtype=torch.long),
        "labels": torch.tensor([labels], dtype=torch.long),
        "position_ids": torch.cat([torch.arange(length) for length in lengths])[None],
        LENGTHS: torch.tensor(lengths),
    }


@dataclass(frozen=True)
class PackedTargets:
    """What of a packed row is learned.

    Attributes:
        labels: The targets of all texts, int64 [1, targets].
        before: The position before each, whose logits are of it, int64 [targets].
        owners: The text of each, int64 [targets].
        texts: How many texts there are.
    """

    labels: torch.Tensor
    before: torch.Tensor
    owners: torch.Tensor
    texts: int

    @classmethod
    def of(cls, batch: dict[str, torch.Tensor]) -> PackedTargets:
        """Of what :func:`pack` gave."""
        labels = batch["labels"][0]
        places = (labels != IGNORED).nonzero()[:, 0]
        return cls(
            labels[places][None], places - 1, _owners(batch[LENGTHS])[places], len(batch[LENGTHS])
        )

    def per_text(self, of_targets: torch.Tensor) -> torch.Tensor:
        """The sum over each text's targets, [texts], of a number for every target [1, targets]."""
        sums = of_targets.new_zeros(self.texts)
        return sums.index_add(0, self.owners, of_targets[0])


def attention_mask(lengths: torch.Tensor, how: str) -> torch.Tensor:
    """What a language model takes as the mask of a packed row.

    Args:
        lengths: Tokens of each text, [texts].
        how: :data:`MASK` or :data:`VARLEN`.

    Returns:
        bool [1, 1, tokens, tokens]; for :data:`VARLEN` the lengths, int32 [1, 1, 1, texts], which
        :mod:`mynah.models.text.packed_attention` reads: transformers hands a mask of four
        dimensions on as it is.
    """
    import torch

    if how == VARLEN:
        return lengths.to(torch.int32)[None, None, None]
    owners = _owners(lengths)
    return (owners[:, None] == owners).tril()[None, None]


def _owners(lengths: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
