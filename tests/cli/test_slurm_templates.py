"""The sbatch templates of the docs: as far as a machine without SLURM can tell, they are right."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest
from workspaces import REPOSITORY, clone, run

TEMPLATES = sorted((REPOSITORY / "docs" / "slurm").glob("*.sbatch"))
# Of sbatch's manual page (Slurm 24.05), those that a template may use.
KNOWN = {
    "job-name", "nodes", "ntasks-per-node", "gpus-per-node", "cpus-per-task", "time", "signal",
    "requeue", "open-mode", "output",
}  # fmt: skip


def options(text):
    found = re.findall(r"^#SBATCH --([\w-]+)(?:=(\S+))?", text, flags=re.MULTILINE)
    return dict(found)


def command(text):
    """What srun runs, on one line."""
    joined = text.replace("\\\n", " ")
    (line,) = re.findall(r"^srun .*$", joined, flags=re.MULTILINE)
    return shlex.split(line)


def test_there_is_one_for_a_node_and_one_for_several():
    assert [path.stem for path in TEMPLATES] == ["one_node", "several_nodes"]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_is_a_script_that_bash_reads(path):
    done = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert path.read_text().startswith("#!/bin/bash\n")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_asks_for_one_task_a_gpu_and_for_a_warning_in_time(path):
    text = path.read_text()
    asked = options(text)
    assert set(asked) <= KNOWN and text.count("#SBATCH") == len(asked)
    assert asked["ntasks-per-node"] == asked["gpus-per-node"]
    assert "requeue" in asked and asked["open-mode"] == "append"
    name, _, seconds = asked["signal"].partition("@")
    assert name == "USR1" and int(seconds) >= 120
    assert "--kill-on-bad-exit=1" in command(text)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_the_command_of_a_template_is_one_that_mynah_accepts(tmp_path, path):
    folder = clone(tmp_path / "clone")
    typed = command(path.read_text())
    mynah = shlex.join(typed[typed.index("mynah") :])
    done = run(folder, mynah, "--cfg job")
    assert done.returncode == 0, done.stderr
    assert "resume_from_checkpoint: auto" in done.stdout
