"""Audio files inside shards: the one place that opens a file for some of its bytes."""

from __future__ import annotations

import io
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
