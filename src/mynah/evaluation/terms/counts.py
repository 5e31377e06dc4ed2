"""How often terms are recognized: recall, precision and error rate, each with its interval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mynah.errors import UserError
from mynah.evaluation.intervals.interval import NO_INTERVAL
from mynah.evaluation.metrics.edits import AlignedWord, EditRate, ratio, ratios
from mynah.evaluation.metrics.metric import Metric, Vector
from mynah.evaluation.normalize import get_normalizer
from mynah.evaluation.score import Measure, Scores, UtteranceScore, measures_of
from mynah.files import display_path

Term = tuple[str, ...]
Terms = Mapping[Term, Term]
"""Each form in which a term is compared, and the one that it is counted as: a term has several
where languages of a set write its capitals differently."""
_NAMED = 3


class _TermMetric(Metric):
    """One count of term statistics over another.

    Its vector is [found, said, recognized, wrong words, words]: terms that are both said and
    recognized, terms in the references, terms in the hypotheses, words of the references' terms
    that are wrong, and all of them.
    """

    version = "1"
    _over: tuple[int, int]

    @property
    def below(self) -> int:
        """The place of what it is a share of."""
        return self._over[1]

    def statistics(self, reference: str, hypothesis: str) -> Vector:
        raise NotImplementedError("terms are counted on an alignment")

    def value(self, total: Vector) -> float:
        return float(self.values(total[None])[0])

    def values(self, totals: NDArray[np.float64]) -> Vector:
        above, below = self._over
        return ratios(totals[:, above], totals[:, below])


class TermRecall(_TermMetric):
    """Of the terms that are said, the share that is recognized."""

    name, label, title = "term_recall", "recall", "recall of terms"
    greater_is_better, highest = True, 1.0
    _over = (0, 1)


class TermPrecision(_TermMetric):
    """Of the terms that are recognized, the share that was said there."""

    name, label, title = "term_precision", "precision", "precision of terms"
    greater_is_better, highest = True, 1.0
    _over = (0, 2)


class TermErrorRate(_TermMetric):
    """Of the words of terms that are said, the share that is wrong."""

    name, label, title = "term_error_rate", "words wrong", "error rate of the terms' words"
    greater_is_better = False
    _over = (3, 4)


TERM_METRICS: tuple[_TermMetric, ...] = (TermRecall(), TermPrecision(), TermErrorRate())


@dataclass(frozen=True)
class TermCount:
    """One term.

    Attributes:
        term: As it is compared, its words with spaces between.
        said: How often it is in the references.
        recognized: How often it is in the hypotheses.
        found: How often both, in the same place.
    """

    term: str
    said: int
    recognized: int
    found: int

    @property
    def missed(self) -> int:
        return self.said - self.found

    @property
    def recall(self) -> float:
        """NaN where it is never said."""
        return ratio(self.found, self.said) if self.said else float("nan")


@dataclass(frozen=True)
class TermScores:
    """All terms on one set of utterances.

    Attributes:
        measures: Recall, precision and error rate with their intervals, by name.
        terms: Each term, those missed most often first.
    """

    measures: dict[str, Measure]
    terms: Sequence[TermCount]

    @property
    def said(self) -> int:
        """How often any of them is in the references."""
        return sum(one.said for one in self.terms)

    @property
    def never_said(self) -> list[str]:
        """Terms that are in no reference."""
        return [one.term for one in self.terms if not one.said]


def read_terms(path: Path, normalizer: str, unit: EditRate, languages: Iterable[str] = ()) -> Terms:
    """The terms of a file, a term a line, as they are compared.

    Args:
        path: The file.
        normalizer: Name of the text normaliser.
        unit: What errors are counted in.
        languages: ISO 639-1 codes of the utterances that are scored, "" where one is not known.

    Raises:
        UserError: It cannot be read, holds none, or one that normalising leaves nothing of.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is not UTF-8"
        raise UserError(f"The terms cannot be read: {reason}.", where=display_path(path)) from None
    normalize = get_normalizer(normalizer)
    differing = normalize.differing(languages)
    found: dict[Term, Term] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        forms = [tuple(unit.units(normalize(line, language))) for language in differing]
        if not all(forms):
            raise UserError(
                f"Normalising leaves nothing of the term {line.strip()!r}.",
                where=f"{display_path(path)}, line {number}",
                fix="--normalizer none compares texts as they are written",
            )
        for form in forms:
            found.setdefault(form, found.get(forms[0], forms[0]))
    if not found:
        raise UserError(
            "There is no term in it.", where=display_path(path), fix="write a term a line"
        )
    return found


