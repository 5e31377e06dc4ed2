"""Lengths of time as people and SLURM write them."""

from __future__ import annotations

import re

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WITH_UNITS = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_CLOCK = re.compile(
    r"(?:(?P<days>\d+)-)?(?P<hours>\d+):(?P<minutes>\d{1,2})(?::(?P<seconds>\d\d))?"
)


def parse_duration(text: str) -> float:
    """Seconds of ``90m``, ``1.5h``, ``2d12h``, ``12:30:00``, ``12:30`` or ``2-12:00:00``.

    With colons it is hours, minutes and seconds, days before a hyphen, as in ``sbatch --time``
    (two numbers are hours and minutes here, always).

    Raises:
        ValueError: It is written otherwise, or no time at all.
    """
    written = text.strip().lower().replace(" ", "")
    clock = _CLOCK.fullmatch(written)
    if clock:
        days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        total = float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    elif _WITH_UNITS.fullmatch(written):
        parts = re.findall(r"([\d.]+)([smhd])", written)
        total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    else:
        raise ValueError(f"{text!r} is not a length of time")
    if total <= 0:
        raise ValueError(f"{text!r} is not a time at all")
    return total
