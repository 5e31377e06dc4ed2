"""speechocean762, Zhang et al. 2021, arXiv 2104.01378: openslr.org/101.

No checksum is published.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from mynah.config.values import argument
from mynah.data.recipes.installing.recipe import Archive, Recipe, openslr


def _command(directory: Path, parts: Sequence[str]) -> str:
    path = argument("data.dataset_name", str(directory / "speechocean762"))
    return shlex.join(["mynah", "train", path, "data.eval_splits=[test]"])


RECIPE = Recipe(
    name="speechocean762",
    title="speechocean762",
    licence="CC BY 4.0, https://creativecommons.org/licenses/by/4.0/",
    homepage="https://www.openslr.org/101",
    archives=(
        Archive(
            part="all",
            file_name="speechocean762.tar.gz",
            urls=openslr(101, "speechocean762.tar.gz"),
            size_bytes=520_000_000,
            size_is_exact=False,
            unpacked_bytes=700_000_000,
            folder="speechocean762",
            about="5.6 h of Mandarin speakers' English, 250 speakers: train and test",
        ),
    ),
    next_command=_command,
)
