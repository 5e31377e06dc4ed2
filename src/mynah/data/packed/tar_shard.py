"""One tar of a packed corpus, written in order; where each member's bytes begin is known."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mynah.data.audio.byte_ranges import byte_range

_BLOCK = tarfile.BLOCKSIZE  # 512 bytes: headers and contents begin at its multiples
_END = bytes(2 * _BLOCK)


@dataclass(frozen=True)
class Member:
    """A file in a tar.

    Attributes:
        name: Its name there.
        byte_offset: Where its bytes begin.
        byte_length: How many it has.
    """

    name: str
    byte_offset: int
    byte_length: int


class TarShard:
    """Writes a tar: the same members give the same bytes.

    Args:
        sink: Where it is written.

    Attributes:
        size: Bytes so far.
    """

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink
        self._sum = hashlib.sha256()
        self.size = 0

    def size_with(self, contents: Sequence[bytes]) -> int:
        """Bytes of the finished tar with further members of these contents."""
        return self.size + sum(_BLOCK + _padded(len(one)) for one in contents) + len(_END)

    def add(self, name: str, content: bytes) -> Member:
        """Write a member."""
        header = tarfile.TarInfo(name)
        header.size = len(content)
        self._write(header.tobuf(tarfile.USTAR_FORMAT))
        member = Member(name, self.size, len(content))
        self._write(content)
        self._write(bytes(_padded(len(content)) - len(content)))
        return member

    def end(self) -> str:
        """Write the end mark; the tar's SHA-256."""
        self._write(_END)
        return self._sum.hexdigest()

    def _write(self, content: bytes) -> None:
        self._sink.write(content)
        self._sum.update(content)
        self.size += len(content)


def holds_member(tar: Path, member: Member) -> bool:
    """Whether a tar has a member where it is said to be: its header alone is read."""
    try:
        block = byte_range(tar, member.byte_offset - _BLOCK, _BLOCK)
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (OSError, ValueError, tarfile.TarError):
        return False
    return header.name == member.name and header.size == member.byte_length


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
