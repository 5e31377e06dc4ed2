"""What NIST's formats CTM and STM share: lines of fields, channels, times in seconds."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mynah.segmentation.timed_transcripts.entry import malformed

UNKNOWN_WORD = "<unk>"
# What is passed over, as messages name it.
MARKS = "marks of noises and hesitations, as [noise] and %uh"
ALTERNATIVES = "alternatives behind the first"


def nist_fields(
    text: str, where: str, *, unit: str, layout: str, most: int | None = None
) -> Iterator[tuple[int, list[str]]]:
    """The fields of each line of a CTM or STM file, with its number; comments are passed over.

    Args:
        text: The file.
        where: Its path, for messages.
        unit: What a line holds, as ``"word"``.
        layout: Its fields in their order, for messages.
        most: How many fields there are at most, the rest of a line being the last; None: any.

    Raises:
        UserError: A line has less than five.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith(";;"):
            continue
        fields = line.split(maxsplit=-1 if most is None else most - 1)
        if len(fields) < 5:
            raise malformed(
                f"A {unit} has at least five fields, and this line has {len(fields)}.",
                where,
                number,
                fix=layout,
            )
        yield number, fields


def timed_seconds(text: str, where: str, line: int) -> float:
    """A time as a number of seconds.

    Raises:
        UserError: It is none, or negative.
    """
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise malformed(f"{text[:40]!r} is not a time in seconds.", where, line)
    return found


def channel_number(text: str) -> int | None:
    """A channel as STM and CTM name it: A, B or 1, 2."""
    if text.isascii() and text.isdigit() and len(text) < 4:
        return max(0, int(text) - 1)
    if len(text) == 1 and "a" <= text.lower() <= "z":
        return ord(text.lower()) - ord("a")
    return None
