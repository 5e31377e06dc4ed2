"""Memory: pinned batches, batches that do not fit, the batch size that is found by itself."""

from __future__ import annotations

import re
import statistics
from typing import Any

from gpu_day_parts import corpora, models
from gpu_day_parts.context import Context
from gpu_day_parts.lines import Lines
from gpu_day_parts.typed import Command, Ended, alone, together, training

_SAME = 0.02  # of a loss: sums in bfloat16 in another order
_FILLED = (0.75, 0.97)  # of the GPU, where a tenth is to be left free and allocations round up


def pinned(context: Context, lines: Lines) -> None:
    """Batches through the workers' shared slots, with and without pinned memory before the GPU."""
    corpus = corpora.short(context.corpora / "short", context.sized(96, 24))
    steps = context.sized(60, 12)
    ended: dict[str, Ended] = {}
    for name, asked in (("pinned", "true"), ("not pinned", "false")):
        command = training(
            context, f"data.dataset_name={corpus}", "data.max_eval_samples=2",
            "model=fastconformer", "model.language_model=none", "training.bf16=true",
            f"training.max_steps={steps}", "training.batch_seconds=12",
            "training.dataloader_num_workers=2", f"training.dataloader_pin_memory={asked}",
            leave=True,
        )  # fmt: skip
        ended[name] = found = alone(name, command, context)
        batches = list(found.named("batch"))
        if found.status or len(batches) != steps:
            lines.check(name, found.complaint, expected="trains", held=False)
            continue
        share = statistics.mean(batch["pinned"] for batch in batches)
        wanted = float(name == "pinned" and not context.toy)
        lines.check(
            f"{name}: batches in pinned memory", share, f"of {steps}",
            expected=f"{wanted:g}{' without a GPU' if context.toy else ''}", held=share == wanted,
        )  # fmt: skip
        through, slots = found.end["through_slots"], found.end["slots"]
        lines.check(
            f"{name}: batches through the {slots} shared slots", through, "batches",
            expected=f"all {steps}, so that every slot became free again", held=through >= steps,
        )  # fmt: skip
        lines.figure(f"{name}: a step", 1000 * statistics.median(found.step_seconds), "ms")
    if all(len(one.losses) == steps for one in ended.values()):
        lines.check(
            "losses with and without, largest difference", _apart(*ended.values()), "of the loss",
            expected=f"under {_SAME}", held=_apart(*ended.values()) < _SAME,
        )  # fmt: skip


