"""A file of storage as Python reads files: seekable, by blocks that are kept on this disk.

::

    ~/.cache/mynah/storage/blocks/<file>/<number>     a block, and the digest of it at its end

Each pass over a corpus reads the same blocks. They are kept as long as there is room for them
(``MYNAH_STORAGE_GIB``), those that were read last.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mynah import files
from mynah.errors import UserError
from mynah.storage.address import join, masked
from mynah.storage.cache import bound_bytes, folders_bytes, storage_root
from mynah.storage.store import Entry, Store

BLOCK = 4 * 2**20  # bytes; of a tar of FLAC some minutes of speech
_DIGEST = 16  # bytes behind a block
_LOOKED_AFTER = 64  # blocks that are written before the bound is looked at
_KEPT_FREE = 2**30  # bytes of the disk that blocks never take


class StoredFile(io.RawIOBase):
    """A file of storage.

    What fails for a moment is asked for again; what is read is what was listed, or an error.

    Args:
        store: The folder it lies in.
        entry: As it was listed.
    """

    def __init__(self, store: Store, entry: Entry) -> None:
        super().__init__()
        self._store = store
        self._entry = entry
        self._at = 0
        self._number = -1
        self._block = b""
        self._asked = False
        about = f"{store.address}\n{entry.name}\n{entry.size}\n{entry.tag}"
        self._place = blocks_root() / hashlib.blake2b(about.encode(), digest_size=12).hexdigest()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._entry.size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer: with less only at the end of the file."""
        target = memoryview(buffer).cast("B")
        done = 0
        while done < len(target) and self._at < self._entry.size:
            number, offset = divmod(self._at, BLOCK)
            part = self._read_block(number)[offset : offset + len(target) - done]
            target[done : done + len(part)] = part
            done += len(part)
            self._at += len(part)
        return done

    def _read_block(self, number: int) -> bytes:
        if number != self._number:
            kept = self._kept(number)
            self._block = self._fetched(number) if kept is None else kept
            self._number = number
        return self._block

    def _fetched(self, number: int) -> bytes:
        if not self._asked:
            self._check_same()
        start = number * BLOCK
        content = self._store.read(self._entry.name, start, min(start + BLOCK, self._entry.size))
        self._keep(number, content)
        return content

    def _check_same(self) -> None:
        """
        Raises:
            UserError: It is another file than was listed.
        """
        found = self._store.find(self._entry.name)
        same = found is not None and found.size == self._entry.size
        if not same or (found is not None and found.tag != self._entry.tag):
            raise UserError(
                "The file is gone." if found is None else "The file changed while it was read.",
                where=masked(join(self._store.address, self._entry.name)),
                fix="put it back as it was, or begin a new run",
            )
        self._asked = True

    def _kept(self, number: int) -> bytes | None:
        """A block that was read before, if it is intact."""
        with suppress(OSError):
            content = (self._place / str(number)).read_bytes()
            block, digest = content[:-_DIGEST], content[-_DIGEST:]
            if hashlib.blake2b(block, digest_size=_DIGEST).digest() == digest:
                return block
        return None

    def _keep(self, number: int, content: bytes) -> None:
        """Without room on the disk the block is read again the next time."""
        with suppress(OSError):
            if shutil.disk_usage(storage_root()).free < _KEPT_FREE:
                return
            self._place.mkdir(parents=True, exist_ok=True)
            digest = hashlib.blake2b(content, digest_size=_DIGEST).digest()
            files.write_bytes(self._place / str(number), content + digest)
            _Written.blocks += 1
            if _Written.blocks % _LOOKED_AFTER == 0:
                prune()


class _Written:
    """How many blocks this process wrote."""

    blocks = 0


def blocks_root() -> Path:
    """Where blocks are kept."""
    return storage_root() / "blocks"


def prune() -> None:
    """Remove the blocks that were written longest ago, until what is kept is within the bound."""
    held = sorted(_blocks())
    total = sum(size for _, size, _ in held) + folders_bytes()
    bound = bound_bytes()
    for _, size, path in held:
        if total <= bound:
            return
        with suppress(OSError):
            path.unlink()
            total -= size


def _blocks() -> Iterator[tuple[float, int, Path]]:
    for path in blocks_root().glob("*/*"):
        with suppress(OSError):
            status = path.stat()
            yield status.st_mtime, status.st_size, path
