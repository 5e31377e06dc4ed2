"""Text files that list a corpus: their lines, with the number that an error names."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from mynah.errors import UserError

_LONGEST_LINE = 64 << 20  # bytes; beyond that it is no listing but something binary
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_lines(path: Path, *, keep_ends: bool = False) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file, plain or gzipped, with their numbers from 1.

    A byte order mark is left out, and so is the end of a line, Windows' and the old Macintosh's
    (a carriage return alone, as Excel still writes "CSV (Macintosh)") too.

    Args:
        path: The file.
        keep_ends: Whether a line keeps its end, as a csv reader wants it.

    Raises:
        UserError: It cannot be read, is cut short, or is not UTF-8; the line is named.
    """
    number = 0
    try:
        with _opened(path) as file:
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if len(line) == _LONGEST_LINE:
                    raise UserError(
                        f"Line {number} is longer than {_LONGEST_LINE >> 20} MiB: this is no "
                        "listing of recordings.",
                        where=str(path),
                    )
                if number == 1:
                    if encoding := _utf16(line):
                        raise _not_utf8(path, number, encoding)
                    line = line.removeprefix(b"\xef\xbb\xbf")
                    if not line.endswith(b"\n") and b"\r" in line:  # the file's only line end
                        for number, part in enumerate(line.splitlines(keepends=True), 1):
                            yield number, _text(part, path, number, keep_ends)
                        continue
                yield number, _text(line, path, number, keep_ends)
    except (OSError, EOFError, zlib.error) as problem:
        reason = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
        raise UserError(
            f"The listing cannot be read after line {number}: {reason.rstrip('.')}.",
            where=str(path),
            fix="Fetch it again: it is cut short or damaged." if path.suffix == ".gz" else None,
        ) from problem


def _utf16(line: bytes) -> str | None:
    """The encoding of a first line in UTF-16, with a byte order mark or without; else None."""
    if line[:2] in _UTF16:
        return "utf-16"
    # Of letters up to U+00FF every other byte is zero, and no text in UTF-8 has one.
    for encoding, zeros in (("utf-16le", line[1:80:2]), ("utf-16be", line[0:80:2])):
        if zeros.count(0) > len(zeros) / 2:
            return encoding
    return None


def _text(line: bytes, path: Path, number: int, keep_ends: bool) -> str:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise _not_utf8(path, number, "latin-1") from None
    return text if keep_ends else text.rstrip("\r\n")


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSONL file, plain or gzipped, with their line numbers.

    Raises:
        UserError: As :func:`read_lines`, or a line is not a JSON object; the line is named.
    """
    for number, line in read_lines(path):
        if line.strip():
            yield number, as_object(parse_json(line, path, number), path, number)


def parse_json(text: str, path: Path, number: int | None = None) -> Any:
    """A JSON value.

    Raises:
        UserError: It is none; the line is named.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        reason = str(problem) if isinstance(problem, ValueError) else "it is nested too deep"
        raise UserError(
            f"This is not JSON: {reason}.",
            where=line_place(path, number),
            fix="Fix the line, or remove it." if number else None,
        ) from None


def as_object(value: Any, path: Path, number: int | None) -> dict[str, Any]:
    """A JSON object.

    Raises:
        UserError: It is another kind of value.
    """
    if not isinstance(value, dict):
        raise UserError(
            f"An object of JSON is expected here, as {{...}}, not {type(value).__name__}.",
            where=line_place(path, number),
        )
    return value


def read_whole(path: Path) -> str:
    """A small UTF-8 file.

    Raises:
        UserError: As :func:`read_lines`.
    """
    return "".join(line for _, line in read_lines(path, keep_ends=True))


def line_place(path: Path, number: int | None) -> str:
    """A line as errors name it."""
    return f"{path}, line {number}" if number else str(path)


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


def _not_utf8(path: Path, number: int, likely: str) -> UserError:
    return UserError(
        "The listing is not encoded in UTF-8.",
        where=line_place(path, number),
        fix=f"If it is {likely}: iconv -f {likely} -t utf-8 {path} > listing, and use that.",
    )
