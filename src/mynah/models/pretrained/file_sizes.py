"""Files of a checkpoint that cannot be meant, found by their sizes before any is read.

A file may claim a terabyte and take none of the disk: its holes read as zeros, for hours.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

_TEXTS = (".json", ".jsonl", ".jinja", ".yaml", ".txt", ".model", ".tiktoken", ".bpe")
_MOST_OF_A_TEXT = 2**29  # bytes; the largest tokenizers have some 40 MB
_WITHOUT_LOOKING = 2**28  # bytes that are read anyway, whatever they are
_MOST_HOLES = 0.5  # of a file: what was trained is not zeros


def oversized(folder: Path) -> str | None:
    """What of a folder's files cannot be meant, as part of a sentence; None: nothing.

    Of no file more than the beginning is read.

    Raises:
        OSError: The folder cannot be read.
    """
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if path.is_file() and (problem := _problem(path)):
                return f"{path.relative_to(folder).as_posix()} {problem}"
    return None


def _problem(path: Path) -> str | None:
    size = path.stat().st_size
    if path.suffix in _TEXTS and size > _MOST_OF_A_TEXT:
        return f"has {size:,} bytes, which no text of a checkpoint has"
    if size > _WITHOUT_LOOKING and (empty := holes(path)) > _MOST_HOLES * size:
        return f"has {size:,} bytes, of which {empty:,} are holes"
    return None


def written_bytes(path: Path) -> int:
    """What a copy of a file's content takes: its size, less the holes of a large one.

    Raises:
        OSError: It cannot be read.
    """
    size = path.stat().st_size
    return size - holes(path) if size > _WITHOUT_LOOKING else size


def holes(path: Path) -> int:
    """Bytes of a file that were never written; 0 where the file system does not tell."""
    if not hasattr(os, "SEEK_HOLE"):
        return 0
    size, written, position = path.stat().st_size, 0, 0
    with path.open("rb") as file:
        while position < size:
            try:
                begin = os.lseek(file.fileno(), position, os.SEEK_DATA)
            except OSError as problem:
                if problem.errno == errno.ENXIO:  # all that follows is a hole
                    break
                return 0
            position = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            written += position - begin
    return size - written
