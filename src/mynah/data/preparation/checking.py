"""Each recording is decoded once before a run starts, so that none fails in its middle."""

from __future__ import annotations

import concurrent.futures
import errno
import hashlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mynah.console import Advance, progress
from mynah.data.audio import files
from mynah.data.row import Row
from mynah.data.tables import table
from mynah.data.tables.beside import columns_beside
from mynah.errors import UserError, fault_of_machine
from mynah.ranks.spread import Spread

_SHARD_ROWS = 500  # at least; what a killed preparation loses
_MOST_SHARDS = 400
_ROWS_AT_ONCE = 16  # that a thread checks
_LONG_SECONDS = 600  # of a recording whose reading is shown by itself
_DECODING = 2  # version of how recordings are decoded and what of them is refused


def checked_table(
    rows: Sequence[Row],
    *,
    name: str,
    description: str,
    cache: Path,
    processes: int,
    content: str = "",
    load: Callable[[int], bytes] | None = None,
    stop_at_error: bool = False,
    spread: Spread | None = None,
) -> table.Table:
    """The prepared table of rows: length, digest and error of each recording.

    Args:
        rows: In their order.
        name: Begins the table's name in the cache.
        description: What is shown while it works.
        cache: Where prepared tables are kept.
        processes: How many threads decode; decoding leaves Python to others.
        content: Identifies the content where it is not in files of its own.
        load: Gives the audio file of a row where that is neither a path nor in the row; the
            table then holds no audio.
        stop_at_error: End at the first recording that cannot be read.
        spread: Where shards are checked and written; None: here, one after the other.

    Raises:
        UserError: There is one and ``stop_at_error``; what was read before is kept.
    """
    rows = _with_unique_ids([_in_utf8(row) for row in rows])
    directory = cache / f"{name}-{_fingerprint(rows, content)}"
    size = max(_SHARD_ROWS, len(rows) // _MOST_SHARDS)
    shards = -(-len(rows) // size)

    def make(staging: Path, missing: list[int]) -> None:
        parts = [
            Shard(table.shard(staging, n), rows[n * size : (n + 1) * size], n * size, load,
                  stop_at_error, processes)
            for n in missing
        ]  # fmt: skip
        total = sum(len(part.rows) for part in parts)
        with progress(f"Reading {description}", total, "recordings") as advance:
            if spread is None:
                for part in parts:
                    part.write(advance)
                return
            for number, count in spread.each(write_checked, parts):
                _see(parts[number].path)
                advance(count)

    return _with_columns(table.open_or_make(directory, shards, make, lambda: _about(rows)), rows)


@dataclass(frozen=True)
class Shard:
    """Rows of a table that are checked and written together.

    Attributes:
        path: The file that gets them.
        rows: The rows.
        first: Place of the first one among all rows.
        load: See :func:`checked_table`.
        stop_at_error: See there.
        threads: How many decode.
    """

    path: Path
    rows: Sequence[Row]
    first: int
    load: Callable[[int], bytes] | None
    stop_at_error: bool
    threads: int

    def write(self, advance: Advance) -> None:
        """Decode each recording once, and write what is found.

        Raises:
            UserError: One cannot be read and ``stop_at_error``, or the machine fails.
        """
        over = threading.Event()
        # Handing short recordings over one by one takes as long as looking at them.
        size = max(1, min(_ROWS_AT_ONCE, len(self.rows) // (4 * self.threads)))
        with concurrent.futures.ThreadPoolExecutor(self.threads) as pool:

            def check(start: int) -> list[dict[str, Any]]:
                places = range(start, min(start + size, len(self.rows)))
                return [self._checked(place, over, advance) for place in places]

            try:
                checked = pool.map(check, range(0, len(self.rows), size))
                table.write_shard(self.path, _shown(checked, advance))
            except BaseException:
                over.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _checked(self, place: int, over: threading.Event, advance: Advance) -> dict[str, Any]:
        row, load = self.rows[place], self.load
        read = _shown_while_read(row, over, advance)
        found = _checked(row, load and (lambda: load(self.first + place)), read)
        if self.stop_at_error and found["error"] is not None:
            raise _unreadable(row, found["error"])
        return found


def write_checked(shard: Shard) -> int:
    """Write a shard where nobody looks on; how many rows it has."""
    shard.write(lambda *_, **__: None)
    return len(shard.rows)


def _see(path: Path) -> None:
    """See that what another machine wrote is here.

    Raises:
        UserError: It is not.
    """
    if not path.is_file():
        raise UserError(
            "A part of the prepared corpus was written where this machine does not see it.",
            where=str(path),
            fix="data.dataset_cache_dir=FOLDER, or MYNAH_CACHE, in a file system of all machines",
        )


def _about(rows: Sequence[Row]) -> dict[str, Any]:
    return {"rows": len(rows)}


def _with_columns(made: table.Table, rows: Sequence[Row]) -> table.Table:
    return replace(made, columns=columns_beside(made.directory, [row.columns for row in rows]))


class _Over(Exception):  # noqa: N818 - it is not an error
    """Nobody waits any more for what is being read."""


def _in_utf8(row: Row) -> Row:
    """A row as a table can hold it; one whose file has another name than that has a fault."""
    texts = {name: value for name, value in vars(row).items() if isinstance(value, str)}
    if all(map(str.isascii, texts.values())):
        return row
    changed: dict[str, Any] = {}
    for name, value in texts.items():
        escaped = value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
        if escaped != value:
            changed[name] = escaped
    if "path" in changed:
        changed["fault"] = f"its name is not UTF-8: {changed['path']}; rename it"
    return replace(row, **changed) if changed else row


def _unreadable(row: Row, reason: str) -> UserError:
    return UserError(
        f"The recording of training utterance {row.id} cannot be read: {reason}.",
        where=row.path or row.source,
        fix="Fix or remove it; data.on_error=skip leaves out and lists whatever cannot be read",
    )


def _with_unique_ids(rows: Sequence[Row]) -> list[Row]:
    """Corpora number sentences, not readings of them, or list a file's parts by its name."""
    seen: Counter[str] = Counter()
    unique = []
    for row in rows:
        seen[row.id] += 1
        again = seen[row.id] > 1
        unique.append(replace(row, id=f"{row.id}#{seen[row.id]}") if again else row)
    return unique


def _shown(checked: Iterable[list[dict[str, Any]]], advance: Advance) -> Iterator[dict[str, Any]]:
    for rows in checked:
        yield from rows
        advance(len(rows))


def _fingerprint(rows: Sequence[Row], content: str) -> str:
    digest = hashlib.blake2b(f"{_DECODING} {content}".encode(), digest_size=8)
    seen: dict[str, str] = {}
    for row in rows:
        if row.path is not None and row.path not in seen:
            seen[row.path] = _stamp(row.path)
        held = hashlib.blake2b(row.audio).hexdigest() if row.audio is not None else ""
        values = (
            row.id, row.path, seen.get(row.path or "", ""), held, row.text, row.offset_seconds,
            row.duration_seconds, row.channel, row.speaker, row.language, row.byte_offset,
            row.byte_length, row.no_speech, row.context, row.overshoot_seconds, row.fault,
        )  # fmt: skip
        digest.update("\x1f".join(map(str, values)).encode())
    return digest.hexdigest()


def _stamp(path: str) -> str:
    """Size and time of change: a file that keeps both is taken to be the same."""
    try:
        status = os.stat(path)  # noqa: PTH116 (a Path for each of many files takes longer)
    except OSError:
        return "missing"
    return f"{status.st_size} {status.st_mtime_ns}"


def _shown_while_read(row: Row, over: threading.Event, advance: Advance) -> Callable[[float], None]:
    """What is called with the seconds that are read of a row; it shows a long one by itself."""

    def read(seconds: float) -> None:
        if over.is_set():
            raise _Over
        if seconds >= _LONG_SECONDS:  # else nothing would move for minutes
            advance(0, note=f"({row.id}: {seconds / 60:.0f} min read)")

    return read


def _checked(
    row: Row, load: Callable[[], bytes] | None, read: Callable[[float], None]
) -> dict[str, Any]:
    """A row as it stands in a table.

    Args:
        row: The row.
        load: Gives its audio file where that is neither a path nor in the row.
        read: Called with the seconds that are read of it.

    Raises:
        UserError: The machine fails, and not the recording.
    """
    try:
        if row.fault:
            raise ValueError(row.fault)
        content = load() if load else row.audio
        duration, digest = files.inspect(
            content if content is not None else Path(row.path or ""),
            offset_seconds=row.offset_seconds,
            duration_seconds=row.duration_seconds,
            channel=row.channel,
            byte_offset=row.byte_offset,
            byte_length=row.byte_length,
            may_be_silent=not row.text,
            overshoot_seconds=row.overshoot_seconds,
            read=read,
        )
    except (ValueError, OSError) as problem:
        # A name that is too long for any file is the listing's, and no fault of the machine's.
        is_named = getattr(problem, "errno", None) == errno.ENAMETOOLONG
        fault = None if is_named else fault_of_machine(problem)
        if fault is not None:
            fault.where = fault.where or row.path or row.source
            raise fault from problem
        return _table_row(row, 0.0, "", str(problem))
    return _table_row(row, duration, digest, None)


def _table_row(row: Row, duration: float, digest: str, error: str | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "audio": {"path": row.path, "bytes": row.audio},
        "byte_offset": row.byte_offset,
        "byte_length": row.byte_length,
        "offset_seconds": row.offset_seconds,
        "duration_seconds": duration,
        "channel": row.channel,
        "text": row.text,
        "speaker": row.speaker,
        "language": row.language,
        "context": row.context,
        "source": row.source,
        "no_speech": row.no_speech,
        "digest": digest,
        "error": error,
    }
