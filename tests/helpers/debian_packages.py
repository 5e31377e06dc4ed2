"""Programs of Debian and Ubuntu, fetched with apt-get into a folder and unpacked there: nothing is
installed, and nothing of it needs root."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


class UnavailableError(Exception):
    """A program is not to be had here."""


def unpacked(packages: tuple[str, ...], folder: Path) -> Path:
    """Fetch packages with what they need.

    Args:
        packages: Their names.
        folder: For the lists, the archives and what is unpacked.

    Returns:
        The folder that holds ``usr``.

    Raises:
        UnavailableError: This machine has no apt-get, or no network.
    """
    named = packages[0]
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise UnavailableError(f"{named} needs apt-get")
    apt = folder / "apt"
    for name in ("lists", "archives"):
        (apt / name / "partial").mkdir(parents=True)
    common = ["apt-get", "--quiet=2", "-o", f"Dir::State::Lists={apt / 'lists'}"]
    common += ["-o", f"Dir::Cache={apt}", "-o", "Debug::NoLocking=1"]
    fetch = ["install", "--yes", "--no-install-recommends", "--download-only", "--reinstall"]
    for words in (["update"], [*fetch, *packages]):
        done = subprocess.run([*common, *words], capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise UnavailableError(f"{named} cannot be fetched: {done.stderr.strip()[-300:]}")
    root = folder / "root"
    for package in (apt / "archives").glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(root)], check=True)
    return root
