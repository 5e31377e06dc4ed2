"""Bytes of audio files and of shards: the one place that opens a file for them."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import IO


def opened(file: Path | str | bytes) -> IO[bytes]:
    """A file or bytes, seekable.

    Raises:
        OSError: The file cannot be opened.
    """
    if isinstance(file, bytes):
        return io.BytesIO(file)
    if not Path(file).is_file():
        raise FileNotFoundError(f"there is no file {file}")
    return Path(file).open("rb")


def all_bytes(file: Path | str, most: int) -> bytes | None:
    """A file in full, where it is not longer than ``most`` bytes; None where it is, or is none.

    Raises:
        OSError: The file cannot be opened.
    """
    name = os.fspath(file)  # of each of many files: a Path takes longer
    try:
        status = os.stat(name)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode) or status.st_size > most:
        return None
    with open(name, "rb", buffering=0) as content:  # noqa: PTH123
        return content.read()


def byte_range(file: Path | str | bytes, byte_offset: int, byte_length: int | None) -> bytes:
    """The bytes of an audio file that lies in a shard.

    Args:
        file: The shard, or its bytes.
        byte_offset: Where in it the audio file begins.
        byte_length: How many bytes it has; None: to the end of the shard.

    Raises:
        ValueError: The shard ends before it does.
        OSError: The shard cannot be opened.
    """
    with opened(file) as shard:
        shard.seek(byte_offset)
        held = shard.read(-1 if byte_length is None else byte_length)
    if byte_length is not None and len(held) < byte_length:
        raise ValueError(
            f"its shard is cut short: {len(held):,} of {byte_length:,} bytes are there"
        )
    return held