def splitting(context: Context, lines: Lines) -> None:
    """Memory that no longer holds a step: it goes in pieces, and the loss is what it was.

    A Whisper with LoRA, without BatchNorm and dropout, so that a split changes sums alone. On a
    GPU memory is really taken away; on a CPU the error is raised in its place.
    """
    seconds = context.sized(15, 3)
    corpus = corpora.equal(context.corpora / "split", 64, seconds, evaluated=2)
    rows, steps, at = 8, 8, 3
    command = training(
        context, f"data.dataset_name={corpus}", "data.eval_splits=[dev]",
        f"model.pretrained={models.large(context, 'whisper_large_v3_turbo')}", "model.language=en",
        "model.use_lora=true", "model.lora_dropout=0.0", "model.dtype=bfloat16",
        "training.bf16=true", f"training.max_steps={steps}",
        f"training.per_device_train_batch_size={rows}", "training.dataloader_num_workers=2",
        leave=True,
    )  # fmt: skip
    faults: dict[str, Any] = {"squeeze_at": at, "most_rows": context.sized(None, rows // 2)}
    ended = {}
    for name, watch in (("untouched", {}), ("squeezed", faults)):
        ended[name] = alone(name, Command(command.words, {**command.watch, **watch}), context)
        if ended[name].status or len(ended[name].losses) != steps:
            lines.check(name, ended[name].complaint, expected="trains", held=False)
            return
    pieces = re.findall(r"It goes in (\d+) pieces", ended["squeezed"].said)
    lines.check(
        "pieces that a batch went in", ", then ".join(pieces) or "none",
        expected="2 or more, said, after memory ran out", held=bool(pieces),
    )  # fmt: skip
    apart = _apart(ended["untouched"], ended["squeezed"])
    lines.check(
        "losses against those of the untouched training", apart, "of the loss",
        expected=f"under {_SAME}", held=apart < _SAME,
    )  # fmt: skip
    if not context.toy:
        lines.figure("times that memory ran out", ended["squeezed"].end["out_of_memory"])


def batch_size(context: Context, lines: Lines) -> None:
    """`auto` on a 1.7 B speech LLM with LoRA, and budgets above what it found."""
    # Enough for 50 steps of batches that fill the GPU, and no more: each row is looked at first.
    rows, seconds = context.sized((2600, 30.0), (60, 3.0))
    corpus = corpora.equal(context.corpora / "many", rows, seconds, evaluated=2)

    def trained(*settings: str) -> Command:
        return training(
            context, f"data.dataset_name={corpus}", "data.eval_splits=[dev]",
            f"model.encoder_model_name={models.large(context, 'whisper_small')}",
            f"model.decoder_model_name={models.large(context, 'smollm2_1.7b')}",
            "model.use_lora=true", "model.dtype=bfloat16", "training.bf16=true",
            "training.max_steps=3", "training.dataloader_num_workers=4", *settings, leave=True,
        )  # fmt: skip

    automatic = trained("training.per_device_train_batch_size=auto", "training.batch_seconds=24")
    ended = alone("auto", automatic, context)
    found = re.search(r"Batch size: training.batch_seconds=([\d.e+]+)", ended.said)
    if ended.status or found is None:
        lines.check("auto", ended.complaint, expected="finds a batch size", held=False)
        return
    budget = float(found[1])
    lines.figure("batch_seconds found", budget, "s")
    if context.toy:
        lines.check(
            "auto without a GPU", budget, "s", expected="no more than training.batch_seconds, 24",
            held=budget <= 24,
        )  # fmt: skip
        return
    share = ended.end["peak_bytes"] / ended.end["total_bytes"]
    limited = budget >= rows * seconds / 50 - 1
    lines.check(
        "GPU memory that it takes at most", share, "of all",
        expected="{:.0%} to {:.0%}: a tenth is left free".format(*_FILLED),
        held=limited or _FILLED[0] <= share <= _FILLED[1],
    )  # fmt: skip
    split = "It goes in" in ended.said
    lines.check("trains without a split", not split, expected="True", held=not split)
    for factor in (1.15, 1.35):
        larger = trained(f"training.batch_seconds={budget * factor:.0f}")
        probe = alone(f"{factor:g} times", larger, context)
        fits = probe.status == 0 and "It goes in" not in probe.said
        lines.figure(f"{factor:g} times as much fits", fits)
        if not fits:
            refused = "memory is too small" in probe.said
            lines.check(
                "what does not fit is refused in advance", refused,
                expected="True, with the batch named", held=refused and probe.status == 2,
            )  # fmt: skip
            break


def four_bits(context: Context, lines: Lines) -> None:
    """A 1.7 B language model in four bits with LoRA, beside the same in bfloat16."""
    corpus = corpora.short(context.corpora / "short", context.sized(96, 24))
    commands = {
        name: training(
            context, f"data.dataset_name={corpus}", "data.max_eval_samples=2",
            f"model.encoder_model_name={models.large(context, 'whisper_small')}",
            f"model.decoder_model_name={models.large(context, 'smollm2_1.7b')}",
            "model.use_lora=true", "model.dtype=bfloat16", "training.bf16=true",
            "training.max_steps=8", "training.batch_seconds=24", *how,
        )
        for name, how in (("bfloat16", ()), ("4bit", ("model.quantization=4bit",)))
    }  # fmt: skip
    ended = dict(together(commands, context, jobs=1))
    four = ended["4bit"]
    if context.toy:
        lines.check(
            "4bit without a GPU", four.status, "exit status", expected="2: it needs a CUDA GPU",
            held=four.status == 2 and "four bits need" in four.said,
        )  # fmt: skip
        return
    for name, one in ended.items():
        lines.check(
            f"{name}: trains", one.complaint if one.status else "done", expected="done",
            held=not one.status and len(one.losses) == 8,
        )  # fmt: skip
    if all(one.status == 0 for one in ended.values()):
        saved = (ended["bfloat16"].end["peak_bytes"] - four.end["peak_bytes"]) / 2**30
        lines.check(
            "memory that four bits save", saved, "GiB",
            expected="1.5 at least (1.6 B weights, 2 bytes to 0.53)", held=saved > 1.5,
        )  # fmt: skip
        apart = abs(four.losses[0] / ended["bfloat16"].losses[0] - 1)
        lines.check(
            "first loss beside that in bfloat16", apart, "of the loss", expected="under 0.1",
            held=apart < 0.1,
        )  # fmt: skip


def _apart(first: Ended, second: Ended) -> float:
    """The largest difference of two trainings' losses, of the loss."""
    return max(abs(a - b) / abs(a) for a, b in zip(first.losses, second.losses, strict=True))
