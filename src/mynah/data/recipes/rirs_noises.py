"""Room responses, real and simulated, and noises, Ko et al. 2017: openslr.org/28."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from mynah.config.values import argument
from mynah.data.recipes.installing.recipe import Archive, Checksum, Recipe, openslr


def _command(directory: Path, parts: Sequence[str]) -> str:
    rooms = directory / "RIRS_NOISES" / "simulated_rirs"
    return shlex.join(["mynah", "train", argument("data.augmentation.room_folder", str(rooms))])


RECIPE = Recipe(
    name="rirs_noises",
    title="RIRS_NOISES",
    licence="Apache 2.0, https://www.apache.org/licenses/LICENSE-2.0",
    homepage="https://www.openslr.org/28",
    archives=(
        Archive(
            part="all",
            file_name="rirs_noises.zip",
            urls=openslr(28, "rirs_noises.zip"),
            size_bytes=1_311_166_223,
            unpacked_bytes=6_500_000_000,
            folder="RIRS_NOISES",
            about="60,000 simulated room responses, 325 real ones, point-source noises",
            checksum=Checksum("md5", "e6f48e257286e05de56413b4779d8ffb"),
        ),
    ),
    next_command=_command,
)
