"""Several corpora as one: how often each is sampled, and what each may give at most.

A source with h hours gets the share p of an epoch: p ~ weight where weights are given, else
p ~ h ** (1 / temperature), as in the training of multilingual models (temperature 1: as it
is; the higher, the more alike all shares). An epoch stays as long as one pass over everything,
H hours, so an utterance of the source is sampled p * H / h times on average.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mynah.config.schema import DataConfig, MixtureEntry, Nature
from mynah.config.settings import entry_names
from mynah.data.sources.reading.source import Source


@dataclass(frozen=True)
class Member:
    """One corpus of a run.

    Attributes:
        name: Its name in the mixture; "" where it is the only corpus.
        config: The settings of ``data`` as they are for it.
        source: The corpus, opened.
        weight: Its share of training, beside the others' weights; None: by its size.
        max_samples: Training utterances it gives at most.
        max_hours: Hours of training audio it gives at most.
    """

    name: str
    config: DataConfig
    source: Source
    weight: float | None = None
    max_samples: int | None = None
    max_hours: float | None = None

    def called(self, split: str) -> str:
        """A split's name in the run: SOURCE.SPLIT in a mixture."""
        return f"{self.name}.{split}" if self.name else split

    def setting(self, name: str) -> str:
        """A setting's dotted name as this member's user types it."""
        return f"data.mixture.{self.name}.{name}" if self.name else f"data.{name}"


def entries(config: DataConfig) -> dict[str, MixtureEntry]:
    """The corpora of ``data.mixture`` by name, with defaults for what is not said."""
    return {
        name: entry if isinstance(entry, MixtureEntry) else MixtureEntry(**entry)
        for name, entry in config.mixture.items()
    }


def entry_config(config: DataConfig, entry: MixtureEntry) -> DataConfig:
    """The settings of ``data`` as they are for one corpus of the mixture."""
    own = {field: getattr(entry, field) for field in entry_names("data.mixture", Nature.CORPUS)}
    language = entry.language or config.language
    return dataclasses.replace(config, **own, language=language, mixture={})


def shares(
    hours: Mapping[str, float], weights: Mapping[str, float | None], temperature: float
) -> dict[str, float]:
    """Share of an epoch that each source gets; they sum to 1.

    Args:
        hours: Training audio of each source.
        weights: The weight of each; where one is None all go by size.
        temperature: 1.0 keeps the sizes' proportions.
    """
    if any(weight is None for weight in weights.values()):
        wanted = {name: length ** (1.0 / temperature) for name, length in hours.items()}
    else:
        wanted = {name: float(weights[name] or 0.0) if hours[name] else 0.0 for name in hours}
    total = sum(wanted.values())
    return {name: value / total for name, value in wanted.items()}


def repeats(hours: Mapping[str, float], share: Mapping[str, float]) -> dict[str, float]:
    """How often an utterance of each source is sampled in an epoch, on average."""
    total = sum(hours.values())
    return {name: share[name] * total / length if length else 0.0 for name, length in hours.items()}


def row_repeats(members: np.ndarray, each: Mapping[int, float]) -> np.ndarray | None:
    """float64 [rows] of each row's source; None where every row is sampled once.

    Args:
        members: Number of each row's source, [rows].
        each: How often an utterance of a source is sampled, by its number.
    """
    if all(abs(value - 1.0) < 1e-9 for value in each.values()):
        return None
    table = np.asarray([each[number] for number in range(len(each))], dtype=np.float64)
    repeats: np.ndarray = table[members]
    return repeats
