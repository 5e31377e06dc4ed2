"""Files that list recordings with their transcripts: csv, tsv, jsonl, json, parquet."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mynah.console import notice
from mynah.data.sources.reading import quotes
from mynah.data.sources.reading.extras import as_columns
from mynah.data.sources.reading.lines import (
    as_object,
    line_place,
    parse_json,
    read_all,
    read_json_lines,
    read_lines,
)
from mynah.errors import UserError

LISTING_SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")

# Our name of a column: the headers that corpora use for it, the likeliest first.
HEADERS = {
    "audio": (
        "audio", "file_name", "path", "file", "filename", "audio_path", "audio_filepath",
        "audio_filename", "audio_file", "wav", "wav_filename", "recording",
    ),
    "text": (
        "text", "transcript", "transcription", "sentence", "normalized_text",
        "normalized_transcription", "raw_transcription", "label",
    ),
    "speaker": ("speaker", "speaker_id", "client_id", "spk", "spk_id"),
    "language": ("language", "lang", "locale"),
    "context": ("context", "keywords", "hotwords"),
    "split": ("split", "subset", "partition", "set"),
    "id": ("id", "utterance_id", "utt_id", "segment_id", "uid"),
    "offset_seconds": (
        "offset_seconds", "offset", "start", "start_time", "start_seconds", "start_sec", "begin",
        "begin_time", "begin_seconds", "begin_sec",
    ),
    "end_seconds": ("end_seconds", "end", "end_time", "end_sec", "stop", "stop_time"),
    "duration_seconds": ("duration_seconds", "duration"),
    "channel": ("channel",),
    "no_speech": ("no_speech", "is_silence"),
    "text_file": ("text_filepath",),
    "text_0": ("text_0", "text_left", "transcript_0"),
    "text_1": ("text_1", "text_right", "transcript_1"),
    "speaker_0": ("speaker_0", "speaker_left"),
    "speaker_1": ("speaker_1", "speaker_right"),
    "shard": ("shard_id",),
}  # fmt: skip

# Under which the columns are listed that are none of these, see ``extras.as_columns``.
OTHERS = "columns"
_KNOWN = frozenset(header for headers in HEADERS.values() for header in headers)
TIMES = ("offset_seconds", "end_seconds", "duration_seconds")
Listed = tuple[int, dict[str, Any]]  # number of the line or row, values by our names


def read_listing(
    path: Path, columns: dict[str, str], *, literal: bool = False, also: Sequence[str] = ()
) -> Iterator[Listed]:
    """The rows of a listing under our names of the columns; what is absent or empty is left out.

    What stands in other columns is one text under :data:`OTHERS`.

    Args:
        path: A csv, tsv, jsonl, json (lines or one list) or parquet file.
        columns: Our name of a column to the file's own, where it is none of :data:`HEADERS`.
        literal: Whether a quotation mark in a TSV file is always a letter of its field.
        also: Columns that are given by the listing's own names as well, as they are.

    Yields:
        The line's number (of a parquet file: the row's), and its values.

    Raises:
        UserError: It cannot be parsed, or lacks the audio or the text column; the line is named.
    """
    check_columns(columns)
    names_of: dict[tuple[str, ...], tuple[dict[str, str], list[str]]] = {}
    for number, row in _raw(path, columns, literal=literal):
        there = tuple(row)
        known = names_of.get(there)
        if known is None:
            # Lines of JSON may differ; the first tells what the listing is meant to hold.
            names = column_names(path, there, columns, needed=not names_of)
            known = names, other_columns(there, names)
            if len(names_of) < 1000:
                names_of[there] = known
        names, rest = known
        found = held_values(row, names)
        if rest and (others := as_columns(row, rest)):
            found[OTHERS] = others
        found.update((name, row[name]) for name in also if name in row)
        yield number, found


def held_values(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Values of a row by our names; what is absent or empty is left out.

    Args:
        row: Values by the listing's own names.
        names: Our name of each column to the listing's own.
    """
    found: dict[str, Any] = {}
    for ours, theirs in names.items():
        value = row.get(theirs)
        # NaN is what pandas writes into JSON for a cell that holds nothing; it is not a time.
        is_nothing = value is None or value == "" or (value != value and ours not in TIMES)
        if not is_nothing:
            found[ours] = value
    return found


