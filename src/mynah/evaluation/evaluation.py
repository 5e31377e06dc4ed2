"""One evaluation: a model decodes a corpus, and the result is scored."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mynah import console
from mynah.evaluation.decode import Hypothesis, decode
from mynah.evaluation.score import Scores, score

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.corpus import Corpus
    from mynah.models.family import Family


@dataclass(frozen=True)
class Evaluation:
    """What a model made of one corpus.

    Attributes:
        name: The split's name.
        corpus_fingerprint: Of the corpus's content: same fingerprint, same utterances.
        scores: Error rates and counts, of every utterance of the corpus.
        hypotheses: One an utterance, in the corpus's order.
        seconds: Time that decoding took, audio reading included.
        audio_seconds: Audio that was decoded.
    """

    name: str
    corpus_fingerprint: str
    scores: Scores
    hypotheses: list[Hypothesis] = field(repr=False)
    seconds: float
    audio_seconds: float

    @property
    def speed(self) -> float:
        """Seconds of audio decoded a second (the inverse real-time factor, RTFx)."""
        return self.audio_seconds / self.seconds if self.seconds > 0 else math.nan

    @classmethod
    def from_decoding(
        cls,
        corpus: Corpus,
        hypotheses: Sequence[Hypothesis],
        config: Config,
        *,
        seconds: float,
    ) -> Evaluation:
        """Score what :func:`decode` returned for ``corpus``, as ``config.evaluation`` says.

        Raises:
            ValueError: The hypotheses are not those of the corpus, one a row.
            UserError: No error rate can be given, see :func:`score`.
        """
        if [h.id for h in hypotheses] != list(corpus.ids):
            raise ValueError(f"The hypotheses are not those of {corpus.name!r}, one a row")
        settings = config.evaluation
        return cls(
            name=corpus.name,
            corpus_fingerprint=corpus.fingerprint,
            scores=score(
                hypotheses,
                normalizer=settings.normalizer,
                bootstrap_samples=settings.bootstrap_samples,
                bootstrap_seed=settings.bootstrap_seed,
            ),
            hypotheses=list(hypotheses),
            seconds=seconds,
            audio_seconds=float(sum(h.duration_seconds for h in hypotheses)),
        )


def evaluate(
    family: Family, corpus: Corpus, config: Config, *, description: str = "", progress: bool = True
) -> Evaluation:
    """Decode a corpus and score it.

    Args:
        family: The model.
        corpus: What it is measured on.
        config: Batch sizes come from ``training``, the scoring from ``evaluation``.
        description: What the progress says is being done.
        progress: Whether to show progress.

    Raises:
        UserError: See :func:`decode` and :func:`score`.
    """
    started = time.perf_counter()
    hypotheses = decode(
        family,
        corpus,
        batch_seconds=config.training.eval_batch_seconds,
        batch_size=config.training.per_device_eval_batch_size,
        progress=progress,
        description=description or f"decoding {corpus.name}",
    )
    seconds = time.perf_counter() - started
    return Evaluation.from_decoding(corpus, hypotheses, config, seconds=seconds)


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
                f"{s.substitutions:,} / {s.deletions:,} / {s.insertions:,}",
            ]
        )
    normalizers = sorted({e.scores.normalizer for e in evaluations.values()})
    console.table(
        f"Error rates with 95 % intervals, text normaliser {', '.join(normalizers)}",
        ["split", "utterances", "WER", "CER", "S / D / I"],
        rows,
    )


def with_interval(rate: float, low: float, high: float) -> str:
    """``7.41 % [6.02, 8.93]``, or the rate alone where it has no interval."""
    shown = f"{100 * rate:.2f} %"
    if math.isnan(low) or math.isnan(high):
        return shown
    return f"{shown} [{100 * low:.2f}, {100 * high:.2f}]"


def examples(hypotheses: Sequence[Hypothesis], n: int, seed: int = 0) -> list[Hypothesis]:
    """Pick ``n`` hypotheses to show, the same ones of a corpus for the same seed.

    Which rows are picked depends on the number of rows and the seed alone, so that the same
    utterances are seen getting better from one evaluation to the next.
    """
    rows = random.Random(seed).sample(range(len(hypotheses)), min(n, len(hypotheses)))
    return [hypotheses[row] for row in sorted(rows)]


def show_examples(hypotheses: Sequence[Hypothesis], n: int, seed: int = 0) -> None:
    """Print a few references with what was heard under each."""
    for hypothesis in examples(hypotheses, n, seed):
        console.say(f"  reference   {hypothesis.reference}")
        console.say(f"  hypothesis  {hypothesis.text or hypothesis.error or '(nothing)'}")
