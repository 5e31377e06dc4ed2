"""A shard: a file on this machine, or one in storage that is read by ranges of bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mynah.storage.address import join, masked
from mynah.storage.ranges import StoredFile
from mynah.storage.store import Entry, Store

_BUFFERED = 2**16  # bytes: what lies between two headers of a tar


@dataclass(frozen=True)
class Shard:
    """A shard.

    Attributes:
        path: The file; of one in storage its name there, below the corpus.
        ending: Which of the formats it is in, as ``".tar.gz"``.
        store: The corpus in storage; None: it is here.
        entry: The file there.
    """

    path: Path
    ending: str
    store: Store | None = None
    entry: Entry | None = None

    def open(self) -> IO[bytes]:
        """The file, seekable.

        Raises:
            OSError: It cannot be opened.
        """
        if self.store is None or self.entry is None:
            return self.path.open("rb")
        return io.BufferedReader(StoredFile(self.store, self.entry), _BUFFERED)

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size if self.entry is None else self.entry.size

    def __str__(self) -> str:
        """Where it lies, for messages."""
        if self.store is None or self.entry is None:
            return str(self.path)
        return masked(join(self.store.address, self.entry.name))
