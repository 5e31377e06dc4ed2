"""Greedy decoding of CTC: the best label of each frame, Graves et al. 2006, section 3.2."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mynah.models.text.generated import largest_log_probability
from mynah.models.text.word_times import Path

if TYPE_CHECKING:
    import torch


def best_paths(logits: torch.Tensor, frames: Sequence[int], *, blank: int) -> list[Path]:
    """The labels of each utterance: repeats are joined first, and blanks dropped then.

    Args:
        logits: [batch, frames, labels], not normalized.
        frames: How many frames of each utterance are not padding.
        blank: The label that writes nothing and parts equal ones.
    """
    best = logits.argmax(-1).cpu().tolist()
    scores = largest_log_probability(logits).cpu().double().tolist()
    return [
        _path(row[:length], steps[:length], blank)
        for row, steps, length in zip(best, scores, frames, strict=True)
    ]


def _path(labels: Sequence[int], steps: Sequence[float], blank: int) -> Path:
    tokens, spans, scores, start = [], [], [], 0
    for label, run in itertools.groupby(labels):
        behind = start + len(list(run))
        if label != blank:
            tokens.append(label)
            spans.append((start, behind))
            scores.append(max(steps[start:behind]))
        start = behind
    return Path(tuple(tokens), tuple(spans), sum(steps), tuple(scores))
