"""Tokens that a speech LLM's language model computes, and seconds a step, packed and padded.

    python benchmarks/sequence_packing.py [--data ../shared/data] [--seconds 120] [--steps 8]

Lengths are those of LibriSpeech train-clean-5 (a folder with metadata.csv): --rate vectors a second
of audio, --prompt tokens around them, a token for every four characters of the transcript. Batches
of --seconds of audio are those of Mynah's plan, which pads little, and of rows at random. Of an
epoch the tokens are counted that are real, and that a row an utterance, padded, computes. Then so
many batches, the same for each way, are trained on: forward and backward of a Qwen3 with random
weights (--width, --layers), on one thread: rows that are padded, one row with a mask
(training.sequence_packing=mask), and one row whose utterances attend by themselves (varlen).
Printed are CPU seconds a step, the median, and the largest difference of a gradient from that of
padded rows. The encoder is left out: it takes the same time in all of them.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from padding import filled, mynah_epochs, shuffled
from transformers import Qwen3Config, Qwen3ForCausalLM

from mynah import console
from mynah.models.text import packed_attention, packing
from mynah.models.text.token_loss import IGNORED, token_losses

_VOCABULARY = 8_000
_CHARACTERS_A_TOKEN = 4

Row = tuple[list[int], list[int]]  # what is given, what is learned


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--rate", type=float, default=12.5, help="vectors a second, Qwen3-ASR's")
    parser.add_argument("--prompt", type=int, default=20)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--steps", type=int, default=8)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    durations, characters = librispeech(arguments.data)
    given = np.ceil(durations * arguments.rate).astype(int) + arguments.prompt
    learned = -(-characters // _CHARACTERS_A_TOKEN) + 1
    epochs = {
        "Mynah's plan": mynah_epochs(durations, arguments.seconds)(0),
        "rows at random": filled(shuffled(durations, 0), durations, arguments.seconds),
    }
    counted, timed = [], []
    for name, batches in epochs.items():
        real = sum(int((given + learned)[rows].sum()) for rows in batches)
        padded = sum(len(rows) * int((given + learned)[rows].max()) for rows in batches)
        counted.append([name, f"{padded:,}", f"{real:,}", f"{1 - real / padded:.1%}"])
        picked = np.random.default_rng(0).permutation(len(batches))[: arguments.steps]
        some = [made(given[batches[at]], learned[batches[at]]) for at in picked.tolist()]
        timed.append([name, *measured(language_model(arguments), some)])
    title = f"Batches of {arguments.seconds:g} s, an epoch of {len(durations):,} utterances"
    console.table(title, ["batches by", "tokens, padded", "packed", "saved"], counted)
    title = f"CPU seconds a step, width {arguments.width}, {arguments.layers} layers"
    columns = ["batches by", "padded", "mask", "varlen", "gradients differ by"]
    console.table(title, columns, timed)


def librispeech(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Seconds, and characters of the transcript, of each utterance."""
    path = data / "read_speech" / "librispeech_train_clean_5" / "metadata.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return (
        np.asarray([float(row["duration"]) for row in rows]),
        np.asarray([len(row["text"]) for row in rows]),
    )


def made(given: np.ndarray, learned: np.ndarray) -> list[Row]:
    """Utterances of these lengths, of random tokens."""
    draw = np.random.default_rng(0)

    def tokens(count: int) -> list[int]:
        found: list[int] = draw.integers(0, _VOCABULARY, count).tolist()
        return found

    pairs = zip(given.tolist(), learned.tolist(), strict=True)
    return [(tokens(before), tokens(after)) for before, after in pairs]


def language_model(arguments: argparse.Namespace) -> Any:
    """A Qwen3 with random weights: heads of 64, half as many for keys and values."""
    torch.manual_seed(0)
    width = arguments.width
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=_VOCABULARY, hidden_size=width, intermediate_size=3 * width,
            num_hidden_layers=arguments.layers, num_attention_heads=width // 64,
            num_key_value_heads=width // 128, head_dim=64,
        )
    )  # fmt: skip


def measured(model: Any, batches: Sequence[list[Row]]) -> list[str]:
    """CPU seconds a step in each way, and the largest difference of a gradient."""
    seconds: dict[str, list[float]] = {}
    most = 0.0
    packed_attention.prepare(model, [model], packing.VARLEN, "this model")
    for rows in batches:
        gradients = {}
        for how in (None, packing.MASK, packing.VARLEN):
            model.zero_grad()
            began = time.process_time()
            loss_of(model, rows, how).backward()
            seconds.setdefault(str(how), []).append(time.process_time() - began)
            gradients[how] = torch.cat([one.grad.flatten() for one in model.parameters()])
        padded = gradients.pop(None)
        for found in gradients.values():
            most = max(most, float((found - padded).norm() / padded.norm()))
    return [*(f"{statistics.median(one):.2f} s" for one in seconds.values()), f"{most:.0e}"]


def loss_of(model: Any, rows: list[Row], how: str | None) -> torch.Tensor:
    """The sum of all targets' losses, of padded rows or of one that is packed."""
    if how is not None:
        batch = packing.pack(rows)
        targets = packing.PackedTargets.of(batch)
        logits = model(
            input_ids=batch["input_ids"],
            position_ids=batch["position_ids"],
            attention_mask=packing.attention_mask(batch[packing.LENGTHS], how),
            logits_to_keep=targets.before,
            use_cache=False,
        ).logits
        return token_losses(logits, targets.labels).sum()
    shape = len(rows), max(len(before) + len(after) for before, after in rows)
    ids, labels = torch.zeros(shape, dtype=torch.long), torch.full(shape, IGNORED)
    mask = torch.zeros(shape, dtype=torch.long)
    for row, (before, after) in enumerate(rows):
        length = len(before) + len(after)
        ids[row, :length] = torch.tensor([*before, *after])
        labels[row, len(before) : length] = torch.tensor(after)
        mask[row, :length] = 1
    first = int((labels != IGNORED).any(0).int().argmax())
    kept = shape[1] - first + 1
    logits = model(input_ids=ids, attention_mask=mask, logits_to_keep=kept, use_cache=False).logits
    return token_losses(logits[:, :-1], labels[:, first:]).sum()


if __name__ == "__main__":
    main()
