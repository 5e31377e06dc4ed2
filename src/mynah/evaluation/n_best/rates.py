"""Error rates of several hypotheses: of the likeliest, the best by the reference, the rescored."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah import console
from mynah.config.naming.language_model import is_file, weight_of
from mynah.data.characters import lower
from mynah.evaluation.n_best.lists import decode_n_best
from mynah.evaluation.normalize import get_normalizer
from mynah.evaluation.score import Scores, score
from mynah.models.fusion.language_models import read_language_model
from mynah.models.fusion.rescoring import Rescorer

if TYPE_CHECKING:
    from mynah.config.schema import Config, ModelConfig
    from mynah.data.corpus import Corpus
    from mynah.evaluation.hypothesis import Hypothesis
    from mynah.models.family import Family
    from mynah.models.transcript import Transcript


@dataclass(frozen=True)
class RankedHypothesis:
    """One of several hypotheses of an utterance.

    Attributes:
        text: As the model wrote it.
        log_probability: Its natural logarithm; None where it is not known.
        errors: Words wrong by the reference.
        is_oracle: Whether it is the first of those with the fewest errors.
        is_rescored: Whether the language model's weight chooses it.
    """

    text: str
    log_probability: float | None
    errors: int
    is_oracle: bool
    is_rescored: bool


@dataclass(frozen=True)
class NBestRates:
    """What several hypotheses of each utterance would give.

    Attributes:
        size: How many of each, at most.
        errors_in: What errors are counted in: ``wer`` or ``mer``.
        first: The error rate of the likeliest of each.
        oracle: That of the one with the fewest errors, which nobody can choose without the
            reference: no choice among them gives less.
        rescored: That of those which the language model's weight chooses; None without one.
        language_model: What rescored them, with its weight and the bonus of a word; "" for nothing.
        seconds: Time that decoding them took.
        lists: The hypotheses of each utterance, the likeliest first.
    """

    size: int
    errors_in: str
    first: float
    oracle: float
    rescored: float | None
    language_model: str
    seconds: float
    lists: Sequence[Sequence[RankedHypothesis]] = ()

    @property
    def record(self) -> dict[str, Any]:
        """As ``results.json`` has it."""
        return {key: value for key, value in vars(self).items() if key != "lists"}

    def say(self, split: str) -> None:
        """Print them."""
        rates = [f"{100 * self.first:.2f} % the likeliest", f"{100 * self.oracle:.2f} % the oracle"]
        if self.rescored is not None:
            rates.append(f"{100 * self.rescored:.2f} % rescored by {self.language_model}")
        console.say(
            f"{self.size} hypotheses each of {split}, {self.errors_in.upper()}: {', '.join(rates)} "
            f"({self.seconds:.0f} s)"
        )


def n_best_rates(
    family: Family, corpus: Corpus, config: Config, hypotheses: Sequence[Hypothesis], *, name: str
) -> NBestRates:
    """Decode a corpus once more, by a beam, and give the rates.

    Args:
        family: One that gives several hypotheses.
        corpus: What was decoded.
        config: The settings; a file in ``model.language_model`` rescores.
        hypotheses: Those of the decoding that counts: they stand where there are no others.
        name: The split.

    Raises:
        UserError: The language model cannot be read or is damaged.
    """
    rescorer = read_rescorer(config.model, config.evaluation.normalizer)
    began = time.perf_counter()
    lists = decode_n_best(
        family, corpus, config, description=f"{config.evaluation.n_best} hypotheses each of {name}"
    )
    seconds = time.perf_counter() - began
    worth = None if rescorer is None else rescorer.worth
    rates = rates_of(
        lists,
        hypotheses,
        normalizer=config.evaluation.normalizer,
        worth=worth,
    )
    model = ""
    if rescorer is not None:
        rescorer.say_what_it_knows(one.text for found in lists for one in found[:1])
        model = (
            f"{Path(config.model.language_model).name} "
            f"(weight {weight_of(config.model.language_model_weight):g}, "
            f"{config.model.word_bonus:g} a word)"
        )
    size = config.evaluation.n_best
    return replace(rates, size=size, language_model=model, seconds=seconds)


def read_rescorer(config: ModelConfig, normalizer: str) -> Rescorer | None:
    """The language model that rescores, None where no file is named.

    Raises:
        UserError: It cannot be read or is damaged.
    """
    if not is_file(config.language_model):
        return None
    model = read_language_model(Path(config.language_model), written_as=lower, letters=None)
    normalize = get_normalizer(normalizer)
    return Rescorer(
        model,
        weight=weight_of(config.language_model_weight),
        word_bonus=config.word_bonus,
        words_of=lambda text: lower(normalize(text)).split(),
    )


def rates_of(
    lists: Sequence[Sequence[Transcript]],
    hypotheses: Sequence[Hypothesis],
    *,
    normalizer: str,
    worth: Callable[[str], float] | None,
) -> NBestRates:
    """The rates of lists of hypotheses.

    Args:
        lists: Of each utterance, with their log probabilities, the likeliest first.
        hypotheses: One of each utterance, with the reference; they stand for an empty list.
        normalizer: Name of the text normaliser.
        worth: What a language model adds to a hypothesis's log probability, in nats.
    """
    longest = max(map(len, lists), default=0)

    def chosen(ranks: Sequence[int]) -> Scores:
        texts = [
            replace(one, text=found[rank].text if found else one.text)
            for one, found, rank in zip(hypotheses, lists, ranks, strict=True)
        ]
        return score(texts, normalizer=normalizer, bootstrap_samples=0, bootstrap_seed=0)

    errors = np.array(
        [
            [
                row.errors
                for row in chosen([min(rank, max(len(x) - 1, 0)) for x in lists]).per_utterance
            ]
            for rank in range(max(longest, 1))
        ]
    )
    first = chosen([0] * len(lists))
    fewest = [
        min(rank, max(len(found) - 1, 0))
        for rank, found in zip(errors.argmin(axis=0).tolist(), lists, strict=True)
    ]
    weighed = None if worth is None else [_best(found, worth) for found in lists]
    return NBestRates(
        longest,
        first.unit.name,
        first.error_rate,
        chosen(fewest).error_rate,
        None if weighed is None else chosen(weighed).error_rate,
        "",
        0.0,
        _ranked(lists, errors, fewest, weighed),
    )


def _ranked(
    lists: Sequence[Sequence[Transcript]],
    errors: np.ndarray,
    fewest: Sequence[int],
    weighed: Sequence[int] | None,
) -> list[list[RankedHypothesis]]:
    """The hypotheses with what each is.

    Args:
        lists: Of each utterance.
        errors: ``(hypotheses, utterances)``, words wrong.
        fewest: The oracle's place of each utterance.
        weighed: The language model's; None without one.
    """
    return [
        [
            RankedHypothesis(
                one.text,
                one.log_probability,
                int(errors[rank, row]),
                is_oracle=rank == fewest[row],
                is_rescored=weighed is not None and rank == weighed[row],
            )
            for rank, one in enumerate(found)
        ]
        for row, found in enumerate(lists)
    ]


def _best(found: Sequence[Transcript], worth: Callable[[str], float]) -> int:
    """The place of the hypothesis with the highest sum; of equals the first."""
    sums = [(one.log_probability or 0.0) + worth(one.text) for one in found]
    return int(np.argmax(sums)) if sums else 0
