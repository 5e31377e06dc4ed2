"""What lies where in a tar file, so that a recording is read in its place."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mynah.errors import UserError

_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


@dataclass(frozen=True)
class TarMember:
    """A file in a tar file.

    Attributes:
        name: Its path in it.
        offset: Where its bytes begin.
        size: How many it has.
    """

    name: str
    offset: int
    size: int


def members(path: Path) -> Iterator[TarMember]:
    """The plain files in a tar file, in their order; links and folders are left out.

    Raises:
        UserError: It is compressed, cut short, or no tar file.
    """
    try:
        with path.open("rb") as file:
            head = file.read(6)
        if head.startswith(_COMPRESSED):
            raise UserError(
                "The tar file is compressed: its recordings cannot be read in their places.",
                where=str(path),
                fix=f"Decompress it (audio is hardly any larger): gunzip {path.name}",
            )
        size = path.stat().st_size
        with tarfile.open(path, "r:", errorlevel=0) as opened:
            for member in opened:
                opened.members = []  # type: ignore[attr-defined] # else it keeps them all
                if not member.isreg() or member.sparse is not None:
                    continue
                if member.offset_data + member.size > size:
                    raise UserError(
                        f"The tar file is cut short inside {member.name}.", where=str(path)
                    )
                yield TarMember(member.name, member.offset_data, member.size)
    # tarfile lets through whatever the numbers in a damaged header lead to.
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as problem:
        raise UserError(
            f"The tar file cannot be read: {str(problem) or type(problem).__name__}.",
            where=str(path),
            fix="Fetch it again: it is damaged, or no tar file.",
        ) from problem
