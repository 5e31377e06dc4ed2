"""``--minutes``: no test begins later, what is left out is named, and what failed still fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


# The clock of the process jumps by an hour between the two files.
FILES = {
    "test_first.py": "import time\nclock = time.time\n"
    "def test_fails(): assert False\n"
    "def test_takes_an_hour(): time.time = lambda: clock() + 3600\n",
    "test_second.py": "def test_is_late(): assert False\n",
}


def ended(folder: Path, *options: str) -> str:
    shutil.copy(TESTS / "conftest.py", folder)
    (folder / "helpers").mkdir()
    shutil.copy(TESTS / "helpers" / "quicker.py", folder / "helpers")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 1
    return done.stdout


@pytest.mark.parametrize("workers", ["0", pytest.param("1", marks=pytest.mark.long)])
def test_what_does_not_come_to_its_turn_is_named_and_what_failed_fails(tmp_path, workers):
    printed = ended(tmp_path, "-n", workers, "--minutes=30")
    assert "1 failed, 1 passed, 1 skipped" in printed
    assert "1 of the tests did not come to their turn" in printed
    assert "\n   1 of test_second.py\n" in printed
    assert "test_first.py::test_fails" in printed.partition("short test summary")[2]


@pytest.mark.long
def test_without_it_all_run(tmp_path):
    printed = ended(tmp_path)
    assert "2 failed, 1 passed" in printed and "turn" not in printed


def test_every_folder_of_tests_is_among_the_long_ones():
    project = tomllib.loads((TESTS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    script = project["tool"]["hatch"]["envs"]["default"]["scripts"]["test-long"]
    named = [word.rpartition("/")[2] for word in script.split() if "/tests/" in word]
    assert sorted(named) == sorted(
        {path.relative_to(TESTS).parts[0] for path in TESTS.glob("*/**/test_*.py")}
    )
