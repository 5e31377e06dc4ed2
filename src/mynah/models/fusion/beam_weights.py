"""The weights of what joins a beam, chosen on a development split.

One weight after the other, the language model's first, then that of a transducer's own, then a
word's bonus, then a hot word's letters: each takes the value with the lowest error rate, the others
as they are.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mynah.config.naming.language_model import NONE, weight_of
from mynah.errors import UserError

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig
    from mynah.data.corpus import Corpus

# What is tried, the smallest change first: of equals the first one stays.
_TRIED: dict[str, tuple[float, ...]] = {
    "language_model_weight": (0.7, 0.4, 1.0, 0.2, 1.4, 2.0),
    "internal_language_model_weight": (0.3, 0.0, 0.15, 0.45, 0.6),
    "word_bonus": (0.0, 1.0, -1.0, 2.0, 3.0),
    "context_weight": (1.0, 0.5, 2.0, 0.25, 3.0),
}
_TEST = re.compile(r"(^|[^a-z])test([^a-z]|$)")


@dataclass(frozen=True)
class Trial:
    """Weights that were measured.

    Attributes:
        settings: By the setting's name in ``model``.
        rate: What they came to; lower is better.
    """

    settings: Mapping[str, float]
    rate: float


def development_split(evaluation: Mapping[str, Corpus]) -> str:
    """The split to tune on: the first one, which chooses checkpoints too.

    Raises:
        UserError: There is none, or it is a test split: what is tuned on it measures nothing.
    """
    name = next(iter(evaluation), None)
    if name is None:
        raise UserError(
            "There is no split to tune on.",
            where="data.eval_splits",
            fix="data.eval_splits=[validation]",
        )
    if _TEST.search(name.lower()):
        raise UserError(
            f"{name} is a test split: weights that are tuned on it say nothing of how good they "
            "are elsewhere.",
            where="data.eval_splits",
            fix="tune on a development split, as data.eval_splits=[validation]",
        )
    return name


def tuned_names(config: ModelConfig, *, predicts_labels: bool = False) -> tuple[str, ...]:
    """The weights that what joins the beam has.

    Args:
        config: The settings.
        predicts_labels: Whether the recognizer has a language model of its own, as a transducer.

    Raises:
        UserError: Nothing joins it.
    """
    names: tuple[str, ...] = ()
    if config.language_model != NONE:
        own = ("internal_language_model_weight",) if predicts_labels else ()
        names += ("language_model_weight", *own, "word_bonus")
    if config.context_file is not None:
        names += ("context_weight",)
    if not names:
        raise UserError(
            "Nothing joins the beam, so there is no weight to tune.",
            where="model.language_model=none",
            fix="model.language_model=FILE.arpa, or model.context_file=FILE",
        )
    return names


def tune(
    config: ModelConfig,
    measure: Callable[[ModelConfig], float],
    *,
    tried: Mapping[str, Sequence[float]] = _TRIED,
    predicts_labels: bool = False,
) -> list[Trial]:
    """Measure weights; the best are those of the lowest rate, of equals those tried first.

    Args:
        config: The settings to begin with.
        measure: Gives the error rate with settings.
        tried: The values of each weight.
        predicts_labels: As :func:`tuned_names` has it.

    Returns:
        All that were measured, in their order.

    Raises:
        UserError: Nothing joins the beam.
    """
    names = tuned_names(config, predicts_labels=predicts_labels)
    weight = weight_of(config.language_model_weight, predicts_labels=predicts_labels)
    config = dataclasses.replace(config, language_model_weight=weight)
    trials: list[Trial] = []
    known: dict[tuple[float, ...], float] = {}
    best = config
    for name in names:
        rates: list[tuple[float, ModelConfig]] = []
        for value in dict.fromkeys((getattr(best, name), *tried[name])):
            changed = dataclasses.replace(best, **{name: value})
            key = tuple(getattr(changed, one) for one in names)
            if key not in known:
                known[key] = measure(changed)
                trials.append(Trial(dict(zip(names, key, strict=True)), known[key]))
            rates.append((known[key], changed))
        best = min(rates, key=lambda one: one[0])[1]
    return trials


def best_of(trials: Sequence[Trial]) -> Trial:
    """The trial with the lowest rate, of equals the first."""
    return min(trials, key=lambda trial: trial.rate)
