"""Which lines of the catalogue a device's memory holds, and in which way of training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mynah.models.catalog.entry import Entry

_SPARE = 0.9  # of what is free; the rest is for what no arithmetic knows
CPU_PARAMETERS = 100_000_000  # what a CPU trains in hours rather than days
_HALF = 2  # bytes of a bfloat16


@dataclass(frozen=True)
class Fit:
    """A way to train an entry.

    Attributes:
        entry: The line of the catalogue.
        way: What is trained, for people.
        bytes: Memory it takes.
        overrides: What is typed beside ``model=PRESET``.
    """

    entry: Entry
    way: str
    bytes: int
    overrides: str = ""


def ranked(entries: Sequence[Entry], device: str, free_bytes: int) -> tuple[list[Fit], list[Fit]]:
    """What fits a device, the best known quality first, and what does not, in its cheapest way.

    Memory is not all: on a CPU models of more than :data:`CPU_PARAMETERS` come after the others.

    Args:
        entries: Lines of the catalogue.
        device: ``"cuda"``, ``"mps"`` or ``"cpu"``.
        free_bytes: Its memory that is free.
    """
    fits, others = [], []
    slow = CPU_PARAMETERS if device == "cpu" else math.inf
    for entry in sorted(entries, key=lambda entry: (entry.parameters > slow, _quality(entry))):
        ways = _ways(entry, device)
        fitting = [way for way in ways if way.bytes <= _SPARE * free_bytes]
        if fitting:
            fits.append(fitting[0])
        else:
            others.append(min(ways, key=lambda way: way.bytes))
    return fits, others


def halved_bytes(entry: Entry) -> int:
    """Memory of LoRA with frozen weights and kept values in bfloat16."""
    return entry.lora_bytes(frozen_weight_bytes=_HALF, value_bytes=_HALF)


def _ways(entry: Entry, device: str) -> list[Fit]:
    """Ways to train an entry on a kind of device: the preset's own first, then cheaper ones."""
    if entry.adapts:
        found = [Fit(entry, "LoRA", entry.lora_bytes())]
    else:
        found = [
            Fit(entry, "all weights", entry.full_bytes()),
            Fit(entry, "LoRA", entry.lora_bytes(), "model.use_lora=true"),
        ]
    if device == "cuda":
        lora = "" if entry.adapts else "model.use_lora=true "
        overrides = f"{lora}model.dtype=bfloat16 training.bf16=true"
        found.append(Fit(entry, "LoRA, bfloat16", halved_bytes(entry), overrides))
    return found


def _quality(entry: Entry) -> tuple[bool, float, int]:
    """The best known first: by its error rate, then by its size where there is none."""
    return entry.wer is None, entry.wer or 0.0, -entry.parameters
