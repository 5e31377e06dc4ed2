"""What SRT and VTT have in common: cues of times and lines."""

from __future__ import annotations

import html
import re

from mynah.segmentation.timed_transcripts.entry import malformed

ARROW = "-->"
_TIME = re.compile(r"(?:(\d{1,4}):)?(\d{1,3}):(\d{1,2})(?:[.,](\d{1,9}))?")
# Arrows that people and their editors write in place of the right one
_ARROWS = re.compile(rf"^(\s*{_TIME.pattern}\s*)(?:-->|->|[–—]>|→)(\s*{_TIME.pattern})")
_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
_SOUND = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|[♪♫#]+[^♪♫#]*[♪♫#]+|[♪♫]")
_DASH = re.compile(r"^\s*[-‐–—]\s*")


def is_times(line: str) -> bool:
    """Whether a line is one of times: it has an arrow, or one of another kind between times."""
    return ARROW in line or _ARROWS.match(line) is not None


def times(line: str, where: str, number: int) -> tuple[float, float]:
    """Start and end, in seconds, of a line that has an arrow; what follows is passed over.

    Raises:
        UserError: They are not times, or the end comes before the start.
    """
    if ARROW not in line and (other := _ARROWS.match(line)):
        line = f"{other[1]}{ARROW}{line[other.end(1) :].lstrip('-–—>→')}"
    left, _, right = line.partition(ARROW)
    start = _TIME.fullmatch(left.strip())
    end = _TIME.match(right.strip())
    if start is None or end is None:
        raise malformed(
            f"{line.strip()[:60]!r} is not a pair of times.",
            where,
            number,
            fix=f"00:01:02,500 {ARROW} 00:01:04,000",
        )
    first, last = _seconds(start), _seconds(end)
    if last < first:
        raise malformed(f"It ends at {last:g} s before it begins at {first:g} s.", where, number)
    return first, last


def plain_cue(line: str) -> str:
    """A line of a cue without tags, sounds in brackets, songs, and a speaker's dash."""
    without = html.unescape(_TAG.sub("", line))
    return " ".join(_SOUND.sub(" ", _DASH.sub("", without)).split())


def _seconds(found: re.Match[str]) -> float:
    hours, minutes, full, fraction = found.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(full) + float(f"0.{fraction or 0}")
