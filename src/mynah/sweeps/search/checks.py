"""What keeps a search from finding anything, said before its first training."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

from mynah.config import settings
from mynah.config.best_metric import asked_metrics, best_metric
from mynah.config.checks.checker import Checker
from mynah.config.origins import Origin
from mynah.config.schema import Config, Nature
from mynah.config.schema.launch import SLURM
from mynah.config.schema.sweep import OWN_OBJECTIVES
from mynah.config.values import typed
from mynah.errors import ConfigError, ConfigErrors, UserError
from mynah.sweeps.search.objectives import SPEED
from mynah.sweeps.search.plan import HALVING
from mynah.sweeps.search.space import Choices, Dimension, Space

_PACKAGE = "optuna"
_SEED = "training.seed"
_MOST_SEEDS = 10  # that may have been meant; an interval is of many
_LEARNED = Nature.STEP | Nature.ROWS | Nature.DECODING | Nature.LENGTH | Nature.WHEN
# What a split is measured with where nothing is asked for: by its script, and characters.
_BY_SCRIPT = ("wer", "mer", "cer")
_ITSELF = ("sweep", "launch", "hydra")


def check_machine(config: Config) -> None:
    """See that a search can run here.

    Raises:
        UserError: It is to be submitted, or Optuna is not installed.
    """
    if config.launch.launcher == SLURM:
        raise UserError(
            "A search chooses its next training by what the last ones came to, and jobs are "
            "submitted all at once.",
            where=f"launch.launcher={config.launch.launcher}",
            fix="leave launch out and give the command itself to sbatch (sbatch --wrap); or "
            "launch=ray; or type a grid",
        )
    if importlib.util.find_spec(_PACKAGE) is None:
        raise UserError(
            "A search needs Optuna, which is not installed.",
            where="-m with an interval, or with a setting of sweep",
            fix='pip install "mynah-asr[search]"; a grid (a,b,c) needs nothing',
        )


def check_search(
    space: Space,
    lines: Mapping[str, str],
    config: Config,
    origins: Mapping[str, Origin],
) -> None:
    """Report what is wrong with a search.

    Args:
        space: What is varied.
        lines: The argument of each setting that is varied, as typed.
        config: The settings of one of its points.
        origins: The layer that set each of them.

    Raises:
        ConfigErrors: All that is wrong.
    """
    errors = [
        error
        for dimension in space.dimensions.values()
        if (error := _wrong_dimension(dimension, lines[dimension.name], config)) is not None
    ]
    checker = Checker(config, origins)
    if not space.dimensions:
        changed = [
            name
            for name in settings.in_section("sweep")
            if checker.value(name) != settings.all_settings()[name].default
        ]
        checker.wrong(
            changed[0] if changed else "sweep.trials",
            "A search varies a setting at least, and this one varies none.",
            "training.learning_rate=tag(log,interval(1e-5,1e-3))",
        )
    _check_objectives(checker)
    if config.sweep.pruner == HALVING:
        _check_halving(checker)
    if config.sweep.seeds > 1 and config.eval_checkpoint is not None:
        checker.wrong(
            "sweep.seeds",
            "eval_checkpoint trains nothing, and other seeds measure the same.",
            "sweep.seeds=1",
        )
    if errors or checker.errors:
        raise ConfigErrors([*errors, *checker.errors])


def check_no_search(config: Config, origins: Mapping[str, Origin]) -> None:
    """Report settings of a search that were typed for a single run.

    Raises:
        ConfigErrors: There are some.
    """
    checker = Checker(config, origins)
    for name in settings.in_section("sweep"):
        origin = origins.get(name)
        is_typed = origin is not None and origin.layer == "command line"
        if is_typed and checker.value(name) != settings.all_settings()[name].default:
            checker.wrong(name, f"{name} is for a search: -m and values to search.", remove=True)
    if checker.errors:
        raise ConfigErrors(checker.errors)


def _wrong_dimension(dimension: Dimension, line: str, config: Config) -> ConfigError | None:
    name = dimension.name

    def wrong(what: str, *instead: str) -> ConfigError:
        return ConfigError(
            what, where=f"command line: {line}", argument=line, instead=instead or None
        )

    if name == _SEED:
        typed_seeds = dimension.values or ()
        first = typed_seeds[0] if typed_seeds else typed(config.training.seed)
        count = len(typed_seeds) if 0 < len(typed_seeds) <= _MOST_SEEDS else 3
        return wrong(
            "The best of several seeds is luck, and no setting to search: sweep.seeds repeats each "
            "point over seeds.",
            f"{dimension.key}={first}",
            f"sweep.seeds={count}",
        )
    if isinstance(dimension, Choices) and len(dimension.values) == 1:
        return wrong(
            "A choice of one point is nothing to search.", f"{dimension.key}={dimension.values[0]}"
        )
    if name.partition(".")[0].partition("/")[0] in _ITSELF:
        return wrong(f"{name} says how is searched, and cannot be searched itself.")
    found = settings.find(name)
    if found is None or found.nature & _LEARNED:
        return None
    speed = SPEED in (config.sweep.objectives or ())
    if speed and Nature.RUN in found.nature and not found.nature & (Nature.PATH | Nature.NAME):
        return None
    if Nature.MEASURED in found.nature:
        return wrong(f"{name} decides how is measured: its points cannot be compared.")
    return wrong(f"{name} changes nothing that is learned: there is nothing to search.")


def _check_objectives(checker: Checker) -> None:
    config = checker.config
    asked = config.sweep.objectives
    if config.data.eval_splits == [] and config.eval_checkpoint is None:
        checker.wrong(
            "data.eval_splits",
            "A search compares its points on an evaluation split, and data.eval_splits is empty.",
            "data.eval_splits=null",
        )
    if asked is None:
        return
    if not asked:
        checker.wrong("sweep.objectives", "Nothing is searched for.", "sweep.objectives=null")
    once = list(dict.fromkeys(asked))
    if len(once) < len(asked):
        checker.wrong(
            "sweep.objectives", "An objective is there twice.", f"sweep.objectives={_listed(once)}"
        )
        return
    measured = {*(asked_metrics(config) or _BY_SCRIPT), best_metric(config)}
    missing = [name for name in asked if name not in measured and name not in OWN_OBJECTIVES]
    if missing:
        kept = [*(asked_metrics(config) or ("wer", "cer")), *missing]
        checker.wrong(
            "sweep.objectives",
            f"{', '.join(missing)} is searched for and not measured: evaluation.metrics.",
            f"evaluation.metrics={_listed(kept)}",
        )


def _check_halving(checker: Checker) -> None:
    """Halving compares evaluations of one metric, made before the end."""
    config = checker.config
    training, objectives = config.training, config.sweep.objectives
    if config.eval_checkpoint is not None:
        checker.wrong(
            "sweep.pruner", "eval_checkpoint trains nothing that could be stopped.",
            "sweep.pruner=none",
        )  # fmt: skip
    elif training.eval_strategy == "no":
        checker.wrong(
            "sweep.pruner",
            "Halving compares evaluations during training: training.eval_strategy is no.",
            "sweep.pruner=none",
        )
    elif objectives is not None and len(objectives) > 1:
        checker.wrong(
            "sweep.pruner",
            f"Halving compares one number: sweep.objectives has {len(objectives)}.",
            "sweep.pruner=none",
        )
    elif objectives and objectives[0] in OWN_OBJECTIVES:
        checker.wrong(
            "sweep.pruner",
            f"{objectives[0]} is measured at the end alone, when there is nothing left to stop.",
            "sweep.pruner=none",
        )
    elif objectives and objectives[0] != best_metric(config):
        checker.wrong(
            "sweep.objectives",
            f"Halving compares by the metric that chooses checkpoints, and {objectives[0]} is "
            "searched for.",
            f"training.metric_for_best_model={objectives[0]}",
        )
    else:
        _check_first_step(checker)


def _check_first_step(checker: Checker) -> None:
    """Where all steps are known, the first time that a training may be stopped is before them."""
    training, how = checker.config.training, checker.config.sweep
    steps = training.max_steps
    if training.eval_strategy != "steps" or steps is None or steps <= 0:
        return
    every = training.eval_steps or training.logging_steps
    every = every * steps if every < 1 else every
    if every >= steps:
        checker.wrong(
            "sweep.pruner",
            f"The first evaluation is the last: training.eval_steps={every:g} of "
            f"training.max_steps={steps}. Halving would stop nothing.",
            f"training.eval_steps={max(steps // 4, 1)}" if steps > 1 else "sweep.pruner=none",
        )
    elif how.min_steps is not None and how.min_steps >= steps:
        checker.wrong(
            "sweep.min_steps",
            f"sweep.min_steps={how.min_steps} leaves nothing to stop of "
            f"training.max_steps={steps}.",
            "sweep.min_steps=null",
        )


def _listed(names: list[str]) -> str:
    return f"[{','.join(names)}]"
