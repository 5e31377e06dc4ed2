"""Columns of a listing that Mynah has no use for itself, as gender, accent or domain: kept for
error rates by them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

_MOST = 40  # columns of a row
_LONGEST_NAME = 60  # characters
_LONGEST_VALUE = 120  # characters; what is longer is text and no group


def as_columns(row: Mapping[str, Any], names: Iterable[str] | None = None) -> str:
    """Columns of a row as :attr:`mynah.data.row.Row.columns` holds them.

    Args:
        row: Values by the listing's own names.
        names: The columns that are meant; None: all.

    Returns:
        An object of JSON, text by name; "" where no value is a short text, a number or a truth
        value.
    """
    found: dict[str, str] = {}
    for name in row if names is None else names:
        value = _text(row[name])
        if value and len(name) <= _LONGEST_NAME and len(found) < _MOST:
            found[_in_utf8(name.strip())] = value
    return json.dumps(found, ensure_ascii=False) if found else ""


def _text(value: Any) -> str:
    """A value as text, "" where it is nothing or more than a name or a number."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float) or value != value:
        return ""
    text = " ".join(str(value).split())
    return _in_utf8(text) if len(text) <= _LONGEST_VALUE else ""


def _in_utf8(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
