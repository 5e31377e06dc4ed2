"""MUSAN, Snyder et al. 2015, arXiv 1510.08484: music, speech and noise, openslr.org/17."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from mynah.config.values import argument
from mynah.data.recipes.installing.recipe import Archive, Checksum, Recipe, openslr


def _command(directory: Path, parts: Sequence[str]) -> str:
    noise = argument("data.augmentation.noise_folder", str(directory / "musan" / "noise"))
    return shlex.join(["mynah", "train", noise, "data.augmentation.noise_snr_db=[5,25]"])


RECIPE = Recipe(
    name="musan",
    title="MUSAN",
    licence="Creative Commons or public domain, file by file (LICENSE files in the archive); "
    "the collection CC BY 4.0",
    homepage="https://www.openslr.org/17",
    archives=(
        Archive(
            part="all",
            file_name="musan.tar.gz",
            urls=openslr(17, "musan.tar.gz"),
            size_bytes=11_086_114_085,
            unpacked_bytes=12_600_000_000,
            folder="musan",
            about="109 h: noise to train against, music, speech",
            checksum=Checksum("md5", "0c472d4fc0c5141eca47ad1ffeb2a7df"),
        ),
    ),
    next_command=_command,
)
