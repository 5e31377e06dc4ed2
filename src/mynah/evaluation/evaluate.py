"""One evaluation: a model decodes a corpus, and the result is scored."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mynah import console
from mynah.errors import UserError
from mynah.evaluation.decoding.decode import decode
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.metrics.choice import Choice
from mynah.evaluation.normalize import tears_words
from mynah.evaluation.score import Measure, Scores, score
from mynah.models.parameters import not_finite

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.corpus import Corpus
    from mynah.evaluation.n_best.rates import NBestRates
    from mynah.models.family import Family


@dataclass(frozen=True)
class Evaluation:
    """What a model recognized in one corpus.

    Attributes:
        name: The split's name.
        corpus_fingerprint: Of the corpus's content: same fingerprint, same utterances.
        scores: Error rates and counts, of every utterance of the corpus.
        hypotheses: One an utterance, in the corpus's order.
        seconds: Time that decoding took, audio reading included.
        audio_seconds: Audio that was decoded.
        n_best: What several hypotheses of each utterance would give, where that was asked for.
    """

    name: str
    corpus_fingerprint: str
    scores: Scores
    hypotheses: list[Hypothesis] = field(repr=False)
    seconds: float
    audio_seconds: float
    n_best: NBestRates | None = None

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
        name: str | None = None,
        loss: Measure | None = None,
    ) -> Evaluation:
        """Score what ``decode`` returned for ``corpus``, as ``config.evaluation`` says.

        Args:
            corpus: What was decoded.
            hypotheses: One a row.
            config: The settings.
            seconds: Time that decoding took.
            name: What the evaluation is called; None: as the corpus.
            loss: The evaluation loss, where it was asked for.

        Raises:
            ValueError: The hypotheses are not those of the corpus, one a row.
            UserError: No error rate can be given, see ``score``.
        """
        if [h.id for h in hypotheses] != list(corpus.ids):
            raise ValueError(f"The hypotheses are not those of {corpus.name!r}, one a row")
        settings = config.evaluation
        choice = Choice.of(config)
        scores = score(
            hypotheses,
            normalizer=settings.normalizer,
            bootstrap_samples=settings.bootstrap_samples,
            bootstrap_seed=settings.bootstrap_seed,
            choice=choice,
        )
        if loss is not None:
            scores = scores.with_measure(loss, choice.asked)
        return cls(
            name=name or corpus.name,
            corpus_fingerprint=corpus.fingerprint,
            scores=scores,
            hypotheses=list(hypotheses),
            seconds=seconds,
            audio_seconds=float(sum(h.duration_seconds for h in hypotheses)),
        )


def evaluate_split(
    family: Family,
    corpus: Corpus,
    config: Config,
    *,
    name: str | None = None,
    description: str = "",
    progress: bool = True,
) -> Evaluation:
    """Decode a corpus and score it.

    Args:
        family: The model.
        corpus: What it is measured on.
        config: Batch sizes come from ``training``, the scoring from ``evaluation``.
        name: What the evaluation is called; None: as the corpus.
        description: What the progress says is being done.
        progress: Whether to show progress.

    Raises:
        UserError: The model's weights are not finite; or see ``decode``, ``score`` and
            ``evaluation_loss``.
    """
    choice = Choice.of(config)
    choice.check()
    _check_weights(family)
    started = time.perf_counter()
    hypotheses = decode(
        family,
        corpus,
        batch_seconds=config.training.eval_batch_seconds,
        batch_size=config.training.per_device_eval_batch_size,
        word_times=config.evaluation.word_times,
        progress=progress,
        description=description or f"decoding {name or corpus.name}",
    )
    seconds = time.perf_counter() - started
    if tears_words(config.evaluation.normalizer, corpus.texts):
        _say_that_words_are_torn(config.evaluation.normalizer, name or corpus.name)
    loss = _loss(family, corpus, config, progress) if choice.loss else None
    return Evaluation.from_decoding(
        corpus, hypotheses, config, name=name, seconds=seconds, loss=loss
    )


def _check_weights(family: Family) -> None:
    """Refuse to measure a model whose weights are not numbers: its texts would be empty.

    Raises:
        UserError: One of them is NaN or infinite.
    """
    broken = not_finite(family.model)
    if broken:
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        raise UserError(
            f"Weights of the model are not finite: {', '.join(broken[:3])}{more}. It cannot be "
            "measured.",
            fix="use an earlier checkpoint, or train it again with a lower training.learning_rate",
        )


@functools.cache
def _say_that_words_are_torn(normalizer: str, name: str) -> None:
    """Once, and not with every evaluation of a training."""
    console.notice(
        f"The normaliser {normalizer} puts a space in the place of every combining mark, and "
        f"words of {name} have some: its error rates are not of whole words. "
        "evaluation.normalizer=basic keeps them."
    )


def _loss(family: Family, corpus: Corpus, config: Config, progress: bool) -> Measure:
    from mynah.data.text import TextPolicy
    from mynah.evaluation.loss import evaluation_loss

    return evaluation_loss(
        family,
        corpus,
        batch_seconds=config.training.eval_batch_seconds,
        batch_size=config.training.per_device_eval_batch_size,
        text=TextPolicy.of(config.data).apply,
        progress=progress,
    )
