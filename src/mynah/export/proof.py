"""Whether an exported model still says what the model said.

Two proofs. *The conversion*: the same features into both graphs, and every transcript has to be
the same. *The programs*: recordings into what people run the export with, features and padding of
its own; there the error rate may not be worse for sure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mynah.errors import UserError
from mynah.evaluation.comparing.paired import Difference, compare
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.score import Scores, score
from mynah.export.target import Said, Sample

# A program may be worse by this much, absolute, before it is refused where nothing else is asked
# for; and a way of decoding that the layout cannot hold may cost this much.
MOST_WORSE, MOST_COST = 0.005, 0.01

ProofScorer = Callable[[Sequence[Sample], Sequence[str]], Scores]


def scorer(normalizer: str, samples: int, seed: int) -> ProofScorer:
    """A function that scores transcripts of samples as an evaluation does."""

    def scored(on: Sequence[Sample], texts: Sequence[str]) -> Scores:
        hypotheses = [
            Hypothesis(one.id, one.reference, text, one.seconds, one.speaker, language=one.language)
            for one, text in zip(on, texts, strict=True)
        ]
        return score(
            hypotheses, normalizer=normalizer, bootstrap_samples=samples, bootstrap_seed=seed
        )

    return scored


@dataclass(frozen=True)
class ComparedTexts:
    """The transcripts of one way to run the model beside those that were measured.

    Attributes:
        name: What ran it, as ``"faster-whisper"``.
        equal: Transcripts that are the same, of how many.
        utterances: How many there are.
        difference: Of the first metric, from the measured to this one.
        seconds: What it took, loading apart.
        audio_seconds: How long the recordings are.
        worst: The sample whose transcript got furthest from what was said, with both transcripts;
            None where none differs.
    """

    name: str
    equal: int
    utterances: int
    difference: Difference
    seconds: float
    audio_seconds: float
    worst: tuple[Sample, str, str] | None

    @property
    def speed(self) -> float:
        """Seconds of audio a second (the inverse real-time factor, RTFx)."""
        return self.audio_seconds / self.seconds if self.seconds > 0 else math.nan

    @property
    def numbers(self) -> dict[str, Any]:
        """What is written of it."""
        found = self.difference
        return {
            "name": self.name,
            "equal": self.equal,
            "utterances": self.utterances,
            "metric": found.metric.name,
            "measured": found.before,
            "value": found.after,
            "difference": found.value,
            "low": found.interval.low,
            "high": found.interval.high,
            "interval": found.interval.method,
            "seconds": round(self.seconds, 2),
            "audio_seconds_per_second": None if math.isnan(self.speed) else round(self.speed, 2),
        }


def compared(
    name: str, samples: Sequence[Sample], measured: Said, said: Said, scored: ProofScorer, *,
    resamples: int, seed: int,
) -> ComparedTexts:  # fmt: skip
    """Set one way to run the model beside what was measured, on the same samples."""
    before, after = scored(samples, measured.texts), scored(samples, said.texts)
    found = compare(
        before.per_utterance,
        after.per_utterance,
        [before.first.metric],
        samples=resamples,
        seed=seed,
    )
    pairs = list(zip(samples, measured.texts, said.texts, strict=True))
    differing = [pair for pair in pairs if pair[1] != pair[2]]
    return ComparedTexts(
        name,
        len(pairs) - len(differing),
        len(pairs),
        found.first,
        said.seconds,
        sum(sample.seconds for sample in samples),
        max(differing, key=_harm) if differing else None,
    )


def _harm(pair: tuple[Sample, str, str]) -> int:
    """Letters that the second transcript is further from the reference than the first."""
    from rapidfuzz.distance import Levenshtein

    sample, before, after = pair
    said = sample.reference
    return int(Levenshtein.distance(said, after)) - int(Levenshtein.distance(said, before))


def _distance(pair: tuple[Sample, str, str]) -> int:
    from rapidfuzz.distance import Levenshtein

    return int(Levenshtein.distance(pair[1], pair[2]))


def check_conversion(graph: Sequence[str], plain: Sequence[str], samples: Sequence[Sample]) -> None:
    """The first proof.

    Args:
        graph: What the exported graph said.
        plain: What our model said to the same features.
        samples: Of what.

    Raises:
        UserError: A transcript differs; the worst one is named.
    """
    pairs = list(zip(samples, plain, graph, strict=True))
    differing = [pair for pair in pairs if pair[1] != pair[2]]
    if not differing:
        return
    sample, ours, theirs = max(differing, key=_distance)
    raise UserError(
        f"The converted model says something else: {len(differing)} of {len(pairs)} transcripts "
        "differ on the same features. Nothing was written.",
        where=f"{sample.id}: {ours!r} became {theirs!r}",
        fix="this is a fault of the conversion: please report it with the model's architecture",
    )


def check_cost(plain: ComparedTexts, advice: str) -> None:
    """Whether the layout can hold the decoding that was measured.

    Raises:
        UserError: Without what it cannot hold the error rate is worse by over a point.
    """
    found = plain.difference
    if found.value <= MOST_COST:
        return
    raise UserError(
        f"Decoded as programs of this layout do, greedy and at the native window, the model's "
        f"{found.metric.column} is {_points(found.value)} points worse "
        f"({100 * found.before:.1f} to {100 * found.after:.1f}).",
        where=f"measured on {plain.utterances} utterances",
        fix=advice,
    )


def check_program(program: ComparedTexts, tolerance: float = MOST_WORSE) -> None:
    """The second proof.

    Args:
        program: What a program made of the recordings.
        tolerance: By how much it may be worse, absolute.

    Raises:
        UserError: It is worse by more than that for sure.
    """
    found = program.difference
    if not found.interval.low > tolerance:
        return
    assert program.worst is not None
    sample, ours, theirs = program.worst
    accepted = math.ceil(100 * found.interval.low * 2) / 2
    raise UserError(
        f"{program.name} is worse by {_points(found.value)} points of {found.metric.column} "
        f"[{_points(found.interval.low)}, {_points(found.interval.high)}], and may be by "
        f"{100 * tolerance:g}. Nothing was written.",
        where=f"{sample.id}: {ours!r} became {theirs!r}",
        fix=f"another layout may do (--to), or another version of the program; "
        f"--tolerance {accepted:g} writes it nevertheless",
    )


def _points(value: float) -> str:
    return f"{100 * value:.2f}"
