"""Sizes that a checkpoint's configuration asks for, looked at before anything is built."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mynah.errors import UserError

_MOST_LAYERS = 4_096  # the deepest recognizers have some 60
_MOST = 2**26  # of any other size; the largest vocabularies have 2**18 pieces
_COUNTED = ("layers", "size", "dim", "d_model", "heads", "channels", "width", "bins", "positions")


def check_sizes(directory: Path) -> None:
    """Raise where no model of the sizes in ``config.json`` can be meant.

    One number that was edited, and building the model takes all memory, or never ends.

    Raises:
        UserError: The file is not an object of JSON, or a size is out of all proportion.
    """
    file = directory / "config.json"
    if not file.is_file():
        return
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise _wrong(file, "it is not an object")
    for name, number in _numbers(content):
        limit = _MOST_LAYERS if "layers" in name else _MOST
        if number > limit or (number < 0 and "layers" in name):
            raise _wrong(file, f"{name} is {number}")


def _numbers(content: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in content.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                yield from _numbers(one)
            elif isinstance(one, int | float) and any(word in str(name) for word in _COUNTED):
                yield str(name), one


def _wrong(file: Path, reason: str) -> UserError:
    return UserError(
        f"The checkpoint's configuration cannot be meant: {reason}.",
        where=str(file),
        fix="the file is damaged or was edited; use another checkpoint, or copy it again",
    )
