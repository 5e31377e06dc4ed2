"""Error rates of a whole set: counts, rates, and how far they may be off by chance.

The denominator is fixed: the words (or characters) of every reference of the set, whatever
became of its hypothesis. Rates are of the corpus (all errors over all reference words), not
means over utterances.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from mynah.errors import UserError
from mynah.evaluation.normalize import get_normalizer

if TYPE_CHECKING:
    from mynah.evaluation.decode import Hypothesis

CONFIDENCE = 0.95
_RESAMPLED_AT_ONCE = 4_000_000  # utterances drawn into memory together, 32 MB

Operation = Literal["equal", "substitute", "delete", "insert"]


class AlignedWord(NamedTuple):
    """One step of an alignment; ``reference`` is empty for an insertion, ``hypothesis`` for a
    deletion."""

    operation: Operation
    reference: str
    hypothesis: str


@dataclass(frozen=True)
class UtteranceScore:
    """The errors of one utterance, after normalisation.

    Attributes:
        id: The utterance's id in its corpus.
        reference: Normalised reference.
        hypothesis: Normalised hypothesis.
        words: Words of the reference.
        characters: Characters of the reference, single spaces between words included.
        character_edits: Substituted, deleted and inserted characters.
        alignment: The aligned words, a path with the fewest errors.
    """

    id: str
    reference: str
    hypothesis: str
    words: int
    hits: int
    substitutions: int
    deletions: int
    insertions: int
    characters: int
    character_edits: int
    alignment: tuple[AlignedWord, ...] = field(repr=False)
    error: str | None = None

    @property
    def edits(self) -> int:
        """Substituted, deleted and inserted words."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def wrong(self) -> bool:
        """Whether anything is wrong with it, a failure to decode it included."""
        return self.edits > 0 or self.error is not None

    @property
    def wer(self) -> float:
        """Errors per reference word; where the reference is empty 0.0 without errors, else NaN."""
        return _ratio(self.edits, self.words)

    @property
    def cer(self) -> float:
        """Errors per reference character; where the reference is empty as for :attr:`wer`."""
        return _ratio(self.character_edits, self.characters)


@dataclass(frozen=True)
class Scores:
    """The error rates of one set.

    Attributes:
        wer: (S + D + I) / words of the references.
        wer_low: Lower end of the 95 % interval; NaN where there is none (see :func:`score`).
        wer_high: Upper end of it.
        cer: The same over characters, single spaces between words included.
        sentence_error_rate: Share of the utterances with any error.
        failed: Utterances without a hypothesis, each counted with all its words as deleted.
        empty_references: Utterances whose reference has no word after normalisation. They
            add nothing to the denominator; what was heard in them counts as insertions.
        normalizer: ``name@version``.
    """

    wer: float
    wer_low: float
    wer_high: float
    cer: float
    cer_low: float
    cer_high: float
    hits: int
    substitutions: int
    deletions: int
    insertions: int
    words: int
    characters: int
    character_edits: int
    utterances: int
    sentence_error_rate: float
    failed: int
    empty_references: int
    normalizer: str
    bootstrap_samples: int
    bootstrap_seed: int
    per_utterance: list[UtteranceScore] = field(repr=False)

    def summary(self) -> dict[str, float]:
        """The numbers alone, without those that are not defined."""
        names = (
            *("wer", "wer_low", "wer_high", "cer", "cer_low", "cer_high"),
            *("sentence_error_rate", "substitutions", "deletions", "insertions", "hits"),
            *("words", "characters", "character_edits", "utterances"),
            *("failed", "empty_references"),
        )
        numbers = {name: getattr(self, name) for name in names}
        return {name: value for name, value in numbers.items() if not math.isnan(value)}


def score(
    hypotheses: Sequence[Hypothesis],
    *,
    normalizer: str,
    bootstrap_samples: int,
    bootstrap_seed: int,
) -> Scores:
    """Score every hypothesis of a set against its reference.

    Args:
        hypotheses: One for each utterance of the set.
        normalizer: Name of the text normaliser, see ``normalize.py``.
        bootstrap_samples: Resamples for the interval; 0: no interval, its ends are NaN, as
            they are for a single utterance.
        bootstrap_seed: Seed of the resamples.

    Raises:
        UserError: The set is empty, or no reference has a word after normalisation.
    """
    normalize = get_normalizer(normalizer)
    rows = align(
        [(h.id, normalize(h.reference), normalize(h.text), h.error) for h in hypotheses],
    )
    if not any(row.words for row in rows):
        raise UserError(
            f"No error rate can be given: none of the {len(rows)} references has a word"
            f" after normalisation ({normalize.identity}).",
            where="the evaluation split's transcripts",
            fix="look at the split's transcripts, or set evaluation.normalizer=none",
        )
    return score_rows(
        rows,
        normalizer=normalize.identity,
        bootstrap_samples=bootstrap_samples,
        bootstrap_seed=bootstrap_seed,
    )


