"""What every kind of stream gives: shards, and the rows of each in a fixed order."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from mynah.console import notice
from mynah.data.row import Row
from mynah.data.sources.reading import values
from mynah.data.sources.reading.extras import as_columns
from mynah.data.sources.reading.listed import stretch
from mynah.data.sources.reading.metadata import HEADERS, TIMES, held_values, other_columns
from mynah.errors import UserError

FindAudio = Callable[[str, str], str]  # (as a shard names it, where) to the recording's path

RETRY_SECONDS = (1.0, 4.0, 15.0)  # waits before a shard that failed is opened again
_BEGINNING = 20  # rows of a shard of which one at least has to be as the settings say


@dataclass(frozen=True)
class BadRow:
    """A row that is none: it cannot be parsed, or a value is not what its column is for.

    Attributes:
        id: What it is called, as far as that is known.
        reason: Why it cannot be used.
        problem: Where it is not even laid out as a row: what ends the training where none of the
            first rows of a shard is; None where only a value is wrong.
    """

    id: str
    reason: str
    problem: UserError | None = field(default=None, compare=False, repr=False)


def unless_all_are_bad(rows: Iterator[Row | BadRow]) -> Iterator[Row | BadRow]:
    """The rows of a shard from its beginning on: one that is none is passed on and counted, and a
    shard that begins with nothing else is not what the settings say.

    Raises:
        UserError: None of the first rows of the shard is laid out as one.
    """
    bad: list[BadRow] = []
    with closing(rows):  # type: ignore[type-var]
        for row in rows:
            if not isinstance(row, BadRow) or row.problem is None:
                yield from bad
                yield row
                yield from rows
                return
            bad.append(row)
            if len(bad) == _BEGINNING:
                break
    if bad and bad[0].problem is not None:
        raise bad[0].problem


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
    there: Sequence[str],
    columns: dict[str, str],
    where: str,
    *,
    audio: str | None = None,
    clips: Collection[str] = (),
    of_one_row: bool = False,
) -> dict[str, str]:
    """Our name of each column that is there to the stream's own.

    A recording that the stream holds is the utterance itself: columns of times say where it was
    cut from, and are left out, unless ``columns`` names one of them.

    Args:
        there: The columns of the stream.
        columns: ``data.columns``.
        where: What an error names.
        audio: The column that is known to hold audio, or None.
        clips: The columns that hold audio, and not names of files.
        of_one_row: Whether they are those of one row alone, which needs no transcript where it
            has a column that marks rows without speech.

    Raises:
        UserError: There is no audio or no transcript, or a column that ``columns`` names; or one
            of ends and none of begins.
    """
    by_lower = {name.strip().lower(): name for name in there}
    marks = {columns["no_speech"]} if "no_speech" in columns else set(HEADERS["no_speech"])
    is_marked = of_one_row and not marks.isdisjoint({*by_lower, *there})
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
        elif ours in columns or ours == "audio" or (ours == "text" and not is_marked):
            raise UserError(
                f"The stream has no column for {ours}; it has: {', '.join(there)}.",
                where=where,
                fix=f"data.columns.{ours}=NAME_OF_THE_COLUMN",
            )
    holds_audio = names["audio"] in clips
    if holds_audio and columns.keys().isdisjoint(TIMES):
        return {ours: theirs for ours, theirs in names.items() if ours not in TIMES}
    cuts = audio is None or holds_audio
    if "end_seconds" in names and "offset_seconds" not in names and cuts:
        raise UserError(
            f"Column {names['end_seconds']!r} tells where an utterance ends, and no column is "
            f"known to tell where it begins; the stream has: {', '.join(there)}.",
            where=where,
            fix="data.columns.offset_seconds=NAME_OF_THE_COLUMN",
        )
    return names


def listed_row(
    listed: dict[str, Any],
    names: dict[str, str],
    *,
    fallback_id: str,
    source: str,
    where: str,
    path: str | None,
    content: bytes | None,
    classes: Mapping[str, Sequence[str]] | None = None,
    cuts: bool = False,
) -> Row | BadRow:
    """A row of a table or manifest, with the values that it has in a prepared corpus.

    Args:
        listed: Values by the stream's own names.
        names: Our names of its columns.
        fallback_id: What it is called where it has no id.
        source: Where it comes from, for people.
        where: Shard and row or line, for the reason of a bad row.
        path: The recording; None: ``content`` holds it.
        content: The bytes of an audio file.
        classes: The names of the classes of each column that holds their numbers.
        cuts: Whether a duration cuts even without an offset; else it only tells how long the
            recording is.

    Returns:
        The row; a bad one where a value is not what its column is for.
    """
    row_id = fallback_id
    try:
        listed = _with_class_names(listed, classes, where) if classes else listed
        held = held_values(listed, names)
        row_id = values.text(held.get("id"), "id", where).strip() or fallback_id
        cuts = cuts or names.get("offset_seconds") in listed
        offset, duration = stretch(held, where, cuts)
        return Row(
            id=row_id,
            path=path,
            audio=content,
            text=values.text(held.get("text"), "transcript", where).strip() or None,
            offset_seconds=offset,
            duration_seconds=duration or None,
            channel=values.channel(held["channel"], where) if "channel" in held else None,
            speaker=values.text(held.get("speaker"), "speaker", where).strip(),
            language=values.text(held.get("language"), "language", where).strip(),
            context=values.terms(held.get("context"), "context", where),
            source=source,
            no_speech=values.truth(held.get("no_speech"), "no_speech", where),
            columns=as_columns(listed, other_columns(list(listed), names)),
        )
    except UserError as problem:
        return BadRow(row_id, f"{problem.what} ({where})")


def _with_class_names(
    listed: dict[str, Any], classes: Mapping[str, Sequence[str]], where: str
) -> dict[str, Any]:
    """A row with the names of its classes in place of their numbers; those below 0 are none.

    Raises:
        UserError: A class has no name.
    """
    found = dict(listed)
    for column, names in classes.items():
        label = listed.get(column)
        if label is None:
            continue
        if label >= len(names):
            raise UserError(f"{column} has {len(names)} classes and none is {label}.", where=where)
        found[column] = names[label] if label >= 0 else None
    return found
