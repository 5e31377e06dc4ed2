"""What every kind of stream gives: shards, and the rows of each in a fixed order."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from mynah.console import notice
from mynah.data.row import Row
from mynah.data.sources.reading.extras import as_columns
from mynah.data.sources.reading.metadata import HEADERS, other_columns
from mynah.errors import UserError

FindAudio = Callable[[str, str], str]  # (as a shard names it, where) to the recording's path

RETRY_SECONDS = (1.0, 4.0, 15.0)  # waits before a shard that failed is opened again


@dataclass(frozen=True)
class BadRow:
    """A row that is none: a manifest's line that cannot be parsed.

    Attributes:
        id: What it is called, as far as that is known.
        reason: Why it cannot be used.
    """

    id: str
    reason: str


class ShardReader(ABC):
    """Shards that are read from their beginning; a row is known by its shard and number.

    Attributes:
        name: What the stream is called.
        shards: What each shard is called, in the corpus's order.
        identity: Tells this stream from another, and from its later self where it changed.
    """

    name: str
    shards: Sequence[str]
    identity: str

    @abstractmethod
    def read(self, shard: int, start: int, *, audio: bool) -> Iterator[Row | BadRow]:
        """The rows of one shard from row ``start`` on.

        Rows before ``start`` are passed over as cheaply as the format allows, and never
        decoded. What the medium raises is raised as it is.

        Args:
            shard: Its number in :attr:`shards`.
            start: How many of its rows are passed over.
            audio: Whether the audio is wanted; without it only what stands beside it is read.

        Raises:
            UserError: The rows have no audio or no transcripts.
        """

    def rows(self, shard: int, start: int = 0, *, audio: bool = True) -> Iterator[Row | BadRow]:
        """As :meth:`read`, but a shard that fails is opened again where it failed.

        Raises:
            UserError: It failed again after every wait of :data:`RETRY_SECONDS`, or its
                rows are not what they should be.
        """
        done, failures = start, 0
        while True:
            try:
                with closing(self.read(shard, done, audio=audio)) as rows:  # type: ignore[type-var]
                    for row in rows:
                        yield row
                        done += 1
                        failures = 0
                return
            except UserError:
                raise
            # Whatever a disk, a network library of this version or a decoder raises.
            except Exception as problem:
                reason = " ".join(str(problem).split())[:200] or type(problem).__name__
                if failures == len(RETRY_SECONDS):
                    raise UserError(
                        f"Shard {self.shards[shard]} cannot be read beyond row {done}: {reason}",
                        where=self.name,
                        fix="fix it, or remove it and start again; once it can be read, "
                        "resume_from_checkpoint=last resumes from the newest checkpoint",
                    ) from problem
                wait = RETRY_SECONDS[failures]
                failures += 1
                notice(
                    f"Shard {self.shards[shard]} failed at row {done} ({reason}): "
                    f"trying again in {wait:g} s"
                )
                time.sleep(wait)


def stream_columns(
    there: Sequence[str], columns: dict[str, str], where: str, *, audio: str | None = None
) -> dict[str, str]:
    """Our name of each column that is there to the stream's own.

    Args:
        there: The columns of the stream.
        columns: ``data.columns``.
        where: What an error names.
        audio: The column that is known to hold audio, or None.

    Raises:
        UserError: There is no audio or no transcript, or a column that ``columns`` names.
    """
    by_lower = {name.strip().lower(): name for name in there}
    names: dict[str, str] = {}
    for ours, headers in HEADERS.items():
        if ours in columns:
            found = [columns[ours]] if columns[ours] in there else []
        elif ours == "audio" and audio is not None:
            found = [audio]
        else:
            found = [by_lower[header] for header in headers if header in by_lower]
        if found:
            names[ours] = found[0]
        elif ours in columns or ours in ("audio", "text"):
            raise UserError(
                f"The stream has no column for {ours}; it has: {', '.join(there)}.",
                where=where,
                fix=f"data.columns.{ours}=NAME_OF_THE_COLUMN",
            )
    if "end_seconds" in names and "offset_seconds" not in names and audio is None:
        raise UserError(
            f"Column {names['end_seconds']!r} tells where an utterance ends, and no column is "
            f"known to tell where it begins; the stream has: {', '.join(there)}.",
            where=where,
            fix="data.columns.offset_seconds=NAME_OF_THE_COLUMN",
        )
    return names


def number_of_column(listed: dict[str, Any], names: dict[str, str], ours: str) -> float | None:
    """A column's value as a number, None where it is absent, empty or none."""
    held = listed.get(names.get(ours, ""))
    if held is None or held == "":
        return None
    try:
        return float(held)
    except (TypeError, ValueError):
        return None


def word(listed: dict[str, Any], names: dict[str, str], ours: str) -> str:
    """A column's value as text, "" where it is absent."""
    held = listed.get(names.get(ours, ""))
    # NaN is what pandas writes into JSON for a cell that holds nothing.
    return "" if held is None or held != held else str(held).strip()


def _terms(listed: dict[str, Any], names: dict[str, str]) -> str:
    held = listed.get(names.get("context", ""))
    parts = held if isinstance(held, list) else [held]
    return ", ".join(str(one).strip() for one in parts if one)


def listed_row(
    listed: dict[str, Any],
    names: dict[str, str],
    *,
    fallback_id: str,
    source: str,
    path: str | None,
    content: bytes | None,
) -> Row:
    """A row of a table or manifest under our names of its columns."""
    offset = number_of_column(listed, names, "offset_seconds") or 0.0
    end = number_of_column(listed, names, "end_seconds")
    # A listed duration tells the length of a file; only beside an offset does it cut.
    cuts = names.get("offset_seconds") in listed
    duration = number_of_column(listed, names, "duration_seconds") if cuts else None
    channel = number_of_column(listed, names, "channel")
    text = word(listed, names, "text")
    return Row(
        id=word(listed, names, "id") or fallback_id,
        path=path,
        audio=content,
        text=text or None,
        offset_seconds=offset,
        duration_seconds=end - offset if end is not None else duration,
        channel=None if channel is None else int(channel),
        speaker=word(listed, names, "speaker"),
        language=word(listed, names, "language"),
        context=_terms(listed, names),
        source=source,
        columns=as_columns(listed, other_columns(list(listed), names)),
    )
