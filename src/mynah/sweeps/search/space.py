"""What a search varies: each setting with the interval or the values that it is searched in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mynah.config.values import typed

Value = float | int | str
Point = Mapping[str, Value]

_DIGITS = 4  # of a proposed number: more of them change no error rate, and nobody reads them
_COUNTED = 100_000  # values that are held in memory


@dataclass(frozen=True)
class Interval:
    """Numbers between two bounds, both of them included.

    Attributes:
        key: The setting as it is typed, with its ``+`` where it has one.
        low: The smallest.
        high: The largest; above ``low``.
        integer: Whether they are whole numbers.
        log: Whether equal ratios are equally likely, and not equal distances.
        step: Distance of two neighbours; None: any number.
    """

    key: str
    low: float
    high: float
    integer: bool = False
    log: bool = False
    step: float | None = None

    @property
    def name(self) -> str:
        """The setting's dotted name."""
        return self.key.lstrip("+")

    @property
    def values(self) -> Sequence[Value] | None:
        """All of them; None: too many to count."""
        step = self.step or (1 if self.integer else None)
        if step is None:
            return None
        count = round((self.high - self.low) / step) + 1
        if count > _COUNTED:
            return None
        return [self.rounded(self.low + step * number) for number in range(count)]

    def rounded(self, value: Value) -> Value:
        """A proposed number as it is tried: with four digits, and not beyond a bound."""
        number = float(value)
        if self.integer:
            return round(number)
        shown = float(f"{number:.10g}" if self.step else f"{number:.{_DIGITS}g}")
        return min(max(shown, self.low), self.high)

    @property
    def definition(self) -> list[str]:
        """What tells it from another."""
        marks = [mark for mark, on in (("integer", self.integer), ("log", self.log)) if on]
        step = [] if self.step is None else [f"step {typed(self.step)}"]
        return [typed(self.low), typed(self.high), *marks, *step]

    def __str__(self) -> str:
        scale = ", log" if self.log else ""
        step = "" if self.step is None else f" in steps of {typed(self.step)}"
        return f"{typed(self.low)} to {typed(self.high)}{step}{scale}"


@dataclass(frozen=True)
class Choices:
    """Values without an order.

    Attributes:
        key: The setting or group as it is typed, with its ``+`` where it has one.
        values: As they are typed, each once.
    """

    key: str
    values: tuple[str, ...]

    @property
    def name(self) -> str:
        """The setting's dotted name."""
        return self.key.lstrip("+")

    def rounded(self, value: Value) -> Value:
        """As it is."""
        return value

    @property
    def definition(self) -> list[str]:
        """What tells it from another."""
        return sorted(self.values)

    def __str__(self) -> str:
        return ", ".join(self.values)


Dimension = Interval | Choices


@dataclass(frozen=True)
class Space:
    """All that a search varies.

    Attributes:
        dimensions: By the names of their settings, in the order they were typed in.
    """

    dimensions: Mapping[str, Dimension]

    @property
    def has_interval(self) -> bool:
        """Whether there is more in it than a grid has."""
        return any(isinstance(one, Interval) for one in self.dimensions.values())

    @property
    def size(self) -> float:
        """How many points it has; infinite where a setting has too many values to count."""
        values = [one.values for one in self.dimensions.values()]
        return math.prod(math.inf if one is None else len(one) for one in values)

    def points(self) -> Iterator[Point]:
        """All of them, the last setting varying first; none where they cannot be counted."""
        values = [one.values or () for one in self.dimensions.values()]
        for point in itertools.product(*values):
            yield dict(zip(self.dimensions, point, strict=True))

    def overrides(self, point: Point) -> list[str]:
        """A point as it is typed."""
        return [f"{self.dimensions[name].key}={typed(value)}" for name, value in point.items()]

    def corner(self) -> Point:
        """One of its points: the lower bounds, and the first of all values."""
        return {
            name: one.rounded(one.low) if isinstance(one, Interval) else one.values[0]
            for name, one in self.dimensions.items()
        }

    def opposite_corner(self) -> Point:
        """Another one: the upper bounds, and the last of all values."""
        return {
            name: one.rounded(one.high) if isinstance(one, Interval) else one.values[-1]
            for name, one in self.dimensions.items()
        }
