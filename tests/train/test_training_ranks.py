"""Two processes train the model that one would have trained."""

from __future__ import annotations

import json
from pathlib import Path

import forked_commands
import torch
from training_fakes import TinyFamily, TinyPlan, tiny_config, tiny_train, weights

from mynah.checkpoints.commit import intact_checkpoints
from mynah.distributed import rank

SCRIPT = """
import sys
from pathlib import Path
import torch
sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1]).parent / "helpers")]
from test_training_ranks import train_shared, train_with_batch_norm
torch.set_num_threads(1)
train_shared(Path(sys.argv[2]), world_size=2)
train_with_batch_norm(Path(sys.argv[2]).parent / "normed")
"""


class Normed(torch.nn.Module):
    """BatchNorm over [batch, frames, 12]."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(12)

    def forward(self, hidden):
        return self.norm(hidden.transpose(1, 2)).transpose(1, 2)


def train_with_batch_norm(directory: Path):
    """Two ranks; each writes down the statistics that it would decode with."""
    torch.manual_seed(5)
    family = TinyFamily(dropout=0.0)
    family.model.dropout = Normed()

    def evaluate(step):
        mean = family.model.dropout.norm.running_mean.tolist()
        (directory / f"rank-{rank()}-step-{step}.json").write_text(json.dumps(mean))
        return {"eval_wer": 0.5, "eval_cer": 0.5}

    directory.mkdir(exist_ok=True)
    config = tiny_config(max_steps=2, eval_steps=1, per_device_train_batch_size=2)
    plan = TinyPlan(20, 2, seed=42, world_size=2)
    return tiny_train(directory / "model", config, family=family, plan=plan, evaluate=evaluate)


def train_shared(directory: Path, world_size: int):
    """Six steps over batches of four, shared by the ranks; fp64 and no dropout."""
    torch.manual_seed(5)
    family = TinyFamily(dropout=0.0, dtype=torch.float64)
    size = 4 // world_size
    config = tiny_config(
        max_steps=6, optim="sgd", logging_steps=1, per_device_train_batch_size=size
    )
    plan = TinyPlan(20, size, seed=42, world_size=world_size)
    return tiny_train(directory, config, family=family, plan=plan)


def test_two_ranks_train_what_one_process_does(tmp_path):
    family, alone = train_shared(tmp_path / "one", world_size=1)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = ["python", str(script), str(Path(__file__).parent), str(tmp_path / "two" / "model")]
    # torchrun itself: tests/cli/test_ranks.py
    ended = forked_commands.run_ranks(command, tmp_path, forked_commands.environment())
    for done in ended:
        assert done.returncode == 0, done.stderr
    assert "".join(done.stdout for done in ended).count("step 6/6") == 1
    newest = intact_checkpoints(tmp_path / "two" / "model")[-1]
    shared = weights(TinyFamily.load(newest))
    for name, value in weights(family).items():
        torch.testing.assert_close(shared[name], value, rtol=1e-9, atol=1e-12)
    assert (newest / "rng_state_1.json").exists()
    assert alone.steps == 6
    for step in (1, 2):  # every rank decodes with the statistics that are saved
        first, second = (tmp_path / "two" / "normed" / f"rank-{r}-step-{step}.json" for r in (0, 1))
        assert any(json.loads(first.read_text())) and first.read_text() == second.read_text()
