"""torch's fully_shard over two gloo ranks: what of a family can be trained with sharded weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import forked_commands
import pytest
import torch
import torch.distributed as dist
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from tiers import fast_where
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.utils import clip_grad_norm_

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import gradient_trainings as trainings

from mynah.models.family import Example

FAMILIES = ["speech_llm, Whisper, LoRA", "ctc, wav2vec2 (layer norm), LoRA"]
STEPS, RATE, CLIP = 3, 0.05, 0.5
RANK_ROWS = [[0, 1, 2], [3, 4, 5, 6, 7]]  # what each rank reads; together, what one process does

SCRIPT = """
import sys
from pathlib import Path
here = Path(sys.argv[1])
sys.path[:0] = [str(here), str(here.parent), str(here.parent / "helpers")]
from test_fully_shard import train_sharded
train_sharded(Path(sys.argv[2]))
"""


def batch_of(family, rows):
    clips = trainings.Clips(trainings.EQUAL_SECONDS)
    return family.collate(
        [
            Example(
                clips.ids[row],
                family.features(clips.read_audio(row)),
                family.labels(clips.texts[row]),
            )
            for row in rows
        ]
    )


def train_steps(family, rows, *, ranks=1):
    """Clipped SGD steps; the norm of each gradient before it is clipped."""
    family.model.train()
    trained = [p for p in family.model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=RATE)
    norms = []
    for _ in range(STEPS):
        loss = family.loss(family.model, batch_of(family, rows))
        loss.total.backward()
        count = loss.count.detach().clone()
        if ranks > 1:
            dist.all_reduce(count)
        for parameter in trained:
            parameter.grad.mul_(ranks / count)  # fully_shard has averaged over the ranks, as DDP
        norm = clip_grad_norm_(trained, CLIP)
        norms.append(float(norm.full_tensor() if isinstance(norm, DTensor) else norm))
        optimizer.step()
        optimizer.zero_grad()
    return norms


def shard(model):
    """Each block by itself, then what is left, over both ranks."""
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    for module in list(model.modules()):
        if isinstance(module, torch.nn.ModuleList):
            for block in module:
                fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)


def train_sharded(folder: Path) -> None:
    """What each rank does: train sharded, and write what came of it."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    for number, name in enumerate(FAMILIES):
        family = trainings.build(name, folder, torch.float64)
        shard(family.model)
        assert isinstance(family.model, FSDPModule)
        shapes = {
            parameter_name: [isinstance(p, DTensor), list(p.shape), list(p.to_local().shape)]
            for parameter_name, p in family.model.named_parameters()
        }
        norms = train_steps(family, RANK_ROWS[rank], ranks=2)
        full = StateDictOptions(full_state_dict=True, cpu_offload=True)
        state = get_model_state_dict(family.model, options=full)
        about = {"shapes": shapes, "norms": norms}
        (folder / f"{number}-rank-{rank}.json").write_text(json.dumps(about))
        if rank == 0:
            save_file(
                {k: v.contiguous() for k, v in state.items()}, folder / f"{number}.safetensors"
            )
            adapted = adapted_part(family)
            prefix = "language_model." if adapted is not family.model else ""
            own = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            lora = get_peft_model_state_dict(adapted, state_dict=own, save_embedding_layers=False)
            adapter = folder / f"{number}-adapter"
            adapted.active_peft_config.save_pretrained(adapter)
            save_file(
                {k: v.contiguous() for k, v in lora.items()}, adapter / "adapter_model.safetensors"
            )
    dist.destroy_process_group()


def adapted_part(family):
    """What peft wraps: all of a CTC model, the language model of a speech_llm."""
    return getattr(family.model, "language_model", family.model)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What two ranks wrote, beside the stand-ins they were built from."""
    folder = tmp_path_factory.mktemp("sharded")
    for name in FAMILIES:
        trainings.build(name, folder, torch.float64)
    script = folder / "script.py"
    script.write_text(SCRIPT)
    command = ["python", str(script), str(Path(__file__).parent), str(folder)]
    for ended in forked_commands.run_ranks(command, folder, forked_commands.environment()):
        assert ended.returncode == 0, ended.stderr
    return folder


@pytest.fixture(
    scope="module",
    params=fast_where(lambda number: number == 0, range(len(FAMILIES))),
    ids=FAMILIES,
)
def trained(request, folder):
    """The family trained in one process, not sharded, and the number its files begin with."""
    family = trainings.build(FAMILIES[request.param], folder, torch.float64)
    norms = train_steps(family, [row for rows in RANK_ROWS for row in rows])
    return family, norms, request.param


def test_every_parameter_is_a_dtensor_with_half_its_rows_on_each_rank(folder, trained):
    family, _, number = trained
    first, second = (
        json.loads((folder / f"{number}-rank-{rank}.json").read_text())["shapes"] for rank in (0, 1)
    )
    assert first.keys() == second.keys() == dict(family.model.named_parameters()).keys()
    for name, parameter in family.model.named_parameters():
        rows = len(parameter) if parameter.dim() else 1
        for sharded, full, _ in (first[name], second[name]):
            assert sharded and full == list(parameter.shape)
        held = [first[name][2][0], second[name][2][0]]
        assert held == [-(-rows // 2), rows // 2], name


def test_sharded_steps_are_those_of_one_process_and_clipping_sees_the_true_norm(folder, trained):
    family, norms, number = trained
    for rank in (0, 1):
        about = json.loads((folder / f"{number}-rank-{rank}.json").read_text())
        assert about["norms"] == pytest.approx(norms, rel=1e-9)
    assert max(norms) > CLIP
    state = load_file(folder / f"{number}.safetensors")
    for name, parameter in family.model.named_parameters():
        torch.testing.assert_close(state[name], parameter.detach(), rtol=1e-9, atol=1e-12)


def test_lora_gathered_from_shards_loads_into_a_model_that_is_not_sharded(folder, trained):
    family, _, number = trained
    family.model.eval()
    fresh = trainings.build(FAMILIES[number], folder, torch.float64)
    base = adapted_part(fresh).unload()
    assert not any("lora" in name for name, _ in base.named_parameters())
    loaded = PeftModel.from_pretrained(base, str(folder / f"{number}-adapter")).eval()
    expected = {k: v for k, v in adapted_part(family).state_dict().items() if "original" not in k}
    found = loaded.state_dict()
    assert any("lora_B" in name for name in expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-12)
    if adapted_part(fresh) is fresh.model:
        fresh.model = loaded
    else:
        fresh.model.language_model = loaded
        state = load_file(folder / f"{number}.safetensors")
        projector = {k: v for k, v in state.items() if k.startswith("projector.")}
        fresh.model.load_state_dict(projector, strict=False)
    batch = batch_of(family, [0, 1, 2, 3])
    assert loss_of(fresh, batch) == pytest.approx(loss_of(family, batch), rel=1e-9)


def loss_of(family, batch):
    """The undivided loss of a batch, decoding mode, fp64."""
    family.model.eval()
    doubled = {k: v.double() if v.is_floating_point() else v for k, v in batch.items()}
    with torch.no_grad():
        return float(family.loss(family.model, doubled).total)
