"""Rows where a model and the transcript disagree most: wrong labels stand out among them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mynah.evaluation.evaluate import Evaluation, evaluate_split

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.corpus import Corpus
    from mynah.models.family import Family

WEAK = 0.5  # word error rate
MORE_THAN_USUAL = 3.0  # standard deviations above the split's own error rate


@dataclass(frozen=True)
class Disagreement:
    """What a model recognized in some rows of a split.

    Attributes:
        rows: Which rows were decoded, ascending, [n].
        evaluation: Their scores and hypotheses, in that order.
        excess: For each, how many standard deviations its character errors lie above what the
            rate of all of them gives a transcript of its length, [n].
    """

    rows: np.ndarray
    evaluation: Evaluation = field(repr=False)
    excess: np.ndarray = field(repr=False)

    @property
    def order(self) -> np.ndarray:
        """Positions in :attr:`rows`, those that disagree most first."""
        return np.argsort(-self.excess, kind="stable")

    @property
    def is_weak(self) -> bool:
        """Whether the model is wrong so often that its disagreement says little."""
        return self.evaluation.scores.error_rate > WEAK

    @property
    def striking(self) -> int:
        """Rows further above the usual than :data:`MORE_THAN_USUAL`."""
        return int((self.excess > MORE_THAN_USUAL).sum())


def disagreement(family: Family, corpus: Corpus, rows: np.ndarray, config: Config) -> Disagreement:
    """Decode some rows of a split and compare with their transcripts.

    Raises:
        UserError: Not one of them can be read, or none of the transcripts has a word.
    """
    part = corpus if len(rows) == len(corpus) else corpus.select(rows)
    found = evaluate_split(family, part, config, description=f"decoding {corpus.name}")
    edits = np.array([row.character_errors for row in found.scores.per_utterance], dtype=float)
    lengths = np.array(
        [max(row.characters, len(row.hypothesis)) for row in found.scores.per_utterance],
        dtype=float,
    )
    return Disagreement(rows, found, excess_errors(edits, lengths))


def excess_errors(edits: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Errors above the expected, in standard deviations of a binomial count, [n].

    A short transcript that is all wrong says less than a long one; the rate alone would put
    every one-word utterance first.

    Args:
        edits: Character errors, [n].
        lengths: Characters that could be wrong, [n].
    """
    lengths = np.maximum(lengths, 1.0)
    rate = float(np.clip(edits.sum() / lengths.sum(), 0.01, 0.95)) if len(edits) else 0.5
    return (edits - rate * lengths) / np.sqrt(lengths * rate * (1 - rate))
