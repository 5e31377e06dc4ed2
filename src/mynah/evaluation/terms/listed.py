"""The file of terms, looked at before anything is spent."""

from __future__ import annotations

from pathlib import Path

from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.evaluation.metrics.word_error_rate import WordErrorRate
from mynah.evaluation.terms.counts import read_terms


def check_terms(config: Config) -> None:
    """
    Raises:
        UserError: ``evaluation.terms`` cannot be read, holds no term, or one that normalising
            leaves nothing of.
    """
    file, normalizer = config.evaluation.terms, config.evaluation.normalizer
    if file is None:
        return
    try:
        read_terms(Path(file), normalizer, WordErrorRate())
    except UserError as problem:
        problem.where = f"evaluation.terms, {problem.where}"
        if problem.fix and problem.fix.startswith("--normalizer"):
            problem.fix = "evaluation.normalizer=none compares texts as they are written"
        raise
