"""The trainings of the guide: each command as it is printed, and what makes it short."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from filelock import FileLock
from workspaces import BASE, SHORT, SMALL, clone, run, shipped

# The real arrangement, on a hub and a LibriSpeech that stand in for the real ones.
LARGE = f"{SHORT} model.generation_max_length=16 training.dataloader_num_workers=0"
EMBEDDED = {"validation": 4}
LIBRISPEECH = {"validation.clean": 4, "validation.other": 4, "test.clean": 4, "test.other": 4}

MY_EXPERIMENT = """\
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


@dataclass(frozen=True)
class Training:
    """A command of the guide.

    Attributes:
        command: Word for word.
        suffix: What is typed behind it.
        utterances: How many it has to measure, by split.
        settings: What its effective configuration has to say.
    """

    command: str
    suffix: str = SMALL
    utterances: dict[str, int] = field(default_factory=lambda: EMBEDDED)
    settings: dict[str, Any] = field(default_factory=dict)


TRAININGS = {
    "default": Training(
        "python src/train_hydra.py",
        f"{BASE} training.batch_seconds=10",  # half a batch, which is planned by training on it
        settings={"data.dataset_name": "synthetic", "model.pretrained": "openai/whisper-tiny.en"},
    ),
    "small": Training(
        "python src/train_hydra.py",
        settings={"data.dataset_name": "synthetic", "model.encoder.layers": 1},
    ),
    "test": Training(
        "python src/train_hydra.py +experiments=test",
        settings={
            "training.batch_seconds": shipped("experiments/test", "training.batch_seconds"),
            "model.encoder.hidden_size": shipped("model/small", "encoder.hidden_size"),
        },
    ),
    "mac_minimal": Training(
        "python src/train_hydra.py +experiments=mac_minimal",
        BASE,
        settings={
            "model.pretrained": "openai/whisper-tiny.en",
            "training.per_device_train_batch_size": 8,
        },
    ),
    "production": Training(
        "python src/train_hydra.py +experiments=production",
        LARGE,
        LIBRISPEECH,
        {"model.encoder_model_name": "openai/whisper-small", "training.warmup_steps": 1000},
    ),
    "one override": Training(
        "python src/train_hydra.py training.learning_rate=1e-4",
        settings={"training.learning_rate": 1e-4},
    ),
    "several overrides": Training(
        """python src/train_hydra.py \\
    model.lora_r=16 \\
    training.per_device_train_batch_size=4 \\
    training.max_steps=5000""",
        BASE,
        settings={"model.lora_r": 16, "training.per_device_train_batch_size": 4},
    ),
    "other groups": Training(
        """python src/train_hydra.py \\
    model=large \\
    data=full \\
    training=production""",
        LARGE,
        LIBRISPEECH,
        {"model.lora_r": 32, "data.dataset_name": "openslr/librispeech_asr"},
    ),
    "large model with small data": Training(
        "python src/train_hydra.py model=large data=small training=default",
        f"{LARGE} data.synthesis.train_sentences=24",
        EMBEDDED,
        {"model.lora_r": 32, "data.dataset_name": "synthetic"},
    ),
    "Mac with production model": Training(
        "python src/train_hydra.py model=large data=full training=mac",
        LARGE,
        LIBRISPEECH,
        {"training.gradient_checkpointing": True, "model.lora_alpha": 64},
    ),
    "my_experiment": Training(
        "python src/train_hydra.py +experiments=my_experiment",
        LARGE,
        LIBRISPEECH,
        {"training.learning_rate": 3e-5, "model.lora_r": 16},
    ),
}


class Trainings:
    """Runs each training once for all workers of a test run."""

    def __init__(self, root: Path, hub: dict[str, str]) -> None:
        self._root = root
        self._hub = hub
        root.mkdir(exist_ok=True)

    def __getitem__(self, name: str) -> tuple[Path, CompletedProcess[str]]:
        """The folder in which the command was typed, and the ended process."""
        ended = self._root / f"{name}.json"
        with FileLock(f"{ended}.lock"):
            if not ended.exists():
                done = self._run(name)
                ended.write_text(json.dumps([done.returncode, done.stdout, done.stderr]))
        status, out, err = json.loads(ended.read_text())
        command = TRAININGS[name].command.split()
        return self._root / name, CompletedProcess(command, status, out, err)

    def _run(self, name: str) -> CompletedProcess[str]:
        folder = clone(self._root / name)
        experiment = folder / "configs" / "hydra" / "experiments" / "my_experiment.yaml"
        if name == experiment.stem:
            experiment.write_text(MY_EXPERIMENT)
        training = TRAININGS[name]
        return run(folder, training.command, training.suffix, **self._hub)
