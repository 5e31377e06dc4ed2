"""A search as it was asked for, and what tells it from another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mynah.config.schema import SweepConfig
from mynah.sweeps.search.objectives import Objective
from mynah.sweeps.search.space import Space

_TRIALS = 20  # of an interval, where nothing is said
_SHOWN = 4  # differences of two searches
HALVING = "halving"


@dataclass(frozen=True)
class Search:
    """What is searched, how, and for what.

    Attributes:
        space: What is varied.
        fixed: The overrides that all trainings share.
        settings: How.
        objectives: For what.
        digest: Stands for all settings that are not varied, as far as they decide what is learned.
    """

    space: Space
    fixed: tuple[str, ...]
    settings: SweepConfig
    objectives: tuple[Objective, ...]
    digest: str

    @property
    def trials(self) -> int:
        """How many points are tried."""
        asked = self.settings.trials
        size = self.space.size
        if asked is None:
            asked = _TRIALS if self.space.has_interval else int(size)
        return int(min(asked, size))

    @property
    def is_exhaustive(self) -> bool:
        """Whether all points are tried, as in a grid."""
        return self.trials == self.space.size

    @property
    def halves(self) -> bool:
        """Whether a training is stopped that does badly."""
        return self.settings.pruner == HALVING

    def definition(self) -> dict[str, Any]:
        """What tells its trials from another search's: all but how many there are."""
        how = self.settings
        return {
            "searched": {name: one.definition for name, one in self.space.dimensions.items()},
            "overrides": sorted(self.fixed),
            "settings": self.digest,
            "sweep.objectives": [one.name for one in self.objectives],
            "directions": [one.greater_is_better for one in self.objectives],
            "sweep.sampler": how.sampler,
            "sweep.seed": how.seed,
            "sweep.seeds": how.seeds,
            "sweep.pruner": how.pruner,
            "sweep.reduction_factor": how.reduction_factor if self.halves else None,
            "sweep.min_steps": how.min_steps if self.halves else None,
        }


def changed(before: dict[str, Any], now: dict[str, Any]) -> Sequence[str]:
    """What sets two definitions apart, each in a few words."""
    parts: list[str] = []
    for name in now:
        if before.get(name) == now[name] or name in ("settings", "directions"):
            continue
        if name == "overrides":
            old_overrides = set(before.get(name) or [])
            parts += [f"without {one}" for one in sorted(set(now[name]) - old_overrides)]
            parts += [f"with {one}" for one in sorted(old_overrides - set(now[name]))]
        elif name == "searched":
            old = before.get(name) or {}
            names = {key for key in {*old, *now[name]} if old.get(key) != now[name].get(key)}
            parts.append(f"other values of {', '.join(sorted(names)) or 'its settings'}")
        else:
            parts.append(f"{name}={before.get(name)}")
    more = [f"and {len(parts) - _SHOWN} more"] if len(parts) > _SHOWN else []
    return [*parts[:_SHOWN], *more] or ["other settings in its files"]
