"""A list of words and phrases, one a line, as ``model.context_file`` names it."""

from __future__ import annotations

from pathlib import Path


def words_of(line: str) -> str:
    """What a line lists, its words parted by one space; "" for none, as of a comment (``#``)."""
    phrase = " ".join(line.split())
    return "" if phrase.startswith("#") else phrase


def is_empty(path: Path) -> bool:
    """Whether a file is a list without a word; of one that cannot be read it is not known."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return not any(map(words_of, file))
    except (OSError, UnicodeDecodeError):
        return False
