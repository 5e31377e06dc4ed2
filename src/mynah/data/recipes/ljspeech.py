"""LJ Speech 1.1, Ito and Johnson 2017: keithito.com/LJ-Speech-Dataset.

The SHA-256 sum is the one that torchaudio and Homebrew check.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from mynah.config.values import argument
from mynah.data.recipes.installing.recipe import Archive, Checksum, Recipe


def _command(directory: Path, parts: Sequence[str]) -> str:
    path = argument("data.dataset_name", str(directory / "LJSpeech-1.1"))
    return shlex.join(["mynah", "train", path, "data.eval_splits=null"])


RECIPE = Recipe(
    name="ljspeech",
    title="LJ Speech",
    licence="public domain",
    homepage="https://keithito.com/LJ-Speech-Dataset",
    archives=(
        Archive(
            part="all",
            file_name="LJSpeech-1.1.tar.bz2",
            urls=("https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2",),
            size_bytes=2_748_572_632,
            unpacked_bytes=3_900_000_000,
            folder="LJSpeech-1.1",
            about="24 h, one speaker",
            checksum=Checksum(
                "sha256", "be1a30453f28eb8dd26af4101ae40cbf2c50413b1bb21936cbcdc6fae3de8aa5"
            ),
        ),
    ),
    next_command=_command,
)
