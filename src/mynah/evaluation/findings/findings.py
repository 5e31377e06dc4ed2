"""All that is found in one evaluation beside its rates."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mynah.evaluation.findings.confusions import Confusion, systematic
from mynah.evaluation.findings.training_words import TrainingWords
from mynah.evaluation.findings.vocabulary import OutOfVocabulary, Side, out_of_vocabulary
from mynah.evaluation.groups.rates import AllGroups, all_groups
from mynah.evaluation.groups.record import groups_record
from mynah.evaluation.normalize import get_normalizer
from mynah.evaluation.oddities.rates import Oddity, oddities
from mynah.evaluation.terms.counts import Terms, TermScores, score_terms
from mynah.evaluation.terms.shown import terms_record

if TYPE_CHECKING:
    from mynah.evaluation.hypothesis import Hypothesis
    from mynah.evaluation.score import Scores

_CONFUSIONS = 100


@dataclass(frozen=True)
class Findings:
    """What is found in the utterances of a set.

    Attributes:
        groups: Rates by everything that is known of them.
        oddities: Hypotheses that are wrong in kind.
        confusions: Those that matter.
        vocabulary: Words that training never had, apart; None: its words are not known.
        terms: Words that matter; None: none were given.
        no_vocabulary: Why training's words are known and yet not compared; "": they are.
    """

    groups: AllGroups
    oddities: Sequence[Oddity]
    confusions: Sequence[Confusion]
    vocabulary: OutOfVocabulary | None = None
    terms: TermScores | None = None
    no_vocabulary: str = ""


def findings(
    hypotheses: Sequence[Hypothesis],
    scores: Scores,
    *,
    trained_on: TrainingWords | None = None,
    terms: Terms | None = None,
) -> Findings:
    """Look for all of it.

    Args:
        hypotheses: Of the set.
        scores: Of the same utterances in the same order.
        trained_on: Words of the training's transcripts; None: not known.
        terms: Words that matter (:func:`mynah.evaluation.terms.counts.read_terms`).
    """
    vocabulary, no_vocabulary = None, ""
    if trained_on is not None and trained_on.as_written:
        normalize = get_normalizer(scores.normalizer.partition("@")[0])
        languages = {one.language for one in hypotheses}
        words = trained_on.compared(normalize, languages, scores.unit)
        if words is not None:
            vocabulary = out_of_vocabulary(scores, words)
        else:
            no_vocabulary = (
                f"Words that training never had are not counted apart: {normalize.identity} looks "
                "at several words at once, and of the training single words are kept. "
                "--vocabulary of mynah score takes a file of its transcripts"
            )
    return Findings(
        groups=all_groups(hypotheses, scores),
        oddities=oddities(scores.per_utterance),
        confusions=systematic(scores.per_utterance, _CONFUSIONS),
        vocabulary=vocabulary,
        terms=None if terms is None else score_terms(scores, terms),
        no_vocabulary=no_vocabulary,
    )


def findings_record(found: Findings) -> dict[str, Any]:
    """All of it as data."""
    return {
        "groups": groups_record(found.groups),
        "not_groups": list(found.groups.not_groups),
        "wrong_in_kind": oddities_record(found.oddities),
        "systematic_confusions": [
            {**dataclasses.asdict(one), "share": one.share} for one in found.confusions
        ],
        "out_of_vocabulary": None if found.vocabulary is None else _vocabulary(found.vocabulary),
        "terms": None if found.terms is None else terms_record(found.terms),
    }


def oddities_record(found: Sequence[Oddity]) -> dict[str, dict[str, Any]]:
    """How many hypotheses are wrong in kind, by kind."""
    return {
        one.name: {
            "count": one.count,
            "of": one.of,
            "rate": one.rate,
            "low": one.low,
            "high": one.high,
            "first": one.first,
        }
        for one in found
    }


def _vocabulary(found: OutOfVocabulary) -> dict[str, Any]:
    return {
        "vocabulary": found.vocabulary,
        "inside": _side(found.inside),
        "outside": _side(found.outside),
        "most_missed": [
            {"word": word, "said": said, "wrong": wrong}
            for word, said, wrong in found.most_missed[:_CONFUSIONS]
        ],
    }


def _side(one: Side) -> dict[str, Any]:
    return {"words": one.words, "wrong": one.wrong, **dataclasses.asdict(one.rate)}
