"""What the policy of transcripts asks of its settings."""

from __future__ import annotations

from mynah.config.annotations import is_bracketed
from mynah.config.checks.checker import Checker


def check_text(checker: Checker) -> None:
    """Report patterns of annotations that would take speech out of transcripts."""
    for pattern in checker.config.data.annotations:
        wrong = None
        if not pattern.strip("* \t"):
            wrong = "it matches every word"
        elif not is_bracketed(pattern) and any(map(str.isspace, pattern)):
            wrong = "it has a space, and no brackets around it"
        if wrong:
            checker.wrong(
                "data.annotations",
                f"{pattern!r} is not a pattern of an annotation: {wrong}.",
                "data.annotations=[usual]",
            )
