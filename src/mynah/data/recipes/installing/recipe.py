"""What a recipe says of a corpus: where its archives lie, and under which licence."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mynah.errors import UserError

# OpenSLR's own address sends on to one of its mirrors; these serve the files themselves.
_OPENSLR = (
    "https://www.openslr.org/resources",
    "https://openslr.trmal.net/resources",
    "https://openslr.elda.org/resources",
    "https://openslr.magicdatatech.com/resources",
)
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Checksum:
    """A digest of a file.

    Attributes:
        algorithm: ``md5`` or ``sha256``: what was published, or ``sha256`` for our own.
        digest: In hexadecimal digits.
    """

    algorithm: str
    digest: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest}"

    @classmethod
    def of(cls, file: Path, algorithm: str, advance: Callable[[float], None]) -> Checksum:
        """The digest of a file; ``advance`` is called with each piece's size in bytes."""
        made = hashlib.new(algorithm, usedforsecurity=False)
        with file.open("rb") as opened:
            while piece := opened.read(_READ_BYTES):
                made.update(piece)
                advance(len(piece))
        return cls(algorithm, made.hexdigest())


@dataclass(frozen=True)
class Archive:
    """One file to download, which unpacks to one part of a corpus.

    Attributes:
        part: What ``--parts`` calls it.
        file_name: The archive's own name.
        urls: Where it lies, the first to be tried first.
        size_bytes: How large it is.
        unpacked_bytes: About how large its files are.
        folder: The folder it unpacks to, below the one it is unpacked in.
        about: What is in it, for people.
        checksum: As published; None: it is not, and is recorded at first use.
        size_is_exact: Whether ``size_bytes`` is known to the byte.
    """

    part: str
    file_name: str
    urls: tuple[str, ...]
    size_bytes: int
    unpacked_bytes: int
    folder: str
    about: str
    checksum: Checksum | None = None
    size_is_exact: bool = True


@dataclass(frozen=True)
class Recipe:
    """A corpus that can be had by its name.

    Attributes:
        name: What it is called on the command line.
        title: Its name for people.
        licence: Under which licence it is given away, in one line.
        homepage: Where its authors describe it.
        archives: Its parts.
        next_command: From the folder that it was put in and the names of all parts that lie
            there to a command that uses them.
    """

    name: str
    title: str
    licence: str
    homepage: str
    archives: tuple[Archive, ...]
    next_command: Callable[[Path, Sequence[str]], str]

    def choose(self, parts: Sequence[str] | None) -> list[Archive]:
        """The archives of these parts, all where None; in the recipe's order.

        Raises:
            UserError: There is no such part.
        """
        there = [archive.part for archive in self.archives]
        for part in parts or ():
            if part not in there:
                near = difflib.get_close_matches(part, there, n=1)
                raise UserError(
                    f"{self.title} has no part {part!r}; it has: {', '.join(there)}.",
                    where=f"--parts {','.join(parts or ())}",
                    fix=f"--parts {near[0] if near else there[0]}",
                )
        return [archive for archive in self.archives if parts is None or archive.part in parts]


def openslr(number: int, file_name: str) -> tuple[str, ...]:
    """Addresses of a file of openslr.org's resource ``number``, mirrors included."""
    return tuple(f"{base}/{number}/{file_name}" for base in _OPENSLR)


def size(count: float) -> str:
    """A number of bytes for people, in decimal units as download pages give them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
