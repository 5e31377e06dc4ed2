"""Rows that hold no speech: a training example with an empty transcript, and no drop.

A row is marked in its listing (a column ``no_speech``), or by its transcript, where that is one
of ``data.no_speech_texts``, as ``<noise>``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mynah.data.row import Row


def mark_no_speech(rows: Sequence[Row], texts: Sequence[str]) -> Sequence[Row]:
    """The rows, those marked whose transcript is one of ``texts``, spaces and case aside.

    A row that a listing marks keeps the mark; its transcript becomes empty.
    """
    wanted = _wanted(texts)
    if not wanted and not any(row.no_speech and row.text != "" for row in rows):
        return rows
    return [
        replace(row, text="", no_speech=True) if row.no_speech or _is(row.text, wanted) else row
        for row in rows
    ]


def no_speech_among(said: Iterable[str | None], texts: Sequence[str]) -> list[str]:
    """The transcripts that are one of ``texts``, spaces and case aside."""
    wanted = _wanted(texts)
    return [text for text in said if text and _is(text, wanted)]


def _wanted(texts: Sequence[str]) -> set[str]:
    return {" ".join(text.split()).casefold() for text in texts}


def _is(text: str | None, wanted: set[str]) -> bool:
    return bool(text) and " ".join(str(text).split()).casefold() in wanted
