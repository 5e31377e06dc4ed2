"""Fields of a listing as what they mean; an error names the file and the line."""

from __future__ import annotations

import math
from typing import Any

from mynah.errors import UserError

_TRUE = frozenset({"true", "yes", "1", "y", "t"})
_FALSE = frozenset({"false", "no", "0", "n", "f", "", "none", "null"})
_LEFT_RIGHT = {"a": 0, "b": 1, "left": 0, "right": 1, "l": 0, "r": 1}
_LONGEST_SECONDS = 1e7  # of a recording: four months


def text(value: Any, what: str, where: str) -> str:
    """Words, "" where there are none.

    Raises:
        UserError: It is a list, an object or a truth value, or not valid Unicode.
    """
    if type(value) is str and value.isascii():  # as most are
        return value
    if value is None or value != value:  # NaN: a cell that holds nothing
        return ""
    if isinstance(value, list | dict | bytes | bool):
        raise UserError(f"The {what} is not text but {_kind(value)}.", where=where)
    found = str(value)
    if not found.isascii():
        try:
            found.encode("utf-8")
        except UnicodeEncodeError:  # half of a pair of code units: \ud800
            raise UserError(f"The {what} is not valid Unicode.", where=where) from None
    return found


def terms(value: Any, what: str, where: str) -> str:
    """Names and terms, a list of them with commas between, "" where there are none.

    Raises:
        UserError: It is an object, or not valid Unicode.
    """
    if isinstance(value, list):
        return ", ".join(filter(None, (text(one, what, where).strip() for one in value)))
    return " ".join(text(value, what, where).split())


def seconds(value: Any, what: str, where: str) -> float:
    """A time, 0 or more.

    Raises:
        UserError: It is not a number of seconds.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        found = float(value)
        if not math.isfinite(found) or not 0 <= found <= _LONGEST_SECONDS:
            raise ValueError
    except (ValueError, OverflowError):
        raise UserError(
            f"The {what} is not a number of seconds: {_shown(value)}.", where=where
        ) from None
    return found


def piece(start: float, end: float, where: str) -> float:
    """The length of a piece of a recording in seconds.

    Raises:
        UserError: It does not end after it begins.
    """
    if not end > start:
        raise UserError(
            f"The piece ends at {end:g} s, no later than it begins, at {start:g} s.", where=where
        )
    return end - start


def channel(value: Any, where: str) -> int:
    """A channel, counted from 0; A and B, left and right are 0 and 1.

    Raises:
        UserError: It is none.
    """
    if isinstance(value, str) and value.strip().lower() in _LEFT_RIGHT:
        return _LEFT_RIGHT[value.strip().lower()]
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        found = float(value)
        if not found.is_integer() or not 0 <= found < 1024:
            raise ValueError
    except (ValueError, OverflowError):
        raise UserError(
            f"{_shown(value)} is not a channel: they are counted 0, 1, … or called A and B.",
            where=where,
        ) from None
    return int(found)


def truth(value: Any, what: str, where: str) -> bool:
    """Yes or no.

    Raises:
        UserError: It is neither.
    """
    if isinstance(value, bool) or value is None:
        return bool(value)
    written = str(value).strip().lower().removesuffix(".0")
    if written in _TRUE or written in _FALSE:
        return written in _TRUE
    raise UserError(f"{what} is neither true nor false: {_shown(value)}.", where=where)


def _kind(value: Any) -> str:
    kinds = {"list": "a list", "dict": "an object", "bool": "true or false"}
    return kinds.get(type(value).__name__, "binary")


def _shown(value: Any) -> str:
    written = repr(value)
    return written if len(written) <= 40 else written[:40] + "…"
