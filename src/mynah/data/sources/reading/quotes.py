"""Quotation marks in CSV and TSV files: a stray one swallows the rows that follow it.

A field that begins with a quotation mark goes on, over the ends of lines, to the one that closes
it (RFC 4180, 2). Where a transcript begins with one that is no more than a part of it, the rows
up to the next such transcript would be read as one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from mynah.data.audio.files import AUDIO_SUFFIXES
from mynah.data.sources.reading.lines import line_place
from mynah.errors import UserError

Lines = Iterable[tuple[int, str]]  # numbers and texts, with their ends


def checked(lines: Lines, delimiter: str, path: str) -> Iterator[str]:
    """The lines as they are, where no stray quotation mark joins several rows.

    Args:
        lines: Of the file.
        delimiter: What separates its fields.
        path: The file, for errors.

    Raises:
        UserError: One does; the line where it is opened is named.
    """
    held: list[tuple[int, str]] = []
    for number, line in lines:
        if (held or '"' in line) and _is_open(line, delimiter, inside=bool(held)):
            held.append((number, line))
        elif held:
            held.append((number, line))
            _check_joined(held, delimiter, path)
            held = []
        yield line
    if held:
        raise _stray(path, held[0][0], "is not closed up to the end of the file")


def is_quoted(lines: Lines) -> bool:
    """Whether a TSV file has its fields quoted, as pandas and spreadsheets write it.

    They quote the fields that need it alone: those with a tab, an end of a line or a quotation
    mark in them, which is then doubled; or all fields. In others a quotation mark is a letter.

    Args:
        lines: Of the file.
    """
    texts = [line for _, line in lines]
    if not any(line.startswith('"') or '\t"' in line for line in texts):
        return False
    try:
        header, *rows = csv.reader(texts, delimiter="\t", strict=True)
    except (csv.Error, ValueError):
        return False
    literal = list(csv.reader(texts, delimiter="\t", quoting=csv.QUOTE_NONE))
    if literal and all(field.startswith('"') and field.endswith('"') for field in literal[0]):
        return True
    needs = {field for row in [header, *rows] for field in row if set(field) & set('"\t\r\n')}
    quoted = sum(
        field.startswith('"') and field.endswith('"') and len(field) > 1
        for row in literal
        for field in row
    )
    # Every field in quotation marks needed them: else they are a part of some text.
    complete = {field for field in needs if "\n" not in field and "\t" not in field}
    return bool(needs) and quoted <= sum(
        field in complete for row in [header, *rows] for field in row
    )


def _is_open(line: str, delimiter: str, *, inside: bool) -> bool:
    """Whether a quoted field goes on after the line."""
    state = "quoted" if inside else "start"
    for letter in line.rstrip("\r\n"):
        if state == "quoted":
            state = "quote" if letter == '"' else "quoted"
        elif state == "quote" and letter == '"':
            state = "quoted"
        elif letter == delimiter:
            state = "start"
        else:
            state = "quoted" if state == "start" and letter == '"' else "field"
    return state == "quoted"


def _check_joined(held: list[tuple[int, str]], delimiter: str, path: str) -> None:
    """
    Raises:
        UserError: The lines of a row are several rows.
    """
    first = held[0][0]
    try:
        list(csv.reader([line for _, line in held], delimiter=delimiter, strict=True))
    except csv.Error:
        raise _stray(path, first, f"is closed in the middle of line {held[-1][0]}") from None
    for number, line in held[1:]:
        cells = line.strip().strip('"').split(delimiter)
        if len(cells) > 1 and any(_names_audio(cell) for cell in cells):
            raise _stray(path, first, f"takes in line {number}, which is a row of its own")


def _names_audio(cell: str) -> bool:
    return PurePosixPath(cell.strip().strip('"')).suffix.lower() in AUDIO_SUFFIXES


def _stray(path: str, number: int, wrong: str) -> UserError:
    return UserError(
        f"A quotation mark is opened on line {number} and {wrong}: the rows between would be lost.",
        where=line_place(path, number),
        fix='Close it, or write the field as "he said ""hello"" to me" (each mark inside doubled)',
    )
