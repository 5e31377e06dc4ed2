"""What the policy of transcripts asks of its settings."""

from __future__ import annotations

from mynah.config.checks.checker import Checker

_BRACKETS = {"<": ">", "[": "]", "{": "}", "(": ")"}


def check_text(checker: Checker) -> None:
    """Report patterns of annotations that would take speech out of transcripts."""
    for pattern in checker.config.data.annotations:
        wrong = None
        if not pattern.strip("* \t"):
            wrong = "it matches every word"
        elif _BRACKETS.get(pattern[0]) != pattern[-1] and any(map(str.isspace, pattern)):
            wrong = "it has a space, and no brackets around it"
        if wrong:
            checker.wrong(
                "data.annotations",
                f"{pattern!r} is not a pattern of an annotation: {wrong}.",
                "data.annotations=[usual]",
            )
