"""Transcripts as training sees them."""

from __future__ import annotations

import re
import unicodedata

from mynah.config.schema import DataConfig

# Letters, marks and digits stay, and an apostrophe between two of them.
_APOSTROPHES = re.compile("[\u2018\u2019\u02bc\u0060\u00b4]")
_SPACE = re.compile(r"\s+")


def prepare_text(text: str, config: DataConfig) -> str:
    """A transcript under the text policy of ``data``: Unicode NFC, single spaces, then
    ``text_case`` and ``strip_punctuation``."""
    made = unicodedata.normalize("NFC", text)
    if config.strip_punctuation:
        made = _without_punctuation(made)
    if config.text_case == "lower":
        made = made.lower()
    return _SPACE.sub(" ", made).strip()


def _without_punctuation(text: str) -> str:
    text = _APOSTROPHES.sub("'", text)
    kept = []
    for position, letter in enumerate(text):
        inside = (
            letter == "'"
            and 0 < position < len(text) - 1
            and text[position - 1].isalnum()
            and text[position + 1].isalnum()
        )
        keep = inside or unicodedata.category(letter)[0] in "LMN"
        kept.append(letter if keep else " ")
    return "".join(kept)
