"""What the recordings of an evaluation measure: level, signal to noise, bandwidth."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mynah.data.signals.audio_scan import scan

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus
    from mynah.evaluation.evaluate import Evaluation

_KEPT = ("level_db", "snr_db", "bandwidth_hz")


def with_signals(evaluation: Evaluation, corpus: Corpus, cache: Path) -> Evaluation:
    """An evaluation whose hypotheses have what their recordings measure.

    Recordings are read once more for it, and what they measure is kept in the cache by their
    content, as ``mynah data inspect`` keeps it; one that cannot be read has no measurement.

    Args:
        evaluation: Of the corpus, one hypothesis a row.
        corpus: What was decoded.
        cache: The folder of prepared tables.

    Raises:
        UserError: The cache cannot be written.
    """
    found = scan(corpus, np.arange(len(corpus)), cache=cache, threads=os.cpu_count() or 1)
    facts = [found.facts[name] for name in _KEPT]
    hypotheses = [
        dataclasses.replace(
            one,
            measured={
                name: float(values[row])
                for name, values in zip(_KEPT, facts, strict=True)
                if not np.isnan(values[row])
            },
        )
        for row, one in enumerate(evaluation.hypotheses)
    ]
    return dataclasses.replace(evaluation, hypotheses=hypotheses)
