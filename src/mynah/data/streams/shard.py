"""A shard: a file on this machine, or one in storage that is read by ranges of bytes."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from mynah.storage.address import join, masked
from mynah.storage.ranges import StoredFile
from mynah.storage.store import Entry, Store

_BUFFERED = 2**16  # bytes: what lies between two headers of a tar


@dataclass(frozen=True)
class Lines:
    """Lines of a file that follow each other.

    Attributes:
        first: The number of the first, from 1.
        start: The byte it begins at, of what is uncompressed.
        end: The byte before which the last one ends.
    """

    first: int
    start: int
    end: int


@dataclass(frozen=True)
class Shard:
    """A shard.

    Attributes:
        path: The file; of one in storage its name there, below the corpus.
        ending: Which of the formats it is in, as ``".tar.gz"``.
        store: The corpus in storage; None: it is here.
        entry: The file there.
        beside: The other files that it is read with, as the manifest of a tar.
        parts: The lines of the file that are meant; none: all of them.
    """

    path: Path
    ending: str
    store: Store | None = None
    entry: Entry | None = None
    beside: tuple[Shard, ...] = ()
    parts: tuple[Lines, ...] = ()

    def open(self) -> IO[bytes]:
        """The file, seekable.

        Raises:
            OSError: It cannot be opened.
        """
        if self.store is None or self.entry is None:
            return self.path.open("rb")
        return io.BufferedReader(StoredFile(self.store, self.entry), _BUFFERED)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """The lines that are meant, with their numbers; those of a gzipped file uncompressed.

        Raises:
            OSError: It cannot be read.
        """
        with ExitStack() as opened:
            file: IO[bytes] = opened.enter_context(self.open())
            if self.path.suffix == ".gz":
                file = cast("IO[bytes]", opened.enter_context(gzip.GzipFile(fileobj=file)))
            for part in self.parts:
                file.seek(part.start)
                number, at = part.first, part.start
                while at < part.end and (line := file.readline()):
                    yield number, line
                    number, at = number + 1, at + len(line)
            if not self.parts:
                yield from enumerate(file, 1)

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size if self.entry is None else self.entry.size

    def __str__(self) -> str:
        """Where it lies, for messages."""
        if self.store is None or self.entry is None:
            return str(self.path)
        return masked(join(self.store.address, self.entry.name))
