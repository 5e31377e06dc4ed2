"""A training whose weights are sharded over two gloo ranks is the training that it is without."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import forked_commands
import pytest
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import gradient_trainings as trainings

from mynah import distributed
from mynah.models.pretrained import weights
from mynah.models.transcript import Clip
from mynah.training.trainer import train

STEPS = 50
# Steps are as long as it takes the norm's last bit, which is summed in another order, to stay one.
RATE = 0.005
# Of each family: what is asked of the training beside 50 clipped steps of SGD.
FAMILIES = {
    "ctc, FastConformer from scratch": {},
    "ctc, FastConformer, InterCTC and CR-CTC": {},
    "ctc, wav2vec2 (layer norm), LoRA": {"gradient_accumulation_steps": 2},
    "ctc, Parakeet": {},
    "transducer, Parakeet TDT, LoRA": {},
    "seq2seq, Whisper": {"gradient_checkpointing": True},
    "audio_llm, Qwen3-ASR, LoRA": {},
    "speech_llm, Whisper, LoRA": {"gradient_checkpointing": True},
    "speech_llm, Whisper, all trained": {},
}
OPTIMIZERS = ("adamw_torch", "adamw_torch_fused", "adagrad", "rmsprop", "muon")
SCRIPT = """
import sys
from pathlib import Path
here = Path(sys.argv[1])
sys.path[:0] = [str(here), str(here.parent), str(here.parent / "helpers")]
import test_training_sharded
getattr(test_training_sharded, sys.argv[2])(Path(sys.argv[3]), *sys.argv[4:])
"""


def trained(family, place, *, resume=None, evaluate=lambda step: {}, **training):
    """A training of two ranks in ``place``; fp32, of 4 batches an epoch and clipped."""
    settings = {"max_grad_norm": 1.0, "max_steps": STEPS, "save_steps": 1000, **training}
    accumulation = settings.pop("gradient_accumulation_steps", 1)
    batches = trainings.RANK_EPOCH if distributed.world_size() > 1 else trainings.EPOCH
    with trainings.silence():
        return train(
            family,
            trainings.Clips(trainings.MIXED_SECONDS),
            trainings.FixedPlan(batches),
            trainings.in_copies(trainings.settings_of(accumulation, **settings), family),
            output_directory=place,
            evaluate=evaluate,
            resume=resume,
        )


def built(name, folder):
    """A family in fp32 whose BatchNorm, where it has one, lives."""
    return trainings.build(name, folder, torch.float32, frozen_norms=False)


def train_both_ways(folder: Path, name: str) -> None:
    """What each rank does: 50 steps with weights in full and with sharded ones."""
    torch.set_num_threads(1)
    for fsdp in (False, True):
        family = built(name, folder)
        place = folder / f"fsdp-{fsdp}"

        def evaluate(step, family=family, place=place):
            # One rank decodes three clips and the other none: nothing may wait for the other.
            clips = trainings.Clips(trainings.MIXED_SECONDS)
            rows = range(3) if distributed.rank() == 0 else ()
            said = family.transcribe([Clip(clips.read_audio(row), "en") for row in rows])
            if rows:
                (place.parent / f"{place.name}-said-{step}.json").write_text(
                    json.dumps([one.text for one in said])
                )
            return {"eval_wer": 0.5}

        trained(
            family, place, fsdp=fsdp, evaluate=evaluate, eval_strategy="steps", eval_steps=25,
            learning_rate=RATE, **FAMILIES[name],
        )  # fmt: skip


def train_on(folder: Path, name: str, place: str, resume: str, request: str) -> None:
    """What each rank does: train in ``place``, with sharded weights, from a checkpoint or not."""
    torch.set_num_threads(1)
    asked = json.loads(request)
    killed, broken = asked.pop("killed_at", None), asked.pop("broken_at", None)
    dtype = getattr(torch, asked.pop("dtype", "float32"))
    family = trainings.build(name, folder, dtype, frozen_norms=asked.pop("frozen_norms", False))
    if broken is not None and distributed.rank() == 1:
        break_gradient(family, broken)

    def evaluate(step):
        if step == killed and distributed.rank() == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"eval_wer": 1.0 / step}

    trained(
        family, folder / place, resume=Path(resume) if resume else None, evaluate=evaluate,
        **{"eval_strategy": "steps", "eval_steps": 10, **asked},
    )  # fmt: skip


def train_with_chance(folder: Path, name: str) -> None:
    """What each rank does: train with dropout, and layers that it would drop."""
    torch.set_num_threads(1)
    trainings.take_randomness_out = lambda model: None
    family = built(name, folder)
    config = family.model.config
    config.layerdrop, config.hidden_dropout = 0.5, 0.1
    trained(family, folder / "chance", max_steps=10, fsdp=True, optim="adamw_torch")


def train_held_in_half(folder: Path, name: str) -> None:
    """What each rank does: train LoRA matrices in fp32 beside frozen weights in bfloat16."""
    torch.set_num_threads(1)
    for fsdp in (False, True):
        family = built(name, folder)
        weights.hold_frozen(family.model, "bfloat16")
        trained(family, folder / f"fsdp-{fsdp}", max_steps=5, fsdp=fsdp, learning_rate=RATE)


def train_packed(folder: Path, name: str) -> None:
    """What each rank does: train on rows of several utterances, with weights in full and not."""
    torch.set_num_threads(1)
    for fsdp in (False, True):
        family = built(name, folder)
        family.pack_sequences("mask")
        trained(family, folder / f"fsdp-{fsdp}", max_steps=20, fsdp=fsdp, learning_rate=RATE)
    trained(built(name, folder), folder / "rows", max_steps=20, learning_rate=RATE)


class NotFinite(torch.autograd.Function):
    """What it is given, with a gradient that is not finite."""

    @staticmethod
    def forward(context, value):
        return value.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient * float("nan")


def break_gradient(family, step):
    """Let the loss of a step, counted from 1, have no gradient that is a number."""
    of_family, steps = family.loss, []

    def loss(model, batch):
        steps.append(1)
        found = of_family(model, batch)
        if len(steps) != step:
            return found
        return dataclasses.replace(found, total=NotFinite.apply(found.total))

    family.loss = loss


def on_ranks(folder: Path, task: str, *arguments: str, fails: bool = False, ranks: int = 2) -> None:
    script = folder / "script.py"
    script.write_text(SCRIPT)
    here = str(Path(__file__).parent)
    command = ["python", str(script), here, task, str(folder), *arguments]
    environment = forked_commands.environment()
    for ended in forked_commands.run_ranks(command, folder, environment, ranks):
        assert (ended.returncode != 0) == fails, ended.stdout + ended.stderr


def saved(checkpoint: Path, *, state: bool = False) -> dict[str, torch.Tensor]:
    """Every tensor of a checkpoint by its file and name; the training's own with ``state``."""
    found = {}
    for file in sorted(checkpoint.rglob("*.safetensors")):
        if state or not file.name.startswith(("optimizer", "rng_state", "scheduler")):
            tensors = load_file(file).items()
            found |= {f"{file.relative_to(checkpoint)}: {name}": held for name, held in tensors}
    return found


