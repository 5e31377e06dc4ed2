"""BLEU of translations, sacrebleu's.

Papineni et al. 2002; Post 2018, "A call for clarity in reporting BLEU scores".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mynah.config.options import option
from mynah.errors import UserError
from mynah.evaluation.metrics.metric import Vector
from mynah.evaluation.metrics.translation import TranslationMetric

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU

_ORDER = 4  # words of the longest n-grams
_TOKENIZERS = (
    "13a", "none", "zh", "intl", "char", "ja-mecab", "ko-mecab", "flores101", "flores200",
)  # fmt: skip


@dataclass(frozen=True)
class BleuOptions:
    """Settings of ``evaluation.options.bleu``.

    Attributes:
        tokenize: sacrebleu's tokenizer.
        lowercase: Whether case counts for nothing.
    """

    tokenize: str = option("13a", "sacrebleu's tokenizer", choices=_TOKENIZERS)
    lowercase: bool = False


class Bleu(TranslationMetric):
    """BLEU of the set, 0 to 100: the value is that of ``sacrebleu.corpus_bleu``.

    Its vector is [hypothesis's words, reference's words, matches of 4 orders, n-grams of 4
    orders].
    """

    name = "bleu"
    label = "BLEU"
    title = "BLEU"
    Options = BleuOptions

    def load(self) -> None:
        try:
            self._scorer.sentence_score("a", ["a"])
        except Exception as problem:  # a package of the tokenizer, or its model on the network
            raise UserError(
                f"BLEU's tokenizer cannot be loaded: {' '.join(str(problem).split())}",
                where="evaluation.options.bleu.tokenize",
                fix="install what it asks for, or evaluation.options.bleu.tokenize=13a",
            ) from problem

    def statistics(self, reference: str, hypothesis: str) -> Vector:
        score = self._scorer.sentence_score(hypothesis, [reference])
        return np.array(
            [score.sys_len, score.ref_len, *score.counts, *score.totals], dtype=np.float64
        )

    def value(self, total: Vector) -> float:
        numbers = [round(number) for number in total.tolist()]
        score = self._scorer.compute_bleu(
            correct=numbers[2 : 2 + _ORDER],
            total=numbers[2 + _ORDER :],
            sys_len=numbers[0],
            ref_len=numbers[1],
            smooth_method="exp",
        )
        return float(score.score)

    @cached_property
    def _scorer(self) -> BLEU:
        from sacrebleu.metrics.bleu import BLEU

        options = self.options if isinstance(self.options, BleuOptions) else BleuOptions()
        # The effective order is of a sentence's own score, which is not used: the counts are.
        return BLEU(tokenize=options.tokenize, lowercase=options.lowercase, effective_order=True)
