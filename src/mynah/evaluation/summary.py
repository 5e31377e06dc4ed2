"""What the console shows of an evaluation: the table of error rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mynah import console

if TYPE_CHECKING:
    from mynah.evaluation.evaluate import Evaluation


def console_summary(evaluations: Mapping[str, Evaluation]) -> None:
    """Print the table of error rates that ends a run, one row a split."""
    rows = []
    for name, evaluation in evaluations.items():
        s = evaluation.scores
        rows.append(
            [
                name,
                f"{s.utterances:,}",
                with_interval(s.wer, s.wer_low, s.wer_high),
                with_interval(s.cer, s.cer_low, s.cer_high),
                f"{s.substitutions}/{s.deletions}/{s.insertions}",
            ]
        )
    normalizers = sorted({e.scores.normalizer for e in evaluations.values()})
    console.table(
        f"Error rates with 95 % intervals, text normaliser {', '.join(normalizers)}",
        ["split", "utts", "WER %", "CER %", "S/D/I"],
        rows,
    )


def with_interval(rate: float, low: float, high: float) -> str:
    """``7.41 [6.02, 8.93]`` in per cent, or the rate alone where it has no interval.

    From ten per cent up one digit after the point: more would fit neither the table nor the
    interval's own precision.
    """
    if math.isnan(low) or math.isnan(high):
        return f"{100 * rate:.2f}"
    digits = 2 if high < 0.1 else 1
    return f"{100 * rate:.{digits}f} [{100 * low:.{digits}f}, {100 * high:.{digits}f}]"