def other_columns(there: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """The columns that are none of ours, nor go by another of its names.

    Args:
        there: The headers of a listing.
        names: Our name of each column that is read to the listing's own.
    """
    read = set(names.values())
    return [name for name in there if name not in read and name.strip().lower() not in _KNOWN]


def check_columns(columns: Mapping[str, str]) -> None:
    """
    Raises:
        UserError: ``data.columns`` has a key that is not a column of Mynah.
    """
    unknown = sorted(set(columns) - set(HEADERS))
    if unknown:
        raise UserError(
            f"data.columns maps to {unknown[0]!r}, which is not a column of Mynah.",
            where="data.columns",
            fix=f"Its keys are: {', '.join(HEADERS)}",
        )


def column_names(
    path: Path | str, there: Sequence[str], columns: Mapping[str, str], *, needed: bool = True
) -> dict[str, str]:
    """Our name of each column that is there to the file's own.

    Args:
        path: The listing, for errors.
        there: Its headers.
        columns: ``data.columns``.
        needed: Whether the columns that were mapped, and audio and text, must be there.

    Raises:
        UserError: One of them is not.
    """
    by_lower = {name.strip().lower(): name for name in there}
    names: dict[str, str] = {}
    for ours, headers in HEADERS.items():
        if ours in columns:
            if columns[ours] in there:
                names[ours] = columns[ours]
            elif needed:
                near = difflib.get_close_matches(columns[ours], there, n=1)
                raise UserError(
                    f"There is no column {columns[ours]!r}; the listing has: {', '.join(there)}.",
                    where=f"data.columns.{ours}, {path}",
                    fix=f"data.columns.{ours}={(near or [*there, 'NAME'])[0]}",
                )
        else:
            found = [by_lower[header] for header in headers if header in by_lower]
            if found:
                names[ours] = found[0]
    if needed:
        if "audio" not in names:
            raise _no_column("audio", "audio files", path, there)
        if not {"text", "text_0", "text_file", "no_speech"} & set(names):
            raise _no_column("text", "transcripts", path, there)
        if "end_seconds" in names and "offset_seconds" not in names:
            raise UserError(
                f"Column {names['end_seconds']!r} tells where an utterance ends, and no column is "
                f"known to tell where it begins; the listing has: {', '.join(there)}.",
                where=str(path),
                fix="data.columns.offset_seconds=NAME_OF_THE_COLUMN",
            )
    return names


def _no_column(ours: str, what: str, path: Path | str, there: Sequence[str]) -> UserError:
    names = ", ".join(name[:40] for name in there[:40])
    return UserError(
        f"No column of the listing is known to hold {what}; it has: {names}.",
        where=str(path),
        fix=f"data.columns.{ours}=NAME_OF_THE_COLUMN",
    )


def holds_audio(path: Path) -> bool:
    """Whether a parquet file has recordings in itself, and not the names of their files.

    Raises:
        UserError: It is not a parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet

    try:
        schema = pyarrow.parquet.read_schema(path)
    except (pa.ArrowException, OSError) as problem:
        raise _unreadable(path, problem) from problem
    return any(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or (pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0)
        for kind in schema.types
    )


def _raw(
    path: Path, columns: Mapping[str, str], *, literal: bool
) -> Iterator[tuple[int, dict[str, Any]]]:
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".parquet"):
        yield from _parquet(path)
    elif name.endswith((".jsonl", ".json")):
        yield from json_rows(path)
    else:
        yield from _csv(path, columns, literal=literal)


def json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file that has one a line, or one list of them.

    Raises:
        UserError: It holds something else; the line is named.
    """
    for _, line in read_lines(path):
        if line.strip():
            one_list = line.lstrip().startswith("[")
            break
    else:
        return
    if not one_list:
        yield from read_json_lines(path)
        return
    for number, row in enumerate(parse_json(read_all(path), path), 1):
        yield number, as_object(row, path, number)


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(1000):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    # A file with broken pages fails in any of these ways.
    except (pa.ArrowException, OSError, ValueError, OverflowError) as problem:
        raise _unreadable(path, problem) from problem


def _unreadable(path: Path, problem: Exception) -> UserError:
    reason = (str(problem).splitlines() or [type(problem).__name__])[0][:200].rstrip(".")
    return UserError(f"The listing cannot be read: {reason}.", where=str(path))


def _csv(
    path: Path, columns: Mapping[str, str], *, literal: bool
) -> Iterator[tuple[int, dict[str, Any]]]:
    first = next((line for _, line in read_lines(path)), "")
    lines = read_lines(path, keep_ends=True)
    tabs = path.name.lower().removesuffix(".gz").endswith(".tsv") or "\t" in first
    delimiter = "\t" if tabs else _delimiter(first)
    if tabs and (literal or not quotes.is_quoted(read_lines(path, keep_ends=True))):
        texts = (line for _, line in lines)
        reader = csv.reader(texts, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(quotes.checked(lines, delimiter, str(path)), delimiter=delimiter)
    header: list[str] | None = None
    names: set[str] = set()
    repeated: list[int] = []
    try:
        for fields in reader:
            if not fields:
                continue
            if header is None:
                header = fields
                _check_header(path, header, columns)
                names = {name.strip() for name in header}
                continue
            if _plain_name(fields[0]) in names and _repeats(
                header, fields, line_place(path, reader.line_num)
            ):
                repeated.append(reader.line_num)
                continue
            if len(fields) > len(header) and any(fields[len(header) :]):
                raise UserError(
                    f"The line has {len(fields)} fields, more than the header, which has "
                    f"{len(header)}.",
                    where=line_place(path, reader.line_num),
                    fix='A transcript with the separator in it needs quotes: "so, as this"',
                )
            yield (
                reader.line_num,
                {name: value for name, value in zip(header, fields, strict=False) if name},
            )
    except csv.Error as problem:
        fix = None
        if "field larger" in str(problem):
            fix = "A quotation mark is opened there, or before, and not closed."
        elif "new-line character" in str(problem):
            fix = f"some lines end in it: tr '\\r' '\\n' < {path.name} > listing.csv"
        raise UserError(
            f"The listing cannot be read: {problem}.",
            where=line_place(path, reader.line_num),
            fix=fix,
        ) from None
    if repeated:
        notice(
            f"{line_place(path, repeated[0])} repeats the header, as listings that were joined "
            f"do, and is left out{f' with {len(repeated) - 1} more' if len(repeated) > 1 else ''}."
        )


def _repeats(header: Sequence[str], fields: Sequence[str], where: str) -> bool:
    """Whether a line is the header again.

    Raises:
        UserError: It has the columns in another order, which the lines behind it then have too.
    """
    names = [_plain_name(field) for field in fields]
    first = [name.strip() for name in header]
    if len(first) < 2 or len(names) != len(first) or sorted(names) != sorted(first):
        return False
    if names != first:
        raise UserError(
            "The line is a header with the columns in another order than in the first line.",
            where=where,
            fix="join listings of one order of columns, or name their folder, each in a folder of "
            "its own",
        )
    return True


def _plain_name(field: str) -> str:
    return field.strip().removeprefix("\ufeff")


def _check_header(path: Path, header: Sequence[str], columns: Mapping[str, str]) -> None:
    """
    Raises:
        UserError: Two columns have one name, and it is one that is read.
    """
    names = [name.strip().lower() for name in header]
    read = {columns[ours].lower() for ours in columns} | {
        name for ours, known in HEADERS.items() if ours not in columns for name in known
    }
    twice = next((n for n in names if n in read and names.count(n) > 1), None)
    if twice is not None:
        raise UserError(
            f"Two columns of the listing are called {twice!r}, and which is meant is not known.",
            where=line_place(path, 1),
            fix="rename one of them in the header",
        )


def _delimiter(header: str) -> str:
    """What separates the fields of a header; a comma where there is one field."""
    counts = {sign: header.count(sign) for sign in (",", "|", ";")}
    return max(counts, key=lambda sign: counts[sign])
