"""SIGKILL anywhere in a training: the resumed one ends where an untouched one does."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "train"))
from training_fakes import TinyCorpus, TinyPlan, tiny_config, tiny_train, weights

from mynah.checkpoints.commit import intact_checkpoints

CONFIG = {
    "save_steps": 2,
    "gradient_accumulation_steps": 2,
    "save_total_limit": 2,
    "ema_decay": 0.9,  # what is compared is the average, which the weights behind it decide
}


class Deadly:
    """Kills this process at the N-th operation on a file below a directory."""

    def __init__(self, directory: Path, fatal: int) -> None:
        self.directory, self.fatal, self.operations = str(directory), fatal, 0

    def __call__(self, event: str, arguments: tuple) -> None:
        if event in ("open", "os.rename", "os.mkdir") and self.directory in str(arguments[0]):
            self.operations += 1
            if self.operations == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)


def train_in_child(directory: Path, fatal: int) -> tuple[int, int]:
    """Train in a forked process; its exit status and the file operations it counted."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        deadly = Deadly(directory, fatal)
        sys.addaudithook(deadly)
        tiny_train(directory, tiny_config(**CONFIG))
        os.write(writing, str(deadly.operations).encode())
        os._exit(0)
    os.close(writing)
    counted = os.read(reading, 100)
    os.close(reading)
    return os.waitpid(child, 0)[1], int(counted or 0)


def test_a_killed_training_resumed_is_the_untouched_one_bit_for_bit(tmp_path):
    family, straight = tiny_train(tmp_path / "straight", tiny_config(**CONFIG))
    expected = weights(family)
    status, operations = train_in_child(tmp_path / "counted", 0)
    assert status == 0 and operations > 50
    for fatal in range(operations // 6, operations, operations // 6):
        directory = tmp_path / f"killed-{fatal}"
        status, _ = train_in_child(directory, fatal)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        full = intact_checkpoints(directory)
        resume = full[-1] if full else None
        family, resumed = tiny_train(
            directory, tiny_config(**CONFIG), corpus=TinyCorpus(), plan=TinyPlan(20, 4, 42),
            resume=resume,
        )  # fmt: skip
        assert all(torch.equal(weights(family)[name], expected[name]) for name in expected)
        assert resumed.history == straight.history
        assert not [path for path in directory.iterdir() if path.name.startswith(".")]
