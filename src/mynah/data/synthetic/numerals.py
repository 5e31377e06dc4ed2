"""Numbers, times, dates, prices and addresses in spoken English words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = [
    "zero",
    "ten",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
]
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip


def cardinal(number: int) -> str:
    """0 to 999,999 in words: 342 is ``three hundred and forty two``."""
    if number < 20:
        return _SMALL[number]
    if number < 100:
        ten, one = divmod(number, 10)
        return _TENS[ten] + (f" {_SMALL[one]}" if one else "")
    if number < 1000:
        hundred, rest = divmod(number, 100)
        return f"{_SMALL[hundred]} hundred" + (f" and {cardinal(rest)}" if rest else "")
    thousand, rest = divmod(number, 1000)
    joint = " and " if rest < 100 else " "
    return f"{cardinal(thousand)} thousand" + (f"{joint}{cardinal(rest)}" if rest else "")


def ordinal(number: int) -> str:
    """1 to 99 in words: 21 is ``twenty first``."""
    head, space, last = cardinal(number).rpartition(" ")
    if last in _ORDINALS:
        made = _ORDINALS[last]
    else:
        made = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return head + space + made


def year(number: int) -> str:
    """A year as it is said: 1984 is ``nineteen eighty four``, 2006 ``two thousand and six``."""
    century, rest = divmod(number, 100)
    if 2000 <= number < 2010:
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def sample_number(
    content: str, generator: np.random.Generator, words: Mapping[str, Sequence[str]]
) -> str:
    """A made slot of a template, as ``number 2 90 5`` or ``time``, in words.

    Raises:
        KeyError: There is no such slot.
    """
    kind, *arguments = content.split()
    return _MADE[kind](_Draw(generator, words), *(int(argument) for argument in arguments))


class _Draw:
    def __init__(self, generator: np.random.Generator, words: Mapping[str, Sequence[str]]) -> None:
        self.generator = generator
        self.words = words

    def between(self, low: int, high: int, step: int = 1) -> int:
        return low + step * int(self.generator.integers((high - low) // step + 1))

    def one(self, choices: Sequence[str]) -> str:
        return choices[self.between(0, len(choices) - 1)]


def _time(draw: _Draw) -> str:
    hour = _SMALL[draw.between(1, 12)]
    how = draw.between(0, 6)
    if how == 0:
        said = f"{hour} o'clock"
    elif how == 1:
        said = f"half past {hour}"
    elif how == 2:
        said = f"quarter {draw.one(('to', 'past'))} {hour}"
    elif how == 3:
        said = f"{cardinal(draw.between(5, 25, 5))} {draw.one(('to', 'past'))} {hour}"
    elif how == 4:
        said = draw.one(("noon", "midnight", hour))
        return said if said != hour else f"{hour} {draw.one(_DAY_PARTS)}"
    else:
        return f"{hour} {cardinal(draw.between(10, 59))}"
    return f"{said} {draw.one(_DAY_PARTS)}" if draw.between(0, 3) == 0 else said


_DAY_PARTS = ("in the morning", "in the afternoon", "in the evening", "at night", "tomorrow")


def _duration(draw: _Draw) -> str:
    how = draw.between(0, 5)
    if how == 0:
        return f"{cardinal(draw.between(2, 24))} hours"
    if how == 1:
        return f"{cardinal(draw.between(10, 90, 5))} seconds"
    if how == 2:
        return draw.one(("an hour and a half", "half an hour", "a quarter of an hour", "an hour"))
    if how == 3:
        hours = draw.between(1, 5)
        return (
            f"{cardinal(hours)} hour{'s' if hours > 1 else ''} and "
            f"{cardinal(draw.between(2, 55))} minutes"
        )
    return f"{cardinal(draw.between(2, 90))} minutes"


def _date(draw: _Draw) -> str:
    day, month = ordinal(draw.between(1, 31)), draw.one(draw.words["month"])
    return draw.one((f"{month} {day}", f"{month} the {day}", f"the {day} of {month}"))


def _price(draw: _Draw) -> str:
    currency = draw.one(("dollars", "pounds", "euros"))
    how = draw.between(0, 3)
    if how == 0:
        return f"{cardinal(draw.between(2, 900))} {currency}"
    if how == 1:
        return f"{cardinal(draw.between(2, 60))} {currency} {cardinal(draw.between(10, 95, 5))}"
    if how == 2:
        return f"{cardinal(draw.between(2, 60))} ninety nine"
    return f"{cardinal(draw.between(5, 95))} {draw.one(('cents', 'pence'))}"


def _digits(draw: _Draw, count: int) -> str:
    return " ".join(_SMALL[draw.between(0, 9)] for _ in range(count))


_MADE: dict[str, Callable[..., str]] = {
    "number": lambda draw, *limits: cardinal(draw.between(*limits)),
    "ordinal": lambda draw, low, high: ordinal(draw.between(low, high)),
    "digits": _digits,
    "phone": lambda draw: _digits(draw, draw.between(6, 9)),
    "decimal": lambda draw: (
        f"{cardinal(draw.between(0, 40))} point {_digits(draw, draw.between(1, 2))}"
    ),
    "year": lambda draw: year(draw.between(1750, 2030)),
    "time": _time,
    "duration": _duration,
    "date": _date,
    "price": _price,
    "address": lambda draw: (
        f"{cardinal(draw.between(1, 250))} {draw.one(draw.words['street'])} "
        f"{draw.one(draw.words['street kind'])}"
    ),
}