@pytest.mark.long
@pytest.mark.parametrize("name", FAMILIES)
def test_sharded_weights_end_where_full_ones_do(tmp_path, name):
    built(name, tmp_path)  # writes what it is built from
    before = {key: value.clone() for key, value in built(name, tmp_path).model.state_dict().items()}
    on_ranks(tmp_path, "train_both_ways", name)
    full, sharded = (tmp_path / f"fsdp-{fsdp}" / f"checkpoint-{STEPS}" for fsdp in (False, True))
    assert sorted(path.name for path in full.rglob("*")) == sorted(
        path.name for path in sharded.rglob("*")
    )
    expected, found = saved(full, state=True), saved(sharded, state=True)
    assert found.keys() == expected.keys() and expected
    for key, value in expected.items():
        if "rng_state" not in key:
            assert_close(found[key], value, 1e-6, key)
    for name_of in ("config.json", "adapter_config.json"):
        if (full / name_of).exists():
            assert (full / name_of).read_text() == (sharded / name_of).read_text()
    loaded = type(built(name, tmp_path)).load(sharded).model.state_dict()
    assert any(not torch.equal(loaded[key], value) for key, value in before.items())
    for step in (25, STEPS):
        said = [tmp_path / f"fsdp-{fsdp}-said-{step}.json" for fsdp in (False, True)]
        assert said[0].read_text() == said[1].read_text()
    logs = [
        json.loads((one / "trainer_state.json").read_text())["log_history"]
        for one in (full, sharded)
    ]
    for one, other in zip(*logs, strict=True):
        assert one == pytest.approx(other, rel=1e-4)


