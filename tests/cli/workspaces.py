"""Commands as the guide prints them, run as processes in a folder that looks like a clone."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import forked_commands
import yaml
from forked_commands import environment

REPOSITORY = Path(__file__).parents[2]

# The shortest training there is: what it learns does not matter, that it comes to an end does.
SHORT = (
    "training.max_steps=2 training.eval_steps=2 "
    "data.max_train_samples=16 data.max_eval_samples=4 evaluation.bootstrap_samples=50"
)
# The same with the embedded corpus and a model from scratch.
SMALL = f"model=small {SHORT} model.encoder.layers=1 data.synthesis.train_sentences=24"
# The same with the default model, real weights; no sentence is measured but the corpus's own.
BASE = f"{SHORT} data.synthesis.train_sentences=24 evaluation.guard=[]"


def clone(folder: Path) -> Path:
    """Make a folder where ``python src/train_hydra.py`` and ``configs/…`` mean what they say."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "src").symlink_to(REPOSITORY / "src")
    shutil.copytree(REPOSITORY / "configs", folder / "configs")
    return folder


def shipped(file: str, setting: str) -> Any:
    """A value in a shipped configuration file, as ``model/small`` and ``encoder.layers``."""
    found = yaml.safe_load((REPOSITORY / "configs" / "hydra" / f"{file}.yaml").read_text())
    for part in setting.split("."):
        found = found[part]
    return found


def words(command: str, suffix: str = "") -> list[str]:
    """The command line of a printed command, with this Python for the word ``python``."""
    first, *rest = shlex.split(command.replace("\\\n", " "))
    python = {"python": [sys.executable], "mynah": [sys.executable, "-m", "mynah.cli"]}
    return [*python[first], *rest, *shlex.split(suffix)]


def run(
    folder: Path, command: str, suffix: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a printed command to its end."""
    return forked_commands.run(words(command, suffix), folder, environment(**more))


def run_directories(folder: Path) -> list[Path]:
    """The directories of all runs, oldest first."""
    return sorted(path.parent for path in folder.glob("outputs/*/*/run.json"))


def assert_trained(
    folder: Path,
    done: subprocess.CompletedProcess[str],
    *,
    utterances: dict[str, int],
    settings: dict[str, Any],
) -> Path:
    """Assert what every finished training leaves, and return its run's directory.

    Args:
        folder: Where the command was typed.
        done: The ended process.
        utterances: How many were measured, by split.
        settings: Some effective settings by dotted name.
    """
    from mynah.checkpoints.commit import find_damage

    assert done.returncode == 0, done.stdout + done.stderr
    (directory,) = run_directories(folder)
    assert json.loads((directory / "run.json").read_text())["status"] == "done"

    link = folder / "outputs" / "model"
    assert link.is_symlink()
    config = yaml.safe_load((directory / "config.yaml").read_text())
    named = config["training"]["output_dir"]
    assert link.resolve() == (Path(named) if named else directory / "model").resolve()
    assert find_damage(link) is None
    assert find_damage(link / f"checkpoint-{config['training']['max_steps']}") is None

    for name, value in settings.items():
        found: Any = config
        for part in name.split("."):
            found = found[part]
        assert found == value, name

    assert_measured(directory, utterances)
    return directory


def assert_measured(directory: Path, utterances: dict[str, int]) -> dict[str, Any]:
    """Assert that a run's ``evaluation/`` is complete and counts every utterance."""
    results = json.loads((directory / "evaluation" / "results.json").read_text())["evaluations"]
    assert {name: found["utterances"] for name, found in results.items()} == utterances
    listed = (directory / "evaluation" / "utterances.jsonl").read_text().splitlines()
    assert len(listed) == sum(utterances.values())
    for found in results.values():
        assert found["wer_low"] <= found["wer"] <= found["wer_high"]
    page = (directory / "evaluation" / "report.html").read_text()
    assert page.lstrip().lower().startswith("<!doctype html>") and "</html>" in page
    return results


def assert_refused(done: subprocess.CompletedProcess[str], *said: str, lines: int = 8) -> None:
    """Assert exit status 2 and a message of a few lines that says all of ``said``."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    message = done.stderr[done.stderr.index("error: ") :]
    assert len(message.splitlines()) <= lines, message
    for part in said:
        assert part in message
