"""Text files that list a corpus: their lines, with the number that an error names."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from mynah.errors import UserError

_LONGEST_LINE = 64 << 20  # bytes; beyond that it is not a listing but something binary
_JAPANESE = "\u3040-\u30ff\u4e00-\u9fff"
_HIRAGANA = "[\u3040-\u309f]"  # which no sentence of Japanese is without
# Encodings of old listings, and the letters that a text in each consists of: the first of which
# all letters are is the likeliest.
_ENCODINGS = {
    "euc-kr": "\uac00-\ud7a3",
    "euc-jp": _JAPANESE,
    "shift_jis": _JAPANESE,
    "gb18030": "\u4e00-\u9fff",
    "big5": "\u4e00-\u9fff",
    "windows-1251": "\u0400-\u045f",
}
_SIGNS = "\u2000-\u206f\u3000-\u303f\uff00-\uff60\u00a0-\u00bf"  # punctuation among them
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
                        f"Line {number} is longer than {_LONGEST_LINE >> 20} MiB: it is not a "
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


def likely_encoding(text: bytes) -> str:
    """The encoding of a text that is not UTF-8, by what its letters would be.

    Args:
        text: Some of it; a line of words is enough as a rule.
    """
    for encoding, letters in _ENCODINGS.items():
        try:
            found = text.decode(encoding)
        except UnicodeDecodeError:
            continue
        foreign = [one for one in found if not one.isascii()]
        # Letters of a script come in words; accented ones stand alone between others.
        if not re.fullmatch(f"[{letters}{_SIGNS}]+", "".join(foreign)):
            continue
        if letters == _JAPANESE and not re.search(_HIRAGANA, found):
            continue
        in_words = re.findall(f"(?<![A-Za-z])[{letters}]{{2,}}(?![A-Za-z])", found)
        if sum(map(len, in_words)) * 2 > len(foreign):
            return encoding
    return "latin-1"


def _text(line: bytes, path: Path, number: int, keep_ends: bool) -> str:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise _not_utf8(path, number, likely_encoding(line)) from None
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


def read_all(path: Path) -> str:
    """A small UTF-8 file.

    Raises:
        UserError: As :func:`read_lines`.
    """
    return "".join(line for _, line in read_lines(path, keep_ends=True))


def line_place(path: Path | str, number: int | None) -> str:
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