def score_terms(scores: Scores, terms: Terms) -> TermScores:
    """Recall, precision and error rate of terms, over all of a set's utterances.

    A term is found where all its words are right and nothing stands between them.

    Args:
        scores: Of the set.
        terms: See :func:`read_terms`.

    Where no term is in any reference, recall and error rate are not defined.
    """
    counts = {term: Counter[str]() for term in terms.values()}
    longest = max(map(len, terms))
    vectors = [_count(row, terms, counts, longest) for row in scores.per_utterance]
    statistics = np.array(vectors, dtype=np.float64)
    measures = measures_of(
        [(metric, statistics) for metric in TERM_METRICS],
        [row.speaker for row in scores.per_utterance],
        samples=scores.bootstrap_samples,
        seed=scores.bootstrap_seed,
    )
    for metric in TERM_METRICS:
        if not statistics[:, metric.below].any():  # a share of nothing is undefined
            measures[metric.name] = replace(
                measures[metric.name], value=math.nan, by_utterance=NO_INTERVAL, by_speaker=None
            )
    found = [
        TermCount(" ".join(term), one["said"], one["recognized"], one["found"])
        for term, one in counts.items()
    ]
    return TermScores(measures, sorted(found, key=lambda one: (-one.missed, one.term)))


def _count(
    row: UtteranceScore, terms: Terms, counts: Mapping[Term, Counter[str]], longest: int
) -> list[int]:
    """One utterance's [found, said, recognized, wrong words, words]; adds to each term's counts."""
    reference = row.unit.units(row.reference)
    hypothesis = row.unit.units(row.hypothesis)
    said = _places(reference, terms, longest)
    recognized = _places(hypothesis, terms, longest)
    for _, term in recognized:
        counts[terms[term]]["recognized"] += 1
    if not said:
        return [0, 0, len(recognized), 0, 0]
    steps = _steps_of_reference(row.alignment)
    found = wrong = words = 0
    for start, term in said:
        own = steps[start : start + len(term)]
        errors = sum(step.operation != "equal" for _, step in own)
        together = own[-1][0] - own[0][0] == len(term) - 1
        counts[terms[term]]["said"] += 1
        if not errors and together:
            counts[terms[term]]["found"] += 1
            found += 1
        wrong += errors
        words += len(term)
    return [found, len(said), len(recognized), wrong, words]


def _places(words: Sequence[str], terms: Terms, longest: int) -> list[tuple[int, Term]]:
    """Where terms begin, the longest of each place, none inside another."""
    found = []
    start = 0
    while start < len(words):
        for length in range(min(longest, len(words) - start), 0, -1):
            term = tuple(words[start : start + length])
            if term in terms:
                found.append((start, term))
                start += length
                break
        else:
            start += 1
    return found


def _steps_of_reference(alignment: Sequence[AlignedWord]) -> list[tuple[int, AlignedWord]]:
    """The step of each word of the reference, with its position among all steps."""
    return [
        (position, step) for position, step in enumerate(alignment) if step.operation != "insert"
    ]


def none_is_said(found: TermScores, where: str) -> UserError:
    """What to say where no term is in any reference."""
    named = ", ".join(repr(one.term) for one in found.terms[:_NAMED])
    return UserError(
        f"None of the {len(found.terms):,} terms is in any reference, as {named}.",
        where=where,
        fix="look at how the references write them; names are compared as normalised",
    )
