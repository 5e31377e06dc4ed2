"""Plug-ins are found wherever Python's own metadata finds them, and nothing is read without any."""

from __future__ import annotations

import sys
import zipfile
from importlib import metadata

import pytest

from mynah.config.plugins.registry import GROUPS, installed_plugins

ENTRIES = """\
[mynah.metrics]
loudness = loud.metric:Loudness

[mynah.sources]
trn = loud.trn:Trn
"""
OTHERS = "[console_scripts]\nmynah = mynah.cli.main:main\n\n[pytest11]\nloud = loud.fixtures\n"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """The only folder that Python looks for packages in."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    installed_plugins.cache_clear()
    yield tmp_path
    installed_plugins.cache_clear()


def install(folder, entries):
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1.2\n")
    (folder / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1.2\n")
    (folder / "entry_points.txt").write_text(entries)


def by_python():
    """What importlib finds."""
    return {
        group: [(e.name, e.value) for e in metadata.entry_points(group=group)] for group in GROUPS
    }


def by_mynah():
    return {
        group: [(one.name, one.value) for one in found]
        for group, found in installed_plugins().items()
    }


@pytest.mark.parametrize("name", ["loud-1.2.dist-info", "loud-1.2.egg-info", "loud.egg-info"])
def test_plugins_are_found_as_python_finds_them(site, name):
    install(site / name, ENTRIES)
    assert by_mynah() == by_python()
    assert by_mynah()["mynah.metrics"] == [("loudness", "loud.metric:Loudness")]
    assert installed_plugins()["mynah.sources"][0].distribution == "loud 1.2"


def test_plugins_are_found_in_an_egg_and_in_an_archive(site, monkeypatch):
    install(site / "loud-1.2.egg" / "EGG-INFO", ENTRIES)
    monkeypatch.setattr(sys, "path", [str(site / "loud-1.2.egg")])
    assert by_mynah() == by_python() and by_mynah()["mynah.metrics"]
    with zipfile.ZipFile(site / "loud.zip", "w") as packed:
        packed.writestr("loud-1.2.dist-info/METADATA", "Name: loud\nVersion: 1.2\n")
        packed.writestr("loud-1.2.dist-info/entry_points.txt", ENTRIES)
    installed_plugins.cache_clear()
    monkeypatch.setattr(sys, "path", [str(site / "loud.zip"), str(site / "gone.zip")])
    assert by_mynah() == by_python() and by_mynah()["mynah.metrics"]


def test_plugins_are_found_beside_the_script_and_by_a_finder_of_ones_own(site, monkeypatch):
    install(site / "loud-1.2.dist-info", ENTRIES)
    monkeypatch.chdir(site)
    monkeypatch.setattr(sys, "path", [""])
    assert by_mynah() == by_python() and by_mynah()["mynah.metrics"]

    class Finder(metadata.DistributionFinder):
        def find_spec(self, *_):
            return None

        def find_distributions(self, context=None):
            return iter([metadata.PathDistribution(site / "loud-1.2.dist-info")])

    installed_plugins.cache_clear()
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert by_mynah() == by_python() and by_mynah()["mynah.metrics"]


def test_where_nothing_is_announced_no_metadata_is_read(site, monkeypatch):
    install(site / "loud-1.2.dist-info", OTHERS)
    monkeypatch.setattr(metadata, "entry_points", None)
    assert by_mynah() == {group: [] for group in GROUPS}
