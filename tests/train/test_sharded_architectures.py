"""Every architecture learns from two ranks' rows what it learns from them with sharded weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import forked_commands
import numpy as np
import pytest
import torch
import torch.distributed as dist

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "matrix"))

import standins
from architectures import ARCHITECTURES
from subjects import Subject, copied, rows_of

from mynah.errors import UserError
from mynah.training.sharding.sharded import Sharded
from mynah.training.sharding.tensors import in_full

REFUSED = ["seq2seq-moonshine_streaming"]  # in full: its compression has one number as a weight
SCRIPT = """
import sys
from pathlib import Path
here = Path(sys.argv[1])
sys.path[:0] = [str(here), str(here.parent), str(here.parent / "helpers")]
import test_sharded_architectures
test_sharded_architectures.compare_all(Path(sys.argv[2]))
"""


def sounds() -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [
        (0.1 * draw.standard_normal(int(16000 * seconds))).astype(np.float32)
        for seconds in (1.5, 1.82, 1.24, 1.8)
    ]


def gradients_of(family: Any, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What a rank's rows give; as in decoding, so that nothing is sampled."""
    family.model.eval()
    loss = family.loss(family.model, batch)
    loss.total.backward()
    return {
        name: in_full(parameter.grad)
        for name, parameter in family.model.named_parameters()
        if parameter.grad is not None
    }


def mean_of_ranks(gradients: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    for gradient in gradients.values():
        dist.all_reduce(gradient)
        gradient.div_(dist.get_world_size())
    return gradients


def compare(subject: Subject, **settings: Any) -> None:
    """A gradient and what is computed while the model is in full, with weights in full and not."""
    full = subject.build(**settings)
    sharded = copied(full)
    rows = rows_of(full, subject.clips)[2 * dist.get_rank() :][:2]
    batch = full.collate(rows)
    expected = mean_of_ranks(gradients_of(full, batch))
    weights = {name: value.clone() for name, value in full.model.state_dict().items()}
    placement = Sharded(sharded.model, may_leave_out=False)
    placement.shard()
    found = gradients_of(sharded, batch)
    assert found.keys() == expected.keys() and expected
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-5)
    with torch.no_grad(), placement.in_full():
        assert type(sharded.model) is type(full.model)
        for name, value in sharded.model.state_dict().items():
            assert torch.equal(value, weights[name]), name
        # Each rank by itself, and one of them more often: nothing waits for another.
        for _ in range(1 + dist.get_rank()):
            loss = sharded.loss(sharded.model, batch)
            assert torch.equal(loss.total, full.loss(full.model, batch).total)
    again = gradients_of(sharded, batch)  # added to those before
    for name, gradient in found.items():
        torch.testing.assert_close(again[name], 2 * gradient, rtol=1e-5, atol=1e-6)


def cases() -> list[tuple[Any, dict[str, Any]]]:
    """Every architecture in full, and one of each kind with LoRA."""
    adapted = [(one, {"use_lora": True}) for one in ARCHITECTURES if one.often]
    return [*((one, {}) for one in ARCHITECTURES), *adapted]


def compare_all(folder: Path) -> None:
    """What each rank does; a line says what came of each."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    clips = sounds()
    with (folder / f"rank-{dist.get_rank()}.txt").open("w") as written:
        for architecture, settings in cases():
            subject = Subject(architecture, lambda kind: folder / kind, clips)
            try:
                compare(subject, **settings)
                said = "the same"
            except AssertionError as differs:
                said = f"differs: {differs}"
            except UserError as refused:
                said = f"refused: {refused.what}"
            print(architecture.id, settings, said, file=written, flush=True)
    dist.destroy_process_group()


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_architecture_has_the_gradient_that_it_has_with_full_weights(tmp_path):
    for kind in {kind for one in ARCHITECTURES for kind in one.standins}:
        standins.write(tmp_path / kind, kind)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = ["python", str(script), str(Path(__file__).parent), str(tmp_path)]
    for ended in forked_commands.run_ranks(command, tmp_path, forked_commands.environment()):
        assert ended.returncode == 0, ended.stderr
    for rank in (0, 1):
        lines = (tmp_path / f"rank-{rank}.txt").read_text().splitlines()
        others = [line for line in lines if not line.endswith("the same")]
        assert [line.split(" {}")[0] for line in others] == REFUSED, others
        assert len(lines) == len(cases())