def score_rows(
    rows: Sequence[UtteranceScore],
    *,
    normalizer: str,
    bootstrap_samples: int,
    bootstrap_seed: int,
) -> Scores:
    """The rates of utterances that are counted already, as those of one speaker.

    Where no reference has a word, the rates are NaN, or 0.0 without errors.
    """
    words = np.array([row.words for row in rows], dtype=np.int64)
    edits = np.array([row.edits for row in rows], dtype=np.int64)
    characters = np.array([row.characters for row in rows], dtype=np.int64)
    character_edits = np.array([row.character_edits for row in rows], dtype=np.int64)
    (wer_low, wer_high), (cer_low, cer_high) = bootstrap_intervals(
        [(edits, words), (character_edits, characters)],
        samples=bootstrap_samples,
        seed=bootstrap_seed,
    )
    return Scores(
        wer=_ratio(int(edits.sum()), int(words.sum())),
        wer_low=wer_low,
        wer_high=wer_high,
        cer=_ratio(int(character_edits.sum()), int(characters.sum())),
        cer_low=cer_low,
        cer_high=cer_high,
        hits=sum(row.hits for row in rows),
        substitutions=sum(row.substitutions for row in rows),
        deletions=sum(row.deletions for row in rows),
        insertions=sum(row.insertions for row in rows),
        words=int(words.sum()),
        characters=int(characters.sum()),
        character_edits=int(character_edits.sum()),
        utterances=len(rows),
        sentence_error_rate=sum(row.edits > 0 or row.error is not None for row in rows) / len(rows),
        failed=sum(row.error is not None for row in rows),
        empty_references=int((words == 0).sum()),
        normalizer=normalizer,
        bootstrap_samples=bootstrap_samples,
        bootstrap_seed=bootstrap_seed,
        per_utterance=list(rows),
    )


def align(texts: Sequence[tuple[str, str, str, str | None]]) -> list[UtteranceScore]:
    """Count and align the errors of (id, reference, hypothesis, error) rows, text normalised."""
    import jiwer

    if not texts:
        return []
    references = [reference for _, reference, _, _ in texts]
    hypotheses = [hypothesis for _, _, hypothesis, _ in texts]
    # jiwer's default transforms refuse an empty reference; these take it as no words at all.
    words, letters = jiwer.ReduceToListOfListOfWords(), jiwer.ReduceToListOfListOfChars()
    by_words = jiwer.process_words(references, hypotheses, words, words)
    by_characters = jiwer.process_words(references, hypotheses, letters, letters)
    rows = []
    for row, (id_, reference, hypothesis, error) in enumerate(texts):
        alignment = _spell_out(by_words.alignments[row], reference.split(), hypothesis.split())
        counts = {"equal": 0, "substitute": 0, "delete": 0, "insert": 0}
        for word in alignment:
            counts[word.operation] += 1
        rows.append(
            UtteranceScore(
                id=id_,
                reference=reference,
                hypothesis=hypothesis,
                words=len(reference.split()),
                hits=counts["equal"],
                substitutions=counts["substitute"],
                deletions=counts["delete"],
                insertions=counts["insert"],
                characters=len(reference),
                character_edits=sum(_edits(chunk) for chunk in by_characters.alignments[row]),
                alignment=alignment,
                error=error,
            )
        )
    return rows


def bootstrap_intervals(
    rates: Sequence[tuple[np.ndarray, np.ndarray]], *, samples: int, seed: int
) -> list[tuple[float, float]]:
    """95 % percentile intervals of corpus-level rates, by resampling utterances.

    Bisani and Ney 2004, "Bootstrap estimates for confidence intervals in ASR performance
    evaluation". Each resample draws as many utterances as there are, with replacement, and
    takes its errors over its words; all rates see the same resamples. A resample without a
    single reference word has no rate and is left out.

    Args:
        rates: (errors, lengths) pairs, int64 [utterances] each.
        samples: Resamples; 0: no interval.
        seed: Seed of the draws.

    Returns:
        (low, high) of each rate; NaN where there is no interval: no resamples, or fewer than
        two utterances, of which nothing can be said.
    """
    utterances = len(rates[0][0])
    if samples < 1 or utterances < 2:
        return [(math.nan, math.nan) for _ in rates]
    generator = np.random.default_rng(seed)
    drawn: list[list[np.ndarray]] = [[] for _ in rates]
    at_once = max(1, _RESAMPLED_AT_ONCE // utterances)
    for start in range(0, samples, at_once):
        rows = generator.integers(0, utterances, size=(min(at_once, samples - start), utterances))
        for position, (errors, lengths) in enumerate(rates):
            length = lengths[rows].sum(axis=1)
            error = errors[rows].sum(axis=1)[length > 0]
            drawn[position].append(error / length[length > 0])
    tail = (1 - CONFIDENCE) / 2
    intervals = []
    for parts in drawn:
        values = np.concatenate(parts)
        low, high = np.quantile(values, [tail, 1 - tail]) if len(values) else (math.nan, math.nan)
        intervals.append((float(low), float(high)))
    return intervals


def _spell_out(
    chunks: Sequence[Any], reference: list[str], hypothesis: list[str]
) -> tuple[AlignedWord, ...]:
    """jiwer's chunks as one step a word."""
    steps = []
    for chunk in chunks:
        said = reference[chunk.ref_start_idx : chunk.ref_end_idx]
        heard = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
        for position in range(max(len(said), len(heard))):
            steps.append(
                AlignedWord(
                    chunk.type,
                    said[position] if position < len(said) else "",
                    heard[position] if position < len(heard) else "",
                )
            )
    return tuple(steps)


def _edits(chunk: Any) -> int:
    if chunk.type == "equal":
        return 0
    return max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)


def _ratio(errors: int, length: int) -> float:
    if length:
        return errors / length
    return math.nan if errors else 0.0
