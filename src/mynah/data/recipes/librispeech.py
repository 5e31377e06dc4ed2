"""LibriSpeech, Panayotov et al. 2015: openslr.org/12.

Sizes and MD5 sums are those of ``md5sum.txt`` there.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from mynah.config.values import argument
from mynah.data.recipes.installing.recipe import Archive, Checksum, Recipe, openslr

LICENCE = "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/"


def libri_archive(
    number: int, part: str, size_bytes: int, unpacked_bytes: int, md5: str, about: str
) -> Archive:
    """A part of LibriSpeech or of the corpora that share its tree."""
    return Archive(
        part=part,
        file_name=f"{part}.tar.gz",
        urls=openslr(number, f"{part}.tar.gz"),
        size_bytes=size_bytes,
        unpacked_bytes=unpacked_bytes,
        folder=f"LibriSpeech/{part}",
        about=about,
        checksum=Checksum("md5", md5),
    )


def libri_command(directory: Path, parts: Sequence[str]) -> str:
    """Train on the training parts that are there and measure on the development parts."""
    train = [part for part in parts if part.startswith("train-")]
    measured = [part for part in parts if part.startswith("dev-")] or [
        part for part in parts if part.startswith("test-")
    ]
    words = ["data.dataset_name=librispeech", argument("data.path", str(directory))]
    if not train:
        words.append(argument("data.eval_splits", measured))
        return shlex.join(["mynah", "eval", "outputs/model", *words])
    words.append(argument("data.train_splits", train))
    words.append(argument("data.eval_splits", measured or None))
    return shlex.join(["mynah", "train", *words])


RECIPE = Recipe(
    name="librispeech",
    title="LibriSpeech",
    licence=LICENCE,
    homepage="https://www.openslr.org/12",
    archives=(
        libri_archive(
            12,
            "dev-clean",
            337_926_286,
            360_000_000,
            "42e2234ba48799c1f50f24a7926300a1",
            "5.4 h, 40 speakers",
        ),
        libri_archive(
            12,
            "dev-other",
            314_305_928,
            340_000_000,
            "c8d0bcc9cca99d4f8b62fcc847357931",
            "5.3 h, 33 speakers",
        ),
        libri_archive(
            12,
            "test-clean",
            346_663_984,
            370_000_000,
            "32fa31d27d2e1cad72775fee3f4849a9",
            "5.4 h, 40 speakers",
        ),
        libri_archive(
            12,
            "test-other",
            328_757_843,
            350_000_000,
            "fb5a50374b501bb3bac4815ee91d3135",
            "5.1 h, 33 speakers",
        ),
        libri_archive(
            12,
            "train-clean-100",
            6_387_309_499,
            6_700_000_000,
            "2a93770f6d5c6c964bc36631d331a522",
            "100.6 h, 251 speakers",
        ),
        libri_archive(
            12,
            "train-clean-360",
            23_049_477_885,
            24_000_000_000,
            "c0e676e450a7ff2f54aeade5171606fa",
            "363.6 h, 921 speakers",
        ),
        libri_archive(
            12,
            "train-other-500",
            30_593_501_606,
            32_000_000_000,
            "d1a0fd59409feb2c614ce4d30c387708",
            "496.7 h, 1166 speakers",
        ),
    ),
    next_command=libri_command,
)
