"""The file of terms, looked at before anything is spent."""

from __future__ import annotations

from pathlib import Path

from mynah.config.schema import Config
from mynah.evaluation.metrics.word_error_rate import WordErrorRate
from mynah.evaluation.terms.counts import read_terms


def check_terms(config: Config) -> None:
    """
    Raises:
        UserError: ``evaluation.terms`` cannot be read, holds no term, or one that normalising
            leaves nothing of.
    """
    if config.evaluation.terms is not None:
        read_terms(Path(config.evaluation.terms), config.evaluation.normalizer, WordErrorRate())
