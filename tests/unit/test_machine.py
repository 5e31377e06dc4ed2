"""Versions of libraries that Mynah is not tested with are a notice, and no library is imported."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mynah import machine

ROOT = Path(__file__).resolve().parents[2]


def installed(monkeypatch, **versions):
    def version(name):
        if name in versions:
            return versions[name]
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)


@pytest.mark.parametrize("version", ["5.23.0", "5.23.9", "5.24.0", "5.24.1.dev0"])
def test_a_tested_version_says_nothing(monkeypatch, version):
    installed(monkeypatch, transformers=version, peft="0.21.2")
    assert machine.untested_versions() == []


@pytest.mark.parametrize("version", ["5.9.0", "5.22.2", "5.25.0", "6.0.0", "5.230.0"])
def test_a_version_outside_of_the_tested_range_is_said_with_the_range(monkeypatch, version):
    installed(monkeypatch, transformers=version, accelerate="1.15.0")
    (said,) = machine.untested_versions()
    assert said == (
        f"transformers {version} is not a version that Mynah is tested with (5.23 to 5.24); where "
        'something goes wrong, try  pip install "transformers==5.24.*"'
    )


def test_the_tested_range_begins_where_the_requirement_does_and_holds_the_constraint():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = dict(
        re.fullmatch(r"([\w-]+)>=([\d.]+).*", one).groups() for one in project["dependencies"]
    )
    constraints = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    )
    for name, (lowest, newest) in machine.TESTED.items():
        assert required[name].split(".")[:2] == lowest.split(".")
        pinned = [int(number) for number in constraints[name].split(".")[:2]]
        bounds = [[int(number) for number in bound.split(".")] for bound in (lowest, newest)]
        assert bounds[0] <= pinned <= bounds[1]


def test_versions_are_known_without_importing_the_libraries():
    code = (
        "import sys; from mynah import machine; machine.untested_versions(); machine.versions(); "
        "sys.exit(any(name in sys.modules for name in machine.TESTED))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
