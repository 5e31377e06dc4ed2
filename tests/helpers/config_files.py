"""Configuration folders made for one test."""

from __future__ import annotations

from pathlib import Path

from mynah.config.hydra.compose import Composed, compose
from mynah.errors import ConfigErrors

# The migration guide's own example, word for word: its first line is a comment with its path.
GUIDE_EXPERIMENT = """\
# configs/hydra/experiments/my_experiment.yaml
# @package _global_

defaults:
  - override /model: large
  - override /data: full
  - override /training: default

# Custom overrides
training:
  output_dir: ./outputs/my_experiment
  learning_rate: 3e-5
  max_steps: 10000

model:
  lora_r: 16
"""


def write(folder: Path, name: str, text: str) -> Path:
    """Write ``group/name.yaml`` below a configuration folder."""
    path = folder / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def experiment(folder: Path, text: str, name: str = "mine", header: bool = True) -> Path:
    """Write an experiment below a configuration folder."""
    return write(folder, f"experiments/{name}", ("# @package _global_\n" if header else "") + text)


def messages(folder: Path | None, *overrides: str) -> list[str]:
    """The mistakes of a composition, each as it is shown; at least one."""
    try:
        compose(overrides, config_dir=folder)
    except ConfigErrors as problem:
        return [str(error) for error in problem.errors]
    raise AssertionError(f"no mistake was found in {overrides}")


def composed(folder: Path | None, *overrides: str) -> Composed:
    """A composition that is right."""
    return compose(overrides, config_dir=folder)
