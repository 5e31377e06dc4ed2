"""NIST's sclite, and what it counts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from debian_packages import UnavailableError, unpacked

_INSTALLED = Path("/usr/lib/sctk/bin/sclite")  # where Debian's package has it


class Counted(NamedTuple):
    """A line of the report ``rsum``."""

    utterances: int
    words: int
    right: int
    substitutions: int
    deletions: int
    insertions: int
    errors: int
    utterances_with_errors: int


def find_sclite(folder: Path) -> Path:
    """The program: as it is installed, or Debian's, unpacked into a folder.

    Raises:
        UnavailableError: It is neither installed nor to be had.
    """
    for found in (shutil.which("sclite"), _INSTALLED):
        if found is not None and Path(found).is_file():
            return Path(found)
    found = unpacked(("sctk",), folder) / _INSTALLED.relative_to("/")
    if not found.is_file():
        raise UnavailableError("the package sctk holds no sclite")
    return found


def counted(sclite: Path, reference: Path, hypothesis: Path) -> dict[str, Counted]:
    """What sclite counts of each speaker, and of all under ``Sum``; letters' cases are told apart.

    Args:
        sclite: The program.
        reference: A ``.trn`` or ``.stm`` file.
        hypothesis: A ``.trn`` or ``.ctm`` file.
    """
    of_files = []
    for option, file in (("-r", reference), ("-h", hypothesis)):
        of_files += [option, str(file), file.suffix.removeprefix(".")]
    done = subprocess.run(
        [str(sclite), *of_files, "-i", "spu_id", "-s", "-e", "utf-8", "-o", "rsum", "stdout"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    rows = (line.replace("|", " ").split() for line in done.stdout.splitlines())
    return {
        row[0]: Counted(*map(int, row[1:]))
        for row in rows
        if len(row) == 1 + len(Counted._fields) and all(cell.isdigit() for cell in row[1:])
    }
