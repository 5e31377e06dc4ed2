"""Corpora that can be had by name; a new one is one new file and one line in :data:`RECIPES`."""

from __future__ import annotations

import difflib
import functools

from mynah import console
from mynah.config.plugins.registry import Registry
from mynah.data.recipes.installing.recipe import Recipe
from mynah.errors import UserError

_HERE = "mynah.data.recipes"


def _wrong(found: object) -> str | None:
    if isinstance(found, Recipe):
        return None
    return f"is a {type(found).__name__}, and not a {Recipe.__module__}.{Recipe.__name__}"


RECIPES: Registry[Recipe] = Registry(
    "recipe",
    "mynah.recipes",
    {
        "librispeech": f"{_HERE}.librispeech:RECIPE",
        "mini_librispeech": f"{_HERE}.mini_librispeech:RECIPE",
        "an4": f"{_HERE}.an4:RECIPE",
        "ljspeech": f"{_HERE}.ljspeech:RECIPE",
        "speechocean762": f"{_HERE}.speechocean762:RECIPE",
        "musan": f"{_HERE}.musan:RECIPE",
        "rirs_noises": f"{_HERE}.rirs_noises:RECIPE",
    },
    _wrong,
)


def find_recipe(name: str) -> Recipe:
    """The recipe of a corpus.

    Raises:
        UserError: There is none of that name, or it is a plug-in's that fails.
    """
    usual = name.lower().replace("-", "_")
    if usual not in RECIPES:
        near = difflib.get_close_matches(usual, RECIPES.names, n=1)
        raise UserError(
            f"There is no recipe for {name!r}; there are: {', '.join(RECIPES.names)}.",
            where=f"mynah data download {name}",
            fix=f"mynah data download {near[0]} --to DIR" if near else "mynah data download --list",
        )
    _say_what_is_not_used(usual)
    return RECIPES.get(usual)


def all_recipes() -> list[Recipe]:
    """Those that can be used; a plug-in's that fails is left out, and a notice says so."""
    recipes = []
    for name in RECIPES.names:
        try:
            recipes.append(find_recipe(name))
        except UserError as problem:
            console.notice(f"{problem.what} ({problem.where}): it is not listed.")
    return recipes


@functools.cache
def _say_what_is_not_used(name: str) -> None:
    """Say once that a plug-in has a name which is taken already."""
    for text in RECIPES.notices(name):
        console.notice(text)
