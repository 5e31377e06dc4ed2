"""A field of a settings dataclass, with what a person and a check need to know of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import field
from typing import Any


def setting(
    default: Any,
    help: str,
    *,
    unit: str | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | Callable[[], tuple[str, ...]] | None = None,
    words: tuple[str, ...] | None = None,
    record: type | None = None,
) -> Any:
    """A dataclass field that carries what a person and a check need to know of it.

    Args:
        default: The value where no layer sets one; lists and dicts are copied per instance.
        help: One or two sentences, shown in the configuration reference.
        unit: The unit of a number, as ``"seconds"``.
        minimum: Smallest value allowed, inclusive.
        maximum: Largest value allowed, inclusive.
        choices: The values allowed, for strings; or a function that gives them, called when a
            value is checked or shown (names of plug-ins), which imports nothing heavy. Read them
            from ``Setting.choices``.
        record: Of a mapping whose values are settings themselves the dataclass of those.
        words: The words that may stand in the place of a number, as ``auto``.
    """
    metadata = {
        "help": help,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "record": record,
        "words": words,
    }
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    if dataclasses.is_dataclass(default) and isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)
