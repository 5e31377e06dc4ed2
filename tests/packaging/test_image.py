"""The image: its file is clean, runs without root's rights, and its install lines install Mynah."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FILE = REPOSITORY / "Dockerfile"
LINES = [
    line
    for line in re.sub(r"\\\n\s*", " ", FILE.read_text()).splitlines()
    if line and not line.startswith("#")
]


def of(instruction: str, lines: list[str] = LINES) -> list[str]:
    return [line.removeprefix(f"{instruction} ") for line in lines if line.startswith(instruction)]


def test_hadolint_finds_nothing_in_it():
    program = shutil.which("hadolint") or str(Path(sys.executable).with_name("hadolint"))
    done = subprocess.run([program, str(FILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_it_runs_without_roots_rights():
    after = LINES[LINES.index("USER 1000") :]
    assert not of("RUN", after) and not of("USER", after[1:])
    assert of("ENTRYPOINT", after) == ['["mynah"]']


def test_it_takes_extras_and_a_python_that_there_are():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    (extras,) = [one.partition("=")[2] for one in of("ARG") if one.startswith("EXTRAS=")]
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    (python,) = [one.partition("=")[2] for one in of("ARG") if one.startswith("PYTHON=")]
    assert f"Programming Language :: Python :: {python}" in project["classifiers"]


def test_what_is_copied_is_sent_to_the_engine():
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    for line in of("COPY"):
        *sources, _ = line.split()
        for source in sources:
            if not line.startswith("--from"):
                assert f"!{source}" in ignored and (REPOSITORY / source).exists(), source


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_its_install_lines_leave_a_command_that_works(tmp_path):
    """Every RUN of the first stage, in a folder that has what is copied before it."""
    build = LINES[: LINES.index("FROM python:${PYTHON}-slim")]
    source, place = tmp_path / "source", tmp_path / "opt"
    source.mkdir()
    given = dict(one.split("=") for one in of("ARG", build))
    # Where pytorch's own index is not reached, torch comes from the index that pip knows.
    environment = {**os.environ, **given, "PIP_RETRIES": "0", "PIP_NO_COMPILE": "1"}
    for name in ("PYTHONPATH", "PIP_CONSTRAINT", "PYTHON"):
        environment.pop(name, None)
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    for line in build:
        if line.startswith("COPY"):
            *files, to = line.split()[1:]
            for file in files:
                if (REPOSITORY / file).is_dir():
                    shutil.copytree(REPOSITORY / file, source / to)
                else:
                    shutil.copy(REPOSITORY / file, source / to)
        elif line.startswith("RUN"):
            command = line.removeprefix("RUN ").replace("/opt/mynah", str(place))
            done = subprocess.run(
                ["bash", "-c", command], cwd=source, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(source)
    printed = subprocess.run(
        [str(place / "bin" / "mynah"), "models"], env=environment, capture_output=True, text=True
    )
    assert printed.returncode == 0 and "whisper_tiny_en" in printed.stdout
