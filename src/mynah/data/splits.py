"""What a setting such as ``train.100[:500]`` means."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mynah.errors import UserError

_SPECIFICATION = re.compile(
    r"^(?P<name>[^\[\]]+?)\s*(\[\s*(?P<start>-?\d+%?)?\s*:\s*(?P<stop>-?\d+%?)?\s*\])?$"
)


@dataclass(frozen=True)
class SplitSlice:
    """A split's name, and which of its rows are meant: ``start`` and ``stop`` are rows or,
    ending in %, shares, as in the hub's notation."""

    name: str
    start: str | None = None
    stop: str | None = None

    def rows(self, total: int) -> range:
        """The rows meant, of ``total``."""
        start = 0 if self.start is None else _position(self.start, total)
        stop = total if self.stop is None else _position(self.stop, total)
        return range(min(start, total), min(max(stop, start), total))

    @property
    def first_rows(self) -> int | None:
        """How many of the split's first rows are enough, None: all of them."""
        if self.stop is None or "%" in self.stop or self.stop.startswith("-"):
            return None
        if self.start is not None and ("%" in self.start or self.start.startswith("-")):
            return None
        return int(self.stop)

    def __str__(self) -> str:
        if self.start is None and self.stop is None:
            return self.name
        return f"{self.name}[{self.start or ''}:{self.stop or ''}]"


def parse_split(specification: str) -> list[SplitSlice]:
    """The slices of a setting: ``train``, ``train[:10%]``, ``train.100[5:20]``, ``a+b``.

    Raises:
        UserError: It is written otherwise.
    """
    slices = []
    for part in specification.split("+"):
        match = _SPECIFICATION.match(part.strip())
        if match is None:
            raise UserError(
                f"{specification!r} is not a split.",
                where="data.train_splits, data.eval_splits",
                fix="Write a name, or a name with a slice: train, train[:500], train[90%:]",
            )
        slices.append(SplitSlice(match["name"], match["start"], match["stop"]))
    return slices


def _position(written: str, total: int) -> int:
    if written.endswith("%"):
        share = int(written[:-1])
        position = round(total * share / 100)
    else:
        position = int(written)
    return max(position + total, 0) if position < 0 else position
