"""A file as it would be with another beginning: what a decoder is given in place of one whose
header is missing or wrong. Nothing is copied and nothing on disk is changed."""

from __future__ import annotations

import io
import os
from typing import IO


class Splice(io.RawIOBase):
    """Some bytes, then a file from a place in it to its end; for reading.

    Args:
        head: What it begins with.
        file: What follows; closed with this.
        start: The byte of ``file`` that comes after ``head``.
    """

    def __init__(self, head: bytes, file: IO[bytes], start: int) -> None:
        self._head = head
        self._file = file
        self._start = start
        self._size = len(head) + max(0, file.seek(0, os.SEEK_END) - start)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}
        self._position = max(0, bases[whence] + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer as far as there are bytes; how many there were."""
        wanted = min(len(buffer), max(0, self._size - self._position))
        held = self._head[self._position : self._position + wanted]
        if len(held) < wanted:
            self._file.seek(self._start + self._position + len(held) - len(self._head))
            held += self._file.read(wanted - len(held))
        buffer[: len(held)] = held
        self._position += len(held)
        return len(held)

    def close(self) -> None:
        self._file.close()
        super().close()
