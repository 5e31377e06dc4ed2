"""Reads what a search varies from the command line, in Hydra's own words for it.

``interval(a,b)``, ``tag(log,interval(a,b))``, ``range(a,b,step)``, ``choice(a,b)`` and ``a,b``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args, get_origin

from mynah.config import settings
from mynah.config.schema.launch import is_launch
from mynah.config.schema.sweep import is_search_setting
from mynah.config.values import typed
from mynah.errors import ConfigError, ConfigErrors
from mynah.sweeps.search.space import Choices, Dimension, Interval, Space

if TYPE_CHECKING:
    from hydra.core.override_parser.types import IntervalSweep, Override

_LOG = "log"
_EXTENT = ("sweep.trials", "sweep.storage")


def is_extent(override: str) -> bool:
    """Whether an override says how far a search goes and where it is kept: more trials are more of
    the same search."""
    return override.lstrip("+~").partition("=")[0] in _EXTENT


def read_space(overrides: Sequence[Override]) -> tuple[Space, list[str]]:
    """What is varied, and the overrides that all trainings share.

    Args:
        overrides: As Hydra parses them. Where one key is there twice, the last counts.

    Raises:
        ConfigErrors: Something is varied that cannot be, or not like this.
    """
    dimensions: dict[str, Dimension] = {}
    fixed = []
    errors = []
    for override in overrides:
        line = str(override.input_line)
        if not override.is_sweep_override():
            if not is_launch(line) and not is_search_setting(line):
                fixed.append(line)
            continue
        try:
            found = read_dimension(override)
        except ConfigError as problem:
            errors.append(problem)
        else:
            dimensions[found.name] = found
    if errors:
        raise ConfigErrors(errors)
    return Space(dimensions), fixed


def read_dimension(override: Override) -> Dimension:
    """One setting with what it is searched in.

    Args:
        override: One that has more than one value.

    Raises:
        ConfigError: See :func:`read_space`.
    """
    from hydra.core.override_parser.types import IntervalSweep, RangeSweep

    sweep: Any = override.value()
    tags = set(getattr(sweep, "tags", ()))
    if tags - {_LOG}:
        raise _error(
            override,
            f"The tag of an interval is log, and not {', '.join(sorted(tags - {_LOG}))}.",
            fix=f"{override.get_key_element()}=tag(log,interval(1e-5,1e-3))",
        )
    if isinstance(sweep, IntervalSweep):
        return _interval(override, sweep, log=_LOG in tags)
    if tags:
        raise _error(override, "The tag log is for an interval.", fix="leave the tag out")
    values = [str(value) for value in override.sweep_string_iterator()]
    if isinstance(sweep, RangeSweep) and len(values) > 1:
        return _range(override, [float(value) for value in values])
    return Choices(override.get_key_element(), tuple(dict.fromkeys(values)))


def _interval(override: Override, sweep: IntervalSweep, *, log: bool) -> Interval:
    key, name = override.get_key_element(), str(override.key_or_group)
    low, high = float(sweep.start or 0.0), float(sweep.end or 0.0)
    shown = f"{typed(low)} and {typed(high)}"
    # int(interval(1,8)) asks for whole numbers where a setting takes others too.
    whole = _is_whole(override, name) or isinstance(sweep.start, int)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise _error(
            override,
            f"An interval lies between two numbers, and not between {shown}.",
            fix=f"{key}=interval(1e-5,1e-3)",
        )
    if low == high:
        raise _error(override, "An interval of one point is nothing to search.", typed(low))
    if low > high:
        raise _error(
            override,
            f"The bounds {shown} are in the wrong order.",
            _written(high, low, log, whole),
        )
    if log and low <= 0:
        raise _error(
            override,
            f"A logarithmic interval lies above 0, and this one begins at {typed(low)}.",
            _written(high / 1000, high, log, whole) if high > 0 and not whole else None,
            fix="give it a lower bound above 0",
        )
    if whole and not (low.is_integer() and high.is_integer()):
        raise _error(
            override,
            f"{name} takes whole numbers: the bounds {shown} must be such.",
            _written(float(math.ceil(low)), float(math.floor(high)), log, whole)
            if math.ceil(low) < math.floor(high)
            else None,
            fix="give it bounds that are whole numbers",
        )
    return Interval(key, low, high, integer=whole, log=log)


def _is_whole(override: Override, name: str) -> bool:
    """Whether a setting takes whole numbers alone.

    Raises:
        ConfigError: It takes no numbers.
    """
    found = settings.find(name)
    if found is None and "." in name and not name.startswith("hydra."):
        return False  # there is no such setting, which composing says
    kind: Any = None
    if found is not None:
        record, rest = found.record, name.removeprefix(found.name).lstrip(".").split(".")
        kind = record[rest[1]].type if record and len(rest) == 2 and rest[1] in record else None
        if kind is None and found.is_mapping:
            return False  # a value of any type
        kind = kind or found.type
    is_list = get_origin(settings.without_none(kind)) is list
    kinds = set() if is_list else set(get_args(kind)) or {kind}
    if float in kinds:
        return False
    if int in kinds:
        return True
    what = settings.describe_values(found) if found is not None else "the name of one of its files"
    raise _error(
        override,
        f"interval() is for numbers, and {name} takes {what}.",
        fix=f"name its values: {override.get_key_element()}=choice(a,b)",
    )


def _range(override: Override, values: Sequence[float]) -> Interval:
    """Numbers at equal distances, in rising order."""
    low, high = min(values), max(values)
    whole = all(value.is_integer() for value in values)
    step = (high - low) / (len(values) - 1)
    exact = round(step) if whole else float(f"{step:.10g}")
    return Interval(override.get_key_element(), low, high, integer=whole, step=exact)


def with_bounds(interval: Interval, bounds: Sequence[str]) -> str:
    """An interval as it is typed, between other bounds."""
    inside = f"interval({','.join(bounds)})"
    return f"{interval.key}={f'tag(log,{inside})' if interval.log else inside}"


def _written(low: float, high: float, log: bool, whole: bool) -> str:
    # To Hydra 1e+06 has a fraction.
    ends = [typed(round(end) if whole and end.is_integer() else end) for end in (low, high)]
    inside = f"interval({','.join(ends)})"
    return f"tag(log,{inside})" if log else inside


def _error(
    override: Override, what: str, instead: str | None = None, *, fix: str | None = None
) -> ConfigError:
    line = str(override.input_line)
    return ConfigError(
        what,
        where=f"command line: {line}",
        fix=None if instead else fix,
        argument=line if instead else None,
        instead=f"{override.get_key_element()}={instead}" if instead else None,
    )