def assert_close(found, expected, limit, key):
    torch.testing.assert_close(
        found, expected, rtol=limit, atol=limit, msg=lambda said: f"{key}: {said}"
    )


def assert_same(found: Path, expected: Path) -> None:
    """Every tensor of two checkpoints is the same, bit for bit, the training's own too."""
    tensors, wanted = saved(found, state=True), saved(expected, state=True)
    assert tensors.keys() == wanted.keys() and any("optimizer" in key for key in wanted)
    for key, value in wanted.items():
        assert torch.equal(tensors[key], value), key


@pytest.mark.long
@pytest.mark.parametrize("name", ["speech_llm, Whisper, all trained", "audio_llm, Qwen3-ASR, LoRA"])
def test_sharded_weights_learn_the_same_from_rows_of_several_utterances(tmp_path, name):
    built(name, tmp_path)
    on_ranks(tmp_path, "train_packed", name)
    sharded, full, rows = (
        saved(tmp_path / place / "checkpoint-20") for place in ("fsdp-True", "fsdp-False", "rows")
    )
    assert sharded.keys() == full.keys() == rows.keys() and full
    for key, value in full.items():
        assert_close(sharded[key], value, 1e-6, key)
        assert_close(value, rows[key], 1e-4, key)  # sums of a row come in another order


@pytest.mark.long
def test_activations_that_are_computed_again_change_no_sharded_step(tmp_path):
    name = "speech_llm, Whisper, all trained"
    trainings.build(name, tmp_path, torch.float32)  # writes what it is built from
    for again in (False, True):
        request = {"fsdp": True, "gradient_checkpointing": again, "learning_rate": RATE}
        request |= {"max_steps": 3, "eval_strategy": "no"}
        on_ranks(tmp_path, "train_on", name, f"again-{again}", "", json.dumps(request))
    kept, again = (saved(tmp_path / f"again-{way}" / "checkpoint-3") for way in (False, True))
    assert kept.keys() == again.keys() and kept
    for key, value in kept.items():
        assert_close(again[key], value, 1e-6, key)


@pytest.mark.long
@pytest.mark.parametrize("optim", OPTIMIZERS)
def test_every_optimizer_takes_the_same_steps_with_sharded_weights(tmp_path, optim):
    name = "ctc, FastConformer from scratch"
    for fsdp in (False, True):
        request = {"fsdp": fsdp, "optim": optim, "learning_rate": 1e-3, "dtype": "float64"}
        request |= {"weight_decay": 0.1, "max_steps": 20}
        on_ranks(tmp_path, "train_on", name, f"fsdp-{fsdp}", "", json.dumps(request))
    full, sharded = (
        saved(tmp_path / f"fsdp-{fsdp}" / "checkpoint-20", state=True) for fsdp in (False, True)
    )
    assert full.keys() == sharded.keys() and any("optimizer" in key for key in full)
    for key, value in full.items():
        if "rng_state" not in key:
            assert_close(sharded[key], value, 1e-9, key)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("speech_llm, Whisper, LoRA", {"optim": "adamw_torch"}),
        ("ctc, FastConformer from scratch", {"optim": "adamw_torch", "ema_decay": 0.9}),
        ("ctc, FastConformer from scratch", {"optim": "muon"}),
    ],
)
def test_killed_and_resumed_sharded_training_ends_bit_for_bit(tmp_path, name, asked):
    trainings.build(name, tmp_path, torch.float32)
    request = {"fsdp": True, "save_steps": 10, "max_steps": 30, "learning_rate": 1e-3, **asked}
    on_ranks(tmp_path, "train_on", name, "untouched", "", json.dumps(request))
    killed = json.dumps({**request, "killed_at": 20})
    on_ranks(tmp_path, "train_on", name, "killed", "", killed, fails=True)
    place = tmp_path / "killed"
    assert [path.name for path in place.glob("checkpoint-*")] == ["checkpoint-10"]
    resume = str(place / "checkpoint-10")
    on_ranks(tmp_path, "train_on", name, "killed", resume, json.dumps(request))
    for step in (20, 30):
        assert_same(place / f"checkpoint-{step}", tmp_path / "untouched" / f"checkpoint-{step}")


