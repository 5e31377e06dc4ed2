"""What ``model.language_model`` names: the training transcripts' words, a file, or nothing."""

from __future__ import annotations

NONE, WORDS = "none", "words"
ARPA, TEXT = ".arpa", ".txt"


def is_file(value: str) -> bool:
    """Whether the setting names a file: n-grams in the ARPA format, or text."""
    return value.endswith((ARPA, TEXT))


def is_valid(value: str) -> bool:
    """Whether the setting takes the value."""
    return value in (NONE, WORDS) or is_file(value)
