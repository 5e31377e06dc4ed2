"""Corpora that can be had by name; a new one is one new file and one line in :data:`RECIPES`."""

from __future__ import annotations

import difflib
import importlib

from mynah.data.recipes.installing.recipe import Recipe
from mynah.errors import UserError

# name: the module that has its ``RECIPE``
RECIPES = {
    "librispeech": "mynah.data.recipes.librispeech",
    "mini_librispeech": "mynah.data.recipes.mini_librispeech",
    "an4": "mynah.data.recipes.an4",
    "ljspeech": "mynah.data.recipes.ljspeech",
    "speechocean762": "mynah.data.recipes.speechocean762",
    "musan": "mynah.data.recipes.musan",
    "rirs_noises": "mynah.data.recipes.rirs_noises",
}


def find_recipe(name: str) -> Recipe:
    """The recipe of a corpus.

    Raises:
        UserError: There is none of that name.
    """
    usual = name.lower().replace("-", "_")
    if usual not in RECIPES:
        near = difflib.get_close_matches(usual, RECIPES, n=1)
        raise UserError(
            f"There is no recipe for {name!r}; there are: {', '.join(RECIPES)}.",
            where=f"mynah data download {name}",
            fix=f"mynah data download {near[0]} --to DIR" if near else "mynah data download --list",
        )
    recipe: Recipe = importlib.import_module(RECIPES[usual]).RECIPE
    return recipe
