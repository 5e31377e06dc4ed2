"""Files, folders and modules that the pages name are there, under the names they give."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_commands import PAGES, REPOSITORY

READ = [*PAGES, REPOSITORY / "CONTRIBUTING.md"]
_PLUGINS = (REPOSITORY / "docs" / "plugins.md").read_text()
# A file in a checkpoint and a key of one, and the groups of entry points.
NO_MODULES = {
    "mynah.json",
    "mynah.audio_window",
    *re.findall(r'entry-points\."(mynah\.\w+)"', _PLUGINS),
}
# Experiments that a reader writes, or that a command of the page writes.
WRITTEN = {
    "configs/hydra/experiments/mine.yaml",
    "configs/hydra/experiments/test_config.yaml",
}


def named_files(page: Path) -> set[str]:
    """Paths from the repository's root."""
    named = re.findall(r"\b(?:src|tests|benchmarks|configs)/[\w/.*]*[\w*]", page.read_text())
    return set(named) - WRITTEN


def places_named() -> Iterator[Path]:
    """What the README's drawing of the house has, each with its folders."""
    text = (REPOSITORY / "README.md").read_text()
    drawing = text.split("## The house")[1].split("```")[1]
    folders: list[str] = []
    for line in drawing.strip().splitlines():
        indent, names = re.match(r"([│├└─ ]*)(.*?)(?:  |$)", line).groups()  # type: ignore[union-attr]
        depth = len(indent) // 4
        for name in names.split(", "):
            yield REPOSITORY.joinpath(*folders[:depth], name)
        folders = [*folders[:depth], names]


@pytest.mark.parametrize("page", READ, ids=lambda one: one.name)
def test_a_file_that_a_page_names_is_there(page):
    assert not {one for one in named_files(page) if not list(REPOSITORY.glob(one))}


@pytest.mark.parametrize("page", READ, ids=lambda one: one.name)
def test_a_module_that_a_page_names_is_there(page):
    text = page.read_text()
    for name in set(re.findall(r"\b(?:from|import) (mynah[\w.]*)", text)):
        assert importlib.util.find_spec(name), name
    for name in set(re.findall(r"`(mynah\.[a-z_]+(?:\.[a-z_]+)*)`", text)) - NO_MODULES:
        parent, _, last = name.rpartition(".")
        found = importlib.util.find_spec(name) if importlib.util.find_spec(parent) else None
        assert found or last in vars(importlib.import_module(parent)), name


def test_the_house_in_the_readme_is_the_house():
    named = list(places_named())
    assert len(named) > 25
    assert not [str(one) for one in named if not one.exists()]
    rooms = {one for one in (REPOSITORY / "src/mynah").iterdir() if (one / "__init__.py").exists()}
    assert rooms <= set(named)
