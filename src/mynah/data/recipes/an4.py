"""CMU's AN4 (Census), as NIST sphere files: speech.cs.cmu.edu/databases/an4.

No checksum is published. The copies on https come first: the university serves http alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from mynah.config.values import argument
from mynah.data.recipes.installing.recipe import Archive, Recipe


def _command(directory: Path, parts: Sequence[str]) -> str:
    path = argument("data.path", str(directory / "an4"))
    splits = "data.eval_splits=[test]"
    return shlex.join(["mynah", "train", "data.dataset_name=an4", path, splits])


RECIPE = Recipe(
    name="an4",
    title="AN4",
    licence="BSD style, any use: an4/LICENSE of the archive",
    homepage="http://www.speech.cs.cmu.edu/databases/an4",
    archives=(
        Archive(
            part="all",
            file_name="an4_sphere.tar.gz",
            urls=(
                "https://dldata-public.s3.us-east-2.amazonaws.com/an4_sphere.tar.gz",
                "https://huggingface.co/datasets/espnet/an4/resolve/"
                "e3973d837928155e2731fde57fc099ba0355c707/an4_sphere.tar.gz",
                "http://www.speech.cs.cmu.edu/databases/an4/an4_sphere.tar.gz",
            ),
            size_bytes=64_300_000,
            size_is_exact=False,
            unpacked_bytes=100_000_000,
            folder="an4",
            about="0.8 h, 84 speakers: train and test",
        ),
    ),
    next_command=_command,
)
