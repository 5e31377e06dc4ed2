"""What a decoder writes token by token, with the probability of its steps."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Generated:
    """The tokens of one clip.

    Attributes:
        tokens: Token ids, without prompt, end and padding.
        log_probability: Natural logarithm of their probability, that of the end included where
            it was reached; None where they were not found greedily.
        is_cut: Whether there are as many as may be written, and no end.
    """

    tokens: tuple[int, ...]
    log_probability: float | None
    is_cut: bool = False


class GreedyScores:
    """Log probabilities of what transformers' greedy generation takes, step by step.

    A logits processor that changes nothing: the last one, it sees the scores that the largest
    is taken of. What generation would keep instead is the scores of the full vocabulary.
    """

    def __init__(self) -> None:
        self._steps: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self._steps.append(largest_log_probability(scores))
        return scores

    def generated(
        self, rows: Sequence[Sequence[int]], ends: Collection[int], most: int
    ) -> list[Generated]:
        """The tokens of each row that was generated, up to its end.

        Args:
            rows: Token ids that follow the prompt, [batch][steps].
            ends: Tokens that end a transcript.
            most: How many may be written.
        """
        import torch

        steps = torch.stack(self._steps, dim=1).cpu().double().tolist() if self._steps else []
        found = []
        for row, scores in zip(rows, steps or [[]] * len(rows), strict=True):
            tokens = until_end(row, ends)
            steps_taken = min(len(tokens) + 1, len(row))  # a row that was cut has no end
            found.append(Generated(tokens, sum(scores[:steps_taken]), len(tokens) >= most))
        return found


def until_end(row: Sequence[int], ends: Collection[int]) -> tuple[int, ...]:
    """Token ids before the first that ends a transcript."""
    return tuple(itertools.takewhile(lambda token: token not in ends, row))


def largest_log_probability(scores: torch.Tensor) -> torch.Tensor:
    """Log probability of the likeliest of all, [...], from scores [..., choices], in fp32."""
    values = scores.float()
    return values.amax(-1) - values.logsumexp(-1)
