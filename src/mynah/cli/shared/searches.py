"""A search on the command line: whether one is asked for, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mynah.config import settings
from mynah.config.hydra.overrides import parse_overrides
from mynah.config.mistakes.command_line import plain_value
from mynah.config.schema import SweepConfig
from mynah.config.values import typed, value_mistake
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


def values_of(override: Override) -> list[str]:
    """What is swept, each value as it would be typed by itself; of an interval both ends.

    Raises:
        ConfigErrors: It is an interval that cannot be searched.
    """
    if not override.is_interval_sweep():
        return [str(one) for one in override.sweep_string_iterator()]
    try:
        found = _interval(override)
    except ConfigError as problem:
        raise ConfigErrors([problem]) from problem
    return [typed(round(end) if found.integer else end) for end in (found.low, found.high)]


def _interval(override: Override) -> Interval:
    found = read_dimension(override)
    assert isinstance(found, Interval)
    return found


def of_swept(problem: ConfigErrors, overrides: Sequence[str]) -> ConfigErrors:
    """The mistakes of a job, those of a value as of the values or the interval that was typed."""
    swept: dict[str, tuple[Override, list[str]]] = {}
    for override in parse_overrides(overrides):
        if override.is_sweep_override():
            values = values_of(override)
            swept |= {f"{override.get_key_element()}={one}": (override, values) for one in values}
    for error in problem.errors:
        where = (error.where or "").removeprefix("command line: ")
        if not isinstance(error, ConfigError) or where not in swept:
            continue
        override, values = swept[where]
        line = str(override.input_line)
        error.where = f"command line: {line}"
        if error.argument is None:
            continue
        error.argument = line
        error.instead = _instead(override, values, where, error.instead)
        if error.instead is None:
            error.argument = None
            error.fix = error.fix or _way_out(override, values)
    return problem


def tried(key: str, values: Sequence[str]) -> tuple[list[str], str | None]:
    """What of swept values can be tried, and what is wrong with the first that cannot.

    Args:
        key: The setting, as typed.
        values: What it was given.

    Returns:
        The values, each that is out of range or mistyped replaced by the nearest, without those
        that nothing is near to; and one sentence, None where all are right.
    """
    found = settings.find(key.lstrip("+"))
    if found is None:
        return list(values), None
    kept, what = [], None
    for text in values:
        (override,) = parse_overrides([f"{key}={text}"])
        mistake = value_mistake(found, found.name, plain_value(override))
        if mistake is None:
            kept.append(text)
            continue
        what = what or mistake.what
        if mistake.instead is not None and not mistake.is_default:
            kept.append(mistake.instead)
    return list(dict.fromkeys(kept)), what


def _way_out(override: Override, values: Sequence[str]) -> str | None:
    if override.is_interval_sweep():
        return "give the interval other bounds"
    return "leave that value out" if tried(override.get_key_element(), values)[0] else None


def _instead(
    override: Override, values: Sequence[str], wrong: str, right: str | Sequence[str] | None
) -> str | None:
    """What was swept with the nearest value in the place of a wrong one; None: none is known."""
    if right is not None and not isinstance(right, str):
        return None
    own = override.get_key_element()
    value = wrong.partition("=")[2]
    key, _, nearest = (right or "").partition("=")
    key = key or own  # where the name is mistyped, the right one
    if override.is_interval_sweep():
        found = replace(_interval(override), key=key)
        ends = [nearest if one == value and nearest else one for one in values]
        return with_bounds(found, ends) if nearest else None
    kept, what = tried(key, values)
    if what is None:  # the value by itself is right
        kept = [nearest if one == value else one for one in values if nearest or one != value]
    return f"{key}={','.join(dict.fromkeys(kept))}" if kept else None


def _searches(overrides: Sequence[str], composed: Composed) -> bool:
    if any(text.startswith(f"{_SWEEPER}=") for text in overrides):
        return False
    parsed = parse_overrides(overrides)
    has_interval = any(one.is_sweep_override() and one.is_interval_sweep() for one in parsed)
    return has_interval or composed.config.sweep != SweepConfig()
