"""A search on the command line: whether one is asked for, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mynah.config.hydra.compose import parse_overrides
from mynah.config.schema import SweepConfig
from mynah.errors import ConfigError, ConfigErrors
from mynah.sweeps.search.checks import check_machine, check_no_search, check_search
from mynah.sweeps.search.reading import read_dimension, read_space, with_bounds
from mynah.sweeps.search.space import Interval

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

    from mynah.config.hydra.compose import Composed

_SWEEPER = "hydra/sweeper"


def sweeper(composed: Composed) -> list[str]:
    """Hydra's choice of a sweeper: none for a grid, or where one was typed.

    Args:
        composed: A sweep, checked.

    Raises:
        UserError: A search cannot run here.
    """
    if not _searches(composed.arguments, composed):
        return []
    check_machine(composed.config)
    return [f"{_SWEEPER}=mynah_search"]


def check_sweep_settings(
    overrides: Sequence[str], composed: Composed, *, is_sweep: bool = True
) -> None:
    """Report what is wrong with a sweep that is a search, and settings of one in a single run.

    Args:
        overrides: As typed.
        composed: The settings of one of its jobs, or of the run.
        is_sweep: Whether it is not a single run.

    Raises:
        ConfigErrors: All that is wrong.
    """
    if not is_sweep:
        check_no_search(composed.config, composed.origins)
    if not is_sweep or not _searches(overrides, composed):
        return
    parsed = parse_overrides(overrides)
    space, _ = read_space(parsed)
    lines = {
        one.get_key_element().lstrip("+"): str(one.input_line)
        for one in parsed
        if one.is_sweep_override()
    }
    check_search(space, lines, composed.config, composed.origins)


def bounds(override: Override) -> list[str]:
    """Both ends of an interval, each as it would be typed by itself.

    Raises:
        ConfigErrors: It is not one that can be searched.
    """
    try:
        found = read_dimension(override)
    except ConfigError as problem:
        raise ConfigErrors([problem]) from problem
    assert isinstance(found, Interval)
    return found.definition[:2]


def of_intervals(problem: ConfigErrors, overrides: Sequence[str]) -> ConfigErrors:
    """The mistakes of a job, those of an interval's ends as of the interval that was typed."""
    typed: dict[str, tuple[str, Interval]] = {}
    for override in parse_overrides(overrides):
        if override.is_sweep_override() and override.is_interval_sweep():
            found = read_dimension(override)
            assert isinstance(found, Interval)
            line = str(override.input_line)
            typed |= {f"{found.key}={end}": (line, found) for end in found.definition[:2]}
    for error in problem.errors:
        where = (error.where or "").removeprefix("command line: ")
        if not isinstance(error, ConfigError) or where not in typed:
            continue
        line, interval = typed[where]
        error.where = f"command line: {line}"
        (_, _, end), (key, _, nearest) = (
            str(text or "").partition("=") for text in (where, error.instead)
        )
        interval = replace(interval, key=key or interval.key)  # where the name is mistyped
        ends = [nearest if one == end and nearest else one for one in interval.definition[:2]]
        error.argument, error.instead = line, with_bounds(interval, ends)
        if not nearest:
            error.argument = error.instead = None
            error.fix = error.fix or "give the interval other bounds"
    return problem


def _searches(overrides: Sequence[str], composed: Composed) -> bool:
    if any(text.startswith(f"{_SWEEPER}=") for text in overrides):
        return False
    parsed = parse_overrides(overrides)
    has_interval = any(one.is_sweep_override() and one.is_interval_sweep() for one in parsed)
    return has_interval or composed.config.sweep != SweepConfig()
