"""Text files as sentences."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from mynah.errors import UserError


def lines(paths: Sequence[Path]) -> Iterator[str]:
    """The lines of text files, plain or ``.gz``, one after the other.

    Raises:
        UserError: One cannot be read, or is not text in UTF-8.
    """
    for path in paths:
        try:
            opened = gzip.open if path.suffix == ".gz" else open
            with opened(path, "rt", encoding="utf-8-sig") as file:
                yield from file
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(
                f"This text cannot be read: {reason}.",
                where=str(path),
                fix="name a text file with a sentence a line",
            ) from error
        except UnicodeDecodeError as error:
            raise UserError(
                f"This is not text in UTF-8: {error.reason} at byte {error.start}.",
                where=str(path),
                fix="write it as UTF-8 (iconv -f latin1 -t utf8)",
            ) from error
