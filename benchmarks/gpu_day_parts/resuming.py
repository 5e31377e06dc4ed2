"""Kill and resume: which parts of a training are exact, and by how much the rest differs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpu_day_parts import corpora, models
from gpu_day_parts.context import Context
from gpu_day_parts.lines import Lines
from gpu_day_parts.typed import Command, Ended, together, training

_STEPS, _SAVED, _KILLED = 12, 6, 9
# GPU kernels may add in any order: of what a repeat of the same training differs by, so many times.
_ALLOWED = 20.0
_AT_MOST = 1e-2  # of the weights, where a repeat is exact by chance and a resumed one is not


def resuming(context: Context, lines: Lines) -> None:
    """A CTC model from scratch and a Whisper with LoRA, bfloat16, dropout, augmentation, workers.

    Each is trained untouched, a second time untouched, and killed in step 9 and resumed.
    """
    corpus = corpora.short(context.corpora / "short", context.sized(96, 24))
    named = {
        "ctc": ("model=fastconformer", "model.language_model=none", "model.encoder.dropout=0.1",
                "data.augmentation.speed_factors=[0.9,1.0,1.1]",
                "data.augmentation.spec_augment.time_masks=2"),
        "seq2seq, LoRA": (
            f"model.pretrained={models.tiny(context, 'whisper_asr')}", "model.language=en",
            "model.use_lora=true", "model.lora_dropout=0.1"),
    }  # fmt: skip
    commands: dict[str, Command] = {}
    for family, settings in named.items():
        typed = training(
            context, f"data.dataset_name={corpus}", "data.max_eval_samples=2",
            "training.bf16=true", f"training.max_steps={_STEPS}", f"training.save_steps={_SAVED}",
            "training.batch_seconds=12", "training.dataloader_num_workers=2", *settings, leave=True,
        )  # fmt: skip
        commands |= {
            f"{family}, untouched": typed,
            f"{family}, again": typed,
            f"{family}, killed": Command(typed.words, {"kill_at": _KILLED}),
        }
    ended = dict(together(commands, context))
    resumed = {}
    for family in named:
        killed = ended[f"{family}, killed"]
        lines.check(
            f"{family}: killed in step {_KILLED}", killed.status, "exit status",
            expected="-9, SIGKILL", held=killed.status == -9,
        )  # fmt: skip
        words = (*commands[f"{family}, killed"].words, "resume_from_checkpoint=auto")
        resumed[family] = Command(words, {"leave": True}, place=f"{family}, killed")
    for family, found in together(resumed, context):
        _compare(lines, family, ended[f"{family}, untouched"], ended[f"{family}, again"], found)


def _compare(lines: Lines, family: str, first: Ended, again: Ended, resumed: Ended) -> None:
    for name, one in (("untouched", first), ("again", again), ("resumed", resumed)):
        if one.status:
            lines.check(f"{family}: {name}", one.complaint, expected="trains", held=False)
            return
    done = len(list(resumed.named("batch")))
    lines.check(
        f"{family}: steps after resuming", done, "steps",
        expected=f"{_STEPS - _SAVED}, from checkpoint-{_SAVED}", held=done == _STEPS - _SAVED,
    )  # fmt: skip
    wanted = [event["ids"] for event in first.named("batch") if event["step"] > _SAVED]
    found = [event["ids"] for event in resumed.named("batch")]
    lines.check(
        f"{family}: utterances of each batch", wanted == found, expected="the same",
        held=wanted == found,
    )  # fmt: skip
    kept = {name: _checkpoint(one) for name, one in
            (("first", first), ("again", again), ("resumed", resumed))}  # fmt: skip
    for what, file in (("schedule", "scheduler.json"), ("random state", "rng_state_0.json")):
        _exact(lines, f"{family}: {what}", kept["first"], kept["resumed"], file)
    _exact_random(lines, family, kept["first"], kept["resumed"])
    rates = [_logged(place, "learning_rate") for place in (kept["first"], kept["resumed"])]
    lines.check(
        f"{family}: learning rate of each step", rates[0] == rates[1], expected="the same",
        held=rates[0] == rates[1],
    )  # fmt: skip
    noise = _apart(kept["first"], kept["again"])
    apart = _apart(kept["first"], kept["resumed"])
    lines.figure(f"{family}: weights, the same training twice", noise, "of their norm")
    lines.check(
        f"{family}: weights, resumed against untouched", apart, "of their norm",
        expected=f"0, or as two untouched ones: under {_ALLOWED:g} times that",
        held=apart <= max(_ALLOWED * noise, _AT_MOST if noise else 0.0),
    )  # fmt: skip
    losses = [_logged(place, "loss") for place in kept.values()]
    lines.figure(f"{family}: losses, the same training twice", _largest(losses[0], losses[1]))
    lines.figure(f"{family}: losses, resumed against untouched", _largest(losses[0], losses[2]))


def _checkpoint(ended: Ended) -> Path:
    return (ended.folder / "outputs" / "model").resolve() / f"checkpoint-{_STEPS}"


def _exact(lines: Lines, what: str, first: Path, second: Path, file: str) -> None:
    same = (first / file).read_bytes() == (second / file).read_bytes()
    lines.check(what, same, expected="the same bytes", held=same)


def _exact_random(lines: Lines, family: str, first: Path, second: Path) -> None:
    """Python's and NumPy's state lie in the one file, torch's and the GPU's in the other."""
    _exact(
        lines, f"{family}: random state of torch and device", first, second,
        "rng_state_0.safetensors",
    )  # fmt: skip


def _logged(checkpoint: Path, name: str) -> list[float]:
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    return [entry[name] for entry in state["log_history"] if name in entry]


def _largest(first: list[float], second: list[float]) -> float:
    return max(abs(a - b) / abs(a) for a, b in zip(first, second, strict=True))


def _weights(checkpoint: Path) -> Mapping[str, Any]:
    from safetensors.torch import load_file

    found: dict[str, Any] = {}
    for file in sorted(checkpoint.glob("*.safetensors")):
        if not file.name.startswith(("optimizer", "rng_state", "scheduler")):
            found |= {f"{file.stem}.{key}": value for key, value in load_file(file).items()}
    return found


def _apart(first: Path, second: Path) -> float:
    """Norm of the difference of all weights over their norm."""
    a, b = _weights(first), _weights(second)
    assert a.keys() == b.keys() and a
    floating = [key for key in a if a[key].is_floating_point()]
    difference = sum(float((a[key].double() - b[key].double()).square().sum()) for key in floating)
    norm = sum(float(a[key].double().square().sum()) for key in floating)
    return float((difference / norm) ** 0.5)
