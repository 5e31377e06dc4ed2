"""Who speaks, as a transcript tells before what is said: ``Agent: how may i help``.

A label is one only where it comes again, or where every line has one: ``Note: this is late`` alone
is words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

# ">> Anna B.:" and "- Agent 2:" too; a time as 10:30 has no space after its colon
_LABEL = re.compile(r"^[ \t]*(?:>>|[-–—])?[ \t]*(?P<name>[^\W\d_][\w .'’-]{0,30}?):(?=\s|$)", re.M)
_LEAST_SHARE = 0.1  # of the lines that have a label
_FEWEST = 2  # times that one comes


def labels_in(texts: Iterable[str]) -> frozenset[str]:
    """The labels of speakers that lines begin with; none where they are taken for words.

    Args:
        texts: Of a transcript, each of one line or several.
    """
    lines = [line for text in texts for line in text.split("\n") if line.strip()]
    counts = Counter(match["name"] for line in lines for match in _LABEL.finditer(line))
    total = sum(counts.values())
    if total == len(lines) >= _FEWEST:
        return frozenset(counts)
    if total < _LEAST_SHARE * len(lines):
        return frozenset()
    return frozenset(name for name, count in counts.items() if count >= _FEWEST)


def blanked(text: str, labels: frozenset[str]) -> tuple[str, list[tuple[int, str]]]:
    """A text with spaces in place of its labels, and where each label stands.

    Args:
        text: Of several lines.
        labels: As :func:`labels_in` gives them.
    """
    places: list[tuple[int, str]] = []

    def blank(match: re.Match[str]) -> str:
        if match["name"] not in labels:
            return match.group()
        places.append((match.start(), match["name"]))
        return " " * len(match.group())

    return _LABEL.sub(blank, text), places
