"""A field of a settings dataclass, with what a person and a check need to know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any

from mynah.config.schema.nature import Nature


def setting(
    default: Any,
    help: str,
    *,
    nature: Nature,
    unit: str | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | Callable[[], tuple[str, ...]] | None = None,
    words: tuple[str, ...] | None = None,
    record: type | None = None,
    derived: str | None = None,
    instead: str | None = None,
) -> Any:
    """A dataclass field that carries what a person and a check need to know of it.

    Args:
        default: The value where no layer sets one; lists and dicts are copied per instance.
        help: One or two sentences, shown in the configuration reference.
        nature: What it decides, and what else it is.
        unit: The unit of a number, as ``"seconds"``.
        minimum: Smallest value allowed, inclusive.
        maximum: Largest value allowed, inclusive.
        choices: The values allowed, for strings; or a function that gives them, called when a
            value is checked or shown (names of plug-ins), which imports nothing heavy. Read them
            from ``Setting.choices``.
        record: Of a mapping whose values are settings themselves the dataclass of those.
        words: The words that may stand in the place of a number, as ``auto``.
        derived: What the value follows from where it is null.
        instead: What is proposed in the place of a value out of range, and of a text where there is
            true or false; empty: to leave it out;
            None: the nearest bound.
    """
    metadata = {
        "help": help,
        "nature": nature,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "record": record,
        "words": words,
        "derived": derived,
        "instead": instead,
    }
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def section(settings: type, help: str) -> Any:
    """A dataclass field that holds settings of its own, those of the dataclass ``settings``."""
    return field(default_factory=settings, metadata={"help": help})
