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
        "Points that a search tries, more of the same search where it is raised; null: 20 where an "
        "interval is searched, and without one every point of the grid.",
        nature=Nature.RUN,
        minimum=1,
    )
    sampler: str = setting(
        "tpe",
        "What proposes the next point; tpe: from the results so far, after 10 random ones; random: "
        "without them.",
        nature=Nature.RUN,
        choices=("tpe", "random"),
    )
    seed: int = setting(
        0, "Seed of the proposed points.", nature=Nature.RUN, minimum=0, maximum=2**32 - 1
    )
    seeds: int = setting(
        1,
        "Trainings of each point, with training.seed and the numbers that follow it; a point is "
        "worth their mean. Halving looks at the first, and trains the others of what is left.",
        nature=Nature.RUN,
        minimum=1,
    )
    objectives: list[str] | None = setting(
        None,
        "What is searched for: metrics, speed (seconds of audio decoded in a second) and size "
        "(megabytes of the saved weights); null: the metric that chooses checkpoints. Several give "
        "a Pareto front.",
        nature=Nature.RUN,
        choices=lambda: (*metric_names(), *OWN_OBJECTIVES),
    )
    pruner: str = setting(
        "none",
        "What stops a training that does badly; halving: of those measured at the same step only "
        "the best in sweep.reduction_factor continue (successive halving, with one objective).",
        nature=Nature.RUN,
        choices=("none", "halving"),
    )
    reduction_factor: int = setting(
        3,
        "One in so many continues, to so many times the steps.",
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
        "The file of the trials in the sweep's folder; journal: search.journal, also on network "
        "drives; sqlite: search.sqlite3.",
        nature=Nature.RUN,
        choices=("journal", "sqlite"),
    )
