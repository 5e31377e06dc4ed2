"""What becomes of recordings with several channels: ``data.channels``.

    mix    their mean is read (a row whose listing names its channel is read from that one)
    first  the first is read
    split  each is an utterance of its own, ``ID-ch0``, ``ID-ch1``, …

A recording can be split where its rows have no transcript, or where the listing has one for
each channel: rows that name their channels, a list of transcripts, or columns ``text_0``,
``text_1``. One transcript of both sides of a call cannot be shared out, and is an error.
"""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mynah.console import progress
from mynah.data.audio import files
from mynah.data.row import Row
from mynah.errors import UserError


def apply_channels(rows: Sequence[Row], policy: str, processes: int) -> list[Row]:
    """The rows under ``data.channels``.

    Args:
        rows: As a source lists them; one that names its channel stays as it is.
        policy: ``mix``, ``first`` or ``split``.
        processes: How many threads look at the headers of the files, for ``split``.

    Raises:
        UserError: A row that is to be split has one transcript for all its channels.
    """
    if policy == "mix":
        return list(rows)
    if policy == "first":
        return [replace(row, channel=0) if row.channel is None else row for row in rows]
    counts = _channels([row for row in rows if row.channel is None], processes)
    found = []
    for row in rows:
        count = counts.get(_key(row), 1) if row.channel is None else 1
        if count == 1:
            found.append(row)
        elif row.text and not row.no_speech:
            raise UserError(
                f"{row.id} has {count} channels and one transcript: which of its words are on "
                "which channel is not known, so that it cannot be split.",
                where=row.path or f"utterance {row.id}",
                fix="Give each channel its transcript (columns text_0 and text_1, or a column "
                "channel with a row for each), or mix the channels: data.channels=mix",
            )
        else:
            found += split_row(row, [row.text] * count)
    return found


def split_row(row: Row, texts: Sequence[str | None], speakers: Sequence[str] = ()) -> list[Row]:
    """One row for each channel.

    Args:
        row: Of the recording.
        texts: The transcript of each channel, in their order.
        speakers: Who speaks on each, where that is known.
    """
    return [
        replace(
            row,
            id=f"{row.id}-ch{channel}",
            channel=channel,
            text=text,
            speaker=speakers[channel] if channel < len(speakers) else row.speaker,
        )
        for channel, text in enumerate(texts)
    ]


def _key(row: Row) -> tuple[str | int, int | None]:
    return (row.path if row.audio is None and row.path else id(row.audio), row.byte_offset)


def _channels(rows: Sequence[Row], processes: int) -> dict[tuple[str | int, int | None], int]:
    """How many channels each recording has; one that cannot be opened is left out: it is
    named and counted when its sound is checked."""
    recordings = {_key(row): row for row in rows}

    def count(row: Row) -> int | None:
        try:
            return files.probe(
                row.audio if row.audio is not None else Path(row.path or os.curdir),
                byte_offset=row.byte_offset,
                byte_length=row.byte_length,
            ).channels
        except (ValueError, OSError):
            return None

    with (
        progress("Counting channels", len(recordings), "recordings") as advance,
        concurrent.futures.ThreadPoolExecutor(max(processes, 1)) as pool,
    ):
        counts = {}
        for key, channels in zip(recordings, pool.map(count, recordings.values()), strict=True):
            advance()
            if channels is not None:
                counts[key] = channels
    return counts
