"""A moving average and the average of the best checkpoints, over two processes as in one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import forked_commands
import pytest
import torch
from safetensors.torch import load_file
from training_fakes import TinyFamily, TinyPlan, tiny_config, tiny_train

from mynah.checkpoints.commit import intact_checkpoints
from mynah.training.averaging.checkpoints import with_average

RATES = [0.9, 0.3, 0.5, 0.2, 0.6, 0.4]
SCRIPT = """
import sys
from pathlib import Path
import torch
sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1]).parent / "helpers")]
from test_training_average_ranks import train_averaged
torch.set_num_threads(1)
train_averaged(Path(sys.argv[2]), world_size=2, dies_at=sys.argv[3])
"""
FILES = (
    "model.safetensors", "average/model.safetensors", "checkpoint-6/model.safetensors",
    "checkpoint-6/unaveraged.safetensors",
)  # fmt: skip


class DyingPlan(TinyPlan):
    """Kills this process when the batch of a step is planned."""

    dies_at = ""

    def batch(self, epoch, index, rank=0):
        if self.dies_at == f"{epoch}:{index}":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().batch(epoch, index, rank)


def train_averaged(directory: Path, world_size: int, dies_at: str = ""):
    """Six steps over batches of four, and the average of the three best; resumed where it can."""
    torch.manual_seed(5)
    family = TinyFamily(dropout=0.0, dtype=torch.float64)
    size = 4 // world_size
    config = tiny_config(
        max_steps=6, optim="sgd", logging_steps=1, per_device_train_batch_size=size, eval_steps=1,
        save_steps=1, save_total_limit=1, ema_decay=0.6, average_checkpoints=3,
    )  # fmt: skip
    plan = DyingPlan(20, size, seed=42, world_size=world_size)
    plan.dies_at = dies_at
    begun = intact_checkpoints(directory) if directory.is_dir() else []
    _, outcome = tiny_train(
        directory, config, family=family, plan=plan, resume=begun[-1] if begun else None,
        evaluate=lambda step: {"eval_wer": RATES[step - 1]},
    )  # fmt: skip
    return with_average(
        outcome, config, output_directory=directory, load=TinyFamily.load,
        measure=lambda family: {"wer": 0.1},
    )  # fmt: skip


def on_two_ranks(folder: Path, name: str, dies_at: str = ""):
    script = folder / "script.py"
    script.write_text(SCRIPT)
    command = ["python", str(script), str(Path(__file__).parent), str(folder / name), dies_at]
    return forked_commands.run_ranks(command, folder, forked_commands.environment())


@pytest.mark.long
def test_two_ranks_average_what_one_process_does_and_exactly_so_after_a_kill(tmp_path):
    alone = train_averaged(tmp_path / "one", world_size=1)
    assert alone.best_checkpoint == tmp_path / "one" / "average"
    for ended in on_two_ranks(tmp_path, "two"):
        assert ended.returncode == 0, ended.stderr
    for name in FILES:
        expected, found = (load_file(str(tmp_path / run / name)) for run in ("one", "two"))
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, rtol=1e-9, atol=1e-12)

    killed = on_two_ranks(tmp_path, "killed", dies_at="0:4")
    assert any(ended.returncode != 0 for ended in killed)
    left = [path.name for path in intact_checkpoints(tmp_path / "killed")]
    assert left and "checkpoint-6" not in left and not (tmp_path / "killed" / "average").exists()
    for ended in on_two_ranks(tmp_path, "killed"):
        assert ended.returncode == 0, ended.stderr
    for name in FILES:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