@pytest.mark.long
@pytest.mark.parametrize("first", [1, 2])
def test_another_number_of_processes_resumes_a_sharded_training(tmp_path, first):
    name = "ctc, FastConformer from scratch"
    request = {"fsdp": True, "optim": "adamw_torch", "learning_rate": 1e-3, "dtype": "float64"}
    request |= {"ema_decay": 0.9, "max_steps": 20, "save_steps": 10, "frozen_norms": True}

    def run(ranks, place, resume=""):
        if ranks == 2:
            on_ranks(tmp_path, "train_on", name, place, resume, json.dumps(request))
        else:
            train_on(tmp_path, name, place, resume, json.dumps(request))

    run(first, "untouched")
    shutil.copytree(tmp_path / "untouched" / "checkpoint-10", tmp_path / "moved" / "checkpoint-10")
    run(3 - first, "moved", str(tmp_path / "moved" / "checkpoint-10"))
    expected = saved(tmp_path / "untouched" / "checkpoint-20", state=True)
    found = saved(tmp_path / "moved" / "checkpoint-20", state=True)
    for key, value in expected.items():
        if "rng_state" not in key:
            assert_close(found[key], value, 1e-6, key)


@pytest.mark.long
def test_a_step_that_one_process_spoils_is_left_out_by_all(tmp_path):
    name = "ctc, FastConformer from scratch"
    request = {"optim": "adamw_torch", "learning_rate": 1e-3, "max_steps": 6, "broken_at": 3}
    for fsdp in (False, True):
        asked = json.dumps({**request, "fsdp": fsdp, "dtype": "float64"})
        on_ranks(tmp_path, "train_on", name, f"fsdp-{fsdp}", "", asked)
    full, sharded = (tmp_path / f"fsdp-{fsdp}" / "checkpoint-6" for fsdp in (False, True))
    guards = [
        json.loads((one / "mynah.json").read_text())["training"]["guard"] for one in (full, sharded)
    ]
    assert guards[0] == pytest.approx(guards[1], rel=1e-6)
    expected, found = saved(full, state=True), saved(sharded, state=True)
    steps = [value for key, value in expected.items() if "optimizer" in key and value.dim() == 0]
    assert steps and all(value == 5 for value in steps)  # of six one is left out
    for key, value in expected.items():
        if "rng_state" not in key:
            assert_close(found[key], value, 1e-9, key)


@pytest.mark.long
def test_three_processes_share_what_does_not_divide_by_three(tmp_path):
    name = "speech_llm, Whisper, all trained"
    trainings.build(name, tmp_path, torch.float64)
    for fsdp in (False, True):
        asked = {"fsdp": fsdp, "optim": "adamw_torch", "learning_rate": 1e-3, "dtype": "float64"}
        request = json.dumps({**asked, "max_steps": 6})
        on_ranks(tmp_path, "train_on", name, f"fsdp-{fsdp}", "", request, ranks=3)
    full, sharded = (
        saved(tmp_path / f"fsdp-{fsdp}" / "checkpoint-6", state=True) for fsdp in (False, True)
    )
    assert full.keys() == sharded.keys() and any("optimizer" in key for key in full)
    for key, value in full.items():
        if "rng_state" not in key:
            assert_close(sharded[key], value, 1e-9, key)


@pytest.mark.long
@pytest.mark.parametrize("name", ["ctc, HuBERT", "ctc, wav2vec2 (group norm)"])
def test_what_is_left_to_chance_keeps_no_process_waiting(tmp_path, name):
    trainings.build(name, tmp_path, torch.float32)
    on_ranks(tmp_path, "train_with_chance", name)
    written = json.loads((tmp_path / "chance" / "checkpoint-10" / "config.json").read_text())
    assert (written["layerdrop"], written["hidden_dropout"]) == (0.5, 0.1)


@pytest.mark.long
def test_frozen_weights_in_bfloat16_are_sharded_beside_trained_ones_in_fp32(tmp_path):
    name = "speech_llm, Whisper, LoRA"
    trainings.build(name, tmp_path, torch.float32)
    on_ranks(tmp_path, "train_held_in_half", name)
    full, sharded = (saved(tmp_path / f"fsdp-{fsdp}" / "checkpoint-5") for fsdp in (False, True))
    assert full.keys() == sharded.keys() and any("lora" in key for key in full)
    for key, value in full.items():
        assert_close(sharded[key], value, 1e-5, key)
