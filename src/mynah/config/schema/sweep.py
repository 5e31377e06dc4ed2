"""Settings of ``sweep``: how a search over settings chooses what it tries."""

from __future__ import annotations

from dataclasses import dataclass

from mynah.config.plugins.metrics import metric_names
from mynah.config.schema.nature import Nature
from mynah.config.schema.setting import setting

OWN_OBJECTIVES = ("speed", "size")
_SEARCH = "sweep."


def is_search_setting(override: str) -> bool:
    """Whether an override is of how a search goes about, and of no training in it."""
    return override.lstrip("+~").startswith(_SEARCH)


@dataclass
class SweepConfig:
    """A search over settings: `-m` with an interval, or with any of these; a grid needs none."""

    trials: int | None = setting(
        None,
        "Points that a search tries; raise it to continue the same search. null: 20 if an "
        "interval is searched, otherwise every point of the grid.",
        nature=Nature.RUN,
        minimum=1,
    )
    sampler: str = setting(
        "tpe",
        "How the next point is chosen; tpe: from the results so far, after 10 random points; "
        "random: always at random.",
        nature=Nature.RUN,
        choices=("tpe", "random"),
    )
    seed: int = setting(
        0, "Seed of the proposed points.", nature=Nature.RUN, minimum=0, maximum=2**32 - 1
    )
    seeds: int = setting(
        1,
        "Trainings per point, with training.seed and the numbers that follow it; a point's result "
        "is their mean. Halving looks at the first only, and runs the others for the points that "
        "are left.",
        nature=Nature.RUN,
        minimum=1,
    )
    objectives: list[str] | None = setting(
        None,
        "What the search optimizes: metrics, speed (seconds of audio decoded in a second) and "
        "size (megabytes of the saved weights); null: the metric that chooses checkpoints. "
        "Several give a Pareto front.",
        nature=Nature.RUN,
        choices=lambda: (*metric_names(), *OWN_OBJECTIVES),
    )
    pruner: str = setting(
        "none",
        "What stops trainings that do badly; halving: of those measured at the same step only the "
        "best one in sweep.reduction_factor continues (successive halving, with one objective).",
        nature=Nature.RUN,
        choices=("none", "halving"),
    )
    reduction_factor: int = setting(
        3,
        "In halving, one training in this many continues, for this many times the steps.",
        nature=Nature.RUN,
        minimum=2,
    )
    min_steps: int | None = setting(
        None,
        "Steps before halving stops a training for the first time; null: those of the first "
        "evaluation.",
        nature=Nature.RUN,
        unit="steps",
        minimum=1,
    )
    storage: str = setting(
        "journal",
        "The file in the sweep's folder that stores the trials; journal: search.journal, which "
        "also works on network drives; sqlite: search.sqlite3.",
        nature=Nature.RUN,
        choices=("journal", "sqlite"),
    )
