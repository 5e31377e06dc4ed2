"""What a part found: one line each, written as it is found, so that nothing is lost with it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

Value = float | int | str | bool | None


@dataclass(frozen=True)
class Line:
    """One thing that was checked or measured.

    Attributes:
        what: What, in words.
        value: What was found.
        unit: Of the value.
        expected: What it should be, and by whose account.
        held: Whether it is; None where nothing is expected and the value is a figure.
    """

    what: str
    value: Value
    unit: str = ""
    expected: str = ""
    held: bool | None = None

    def row(self) -> str:
        """A line of the table."""
        mark = {True: "held", False: "NOT", None: ""}[self.held]
        value = f"{self.value:.4g}" if isinstance(self.value, float) else str(self.value)
        shown = f"{value} {self.unit}".strip()
        expected = f"expected: {self.expected}" if self.expected else ""
        return f"  {mark:4}  {self.what:56} {shown:>24}  {expected}".rstrip()


class Lines:
    """Appends lines to a file, which another process reads while they are written.

    Args:
        file: JSON, a line each.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def figure(self, what: str, value: Value, unit: str = "") -> None:
        """Add what is only measured."""
        self._add(Line(what, value, unit))

    def check(self, what: str, value: Value, unit: str = "", *, expected: str, held: bool) -> bool:
        """Add what is expected to be so; whether it is."""
        self._add(Line(what, value, unit, expected, bool(held)))
        return held

    def _add(self, line: Line) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(line)) + "\n")


def read_lines(file: Path) -> list[Line]:
    """The complete lines of a file, which may be in the middle of being written."""
    if not file.exists():
        return []
    text = file.read_text(encoding="utf-8")
    return [Line(**json.loads(one)) for one in text.split("\n")[:-1]]
