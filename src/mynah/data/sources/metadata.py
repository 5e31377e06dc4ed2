"""Files that list recordings with their transcripts: csv, tsv, jsonl, parquet."""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mynah.config.errors import UserError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")

# Our name of a column: the headers that corpora use for it, the likeliest first.
HEADERS = {
    "audio": (
        "audio", "file_name", "path", "file", "filename", "audio_path", "audio_filepath",
        "audio_file", "wav", "wav_filename", "recording",
    ),
    "text": (
        "text", "transcript", "transcription", "sentence", "normalized_text",
        "normalized_transcription", "raw_transcription", "label",
    ),
    "speaker": ("speaker", "speaker_id", "client_id", "spk", "spk_id"),
    "language": ("language", "lang", "locale"),
    "split": ("split", "subset", "partition", "set"),
    "id": ("id", "utterance_id", "utt_id", "segment_id", "uid"),
    "offset_seconds": ("offset_seconds", "offset", "start", "start_time", "begin"),
    "end_seconds": ("end_seconds", "end", "end_time"),
    "duration_seconds": ("duration_seconds", "duration"),
    "channel": ("channel",),
}  # fmt: skip
_NEEDED = ("audio", "text")


def read(path: Path, columns: dict[str, str]) -> list[dict[str, Any]]:
    """The rows of a listing under our names of the columns; absent columns are absent.

    Args:
        path: A csv, tsv, jsonl, json (lines or one list) or parquet file.
        columns: Our name of a column to the file's own, where it is none of :data:`HEADERS`.

    Raises:
        UserError: It cannot be parsed, or lacks the audio or the text column.
    """
    try:
        rows = list(_raw(path))
    except (ValueError, csv.Error, OSError) as problem:
        raise UserError(f"The listing cannot be read: {problem}", where=str(path)) from problem
    if not rows:
        return []
    there = list(dict.fromkeys(name for row in rows[:100] for name in row))
    names = _names(path, there, columns)
    return [
        {ours: row[theirs] for ours, theirs in names.items() if row.get(theirs) not in (None, "")}
        for row in rows
    ]


def _names(path: Path, there: list[str], columns: dict[str, str]) -> dict[str, str]:
    """Our name of each column that is there to the file's own."""
    unknown = sorted(set(columns) - set(HEADERS))
    if unknown:
        raise UserError(
            f"data.columns maps to {unknown[0]!r}, which is no column of ours.",
            where="data.columns",
            fix=f"Its keys are: {', '.join(HEADERS)}",
        )
    by_lower = {name.strip().lower(): name for name in there}
    names: dict[str, str] = {}
    for ours, headers in HEADERS.items():
        if ours in columns:
            if columns[ours] not in there:
                near = difflib.get_close_matches(columns[ours], there, n=1)
                raise UserError(
                    f"There is no column {columns[ours]!r}; the listing has: {', '.join(there)}.",
                    where=f"data.columns.{ours}, {path}",
                    fix=f"data.columns.{ours}={near[0] if near else there[0]}",
                )
            names[ours] = columns[ours]
        else:
            found = [by_lower[header] for header in headers if header in by_lower]
            if found:
                names[ours] = found[0]
    for ours in _NEEDED:
        if ours not in names:
            what = "transcripts" if ours == "text" else "audio files"
            raise UserError(
                f"No column of the listing is known to hold {what}; it has: {', '.join(there)}.",
                where=str(path),
                fix=f"data.columns.{ours}=NAME_OF_THE_COLUMN",
            )
    return names


def _raw(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        import pyarrow.parquet

        yield from pyarrow.parquet.read_table(path).to_pylist()
    elif path.suffix in (".jsonl", ".json"):
        yield from _json(path)
    else:
        yield from _csv(path)


def _json(path: Path) -> Iterator[dict[str, Any]]:
    text = path.read_text(encoding="utf-8-sig")
    if text.lstrip().startswith("["):
        yield from json.loads(text)
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as problem:
                raise ValueError(f"line {number}: {problem}") from problem
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no object")
            yield row


def _csv(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        if "|" in first and "," not in first.split("|")[0] and not _has_header(first):
            # LJ Speech: id|transcript|normalised transcript, no header, no quotes
            for fields in csv.reader(file, delimiter="|", quoting=csv.QUOTE_NONE):
                if len(fields) >= 2:
                    yield {"file_name": fields[0], "text": fields[-1], "id": fields[0]}
            return
        if path.suffix == ".tsv" or first.count("\t") > first.count(","):
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, restkey="")
        else:
            reader = csv.DictReader(file, delimiter="|" if "|" in first else ",", restkey="")
        for row in reader:
            if row.get(""):
                raise ValueError(
                    f"line {reader.line_num} has more fields than the header: a transcript "
                    "with a comma needs quotes"
                )
            yield {name: value for name, value in row.items() if name}


def _has_header(line: str) -> bool:
    known = {header for headers in HEADERS.values() for header in headers}
    return any(field.strip().lower() in known for field in line.split("|"))
