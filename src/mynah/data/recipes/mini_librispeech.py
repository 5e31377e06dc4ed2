"""Mini LibriSpeech, a part of LibriSpeech for first steps: openslr.org/31.

Sizes and MD5 sums are those of ``md5sum.txt`` there.
"""

from __future__ import annotations

from mynah.data.recipes.installing.recipe import Recipe
from mynah.data.recipes.librispeech import LICENCE, libri_archive, libri_command

RECIPE = Recipe(
    name="mini_librispeech",
    title="Mini LibriSpeech",
    licence=LICENCE,
    homepage="https://www.openslr.org/31",
    archives=(
        libri_archive(
            31,
            "train-clean-5",
            332_954_390,
            360_000_000,
            "5df7d4e78065366204ca6845bb08f490",
            "5.3 h, 28 speakers",
        ),
        libri_archive(
            31,
            "dev-clean-2",
            126_046_265,
            140_000_000,
            "6d7ab67ac6a1d2c993d050e16d61080d",
            "2 h of dev-clean",
        ),
    ),
    next_command=libri_command,
)
