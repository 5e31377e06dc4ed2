"""``mynah models``: the checkpoints that presets name, and which of them fit this machine."""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Sequence
from typing import Any

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.errors import UserError
from mynah.models.catalog.entries import ENTRIES
from mynah.models.catalog.entry import BATCH, Entry
from mynah.models.catalog.fits import CPU_PARAMETERS, Fit, halved_bytes, ranked

_GIB = 2**30
_CPU_NOTE = (
    f"A CPU is slow: models of up to {CPU_PARAMETERS / 1e6:.0f} M parameters come first, and "
    "`mynah train` alone adapts Whisper tiny.en (38 M)."
)
_WIDE = 110  # columns of a terminal that shows the checkpoints too


def main(arguments: Sequence[str]) -> int:
    """Print the catalogue, or what of it fits here.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: _show(parsed))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog="mynah models",
        description="The pretrained checkpoints that have a preset, with what training them takes.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n"
            "  mynah models                          all of them\n"
            "  mynah models --language de            that know German, or learn any language\n"
            "  mynah models --for-device             what fits here, the best first\n"
            "  mynah train model=whisper_small model.language=en data.dataset_name=./recordings\n"
            "                                        train one"
        ),
    )
    made.add_argument("--family", metavar="NAME", help="of one family, as ctc")
    made.add_argument("--language", metavar="CODE", help="that know a language, as de")
    made.add_argument("--for-device", action="store_true", help="rank what fits this machine")
    made.add_argument("--json", action="store_true", help="everything, for programs")
    return made


def _show(parsed: argparse.Namespace) -> None:
    entries = _chosen(parsed.family, parsed.language)
    if parsed.for_device:
        _show_fits(entries, parsed.language or "en", as_json=parsed.json)
    elif parsed.json:
        print(json.dumps([_described(entry) for entry in entries], indent=2))
    else:
        _show_table(entries)


def _chosen(family: str | None, language: str | None) -> list[Entry]:
    families = list(dict.fromkeys(entry.family for entry in ENTRIES))
    if family is not None and family not in families:
        near = difflib.get_close_matches(family, families, n=1) or families
        raise UserError(
            f"There is no family {family!r}: {', '.join(families)}.",
            where=f"--family {family}",
            fix=f"mynah models --family {near[0]}",
        )
    found = [entry for entry in ENTRIES if family in (None, entry.family)]
    if language is None:
        return found
    known = sorted({code for entry in ENTRIES for code in entry.languages})
    if language.lower().partition("-")[0] not in known:
        raise UserError(
            f"No model of the catalogue knows {language!r} yet. Those that learn any language: "
            f"{', '.join(entry.preset for entry in found if not entry.languages) or 'none'}.",
            where=f"--language {language}",
            fix="name an ISO 639 code, as de; the table without --language has the rest",
        )
    return [entry for entry in found if entry.knows(language)]


def _described(entry: Entry) -> dict[str, Any]:
    return {
        "preset": entry.preset,
        "family": entry.family,
        "checkpoints": [
            {"name": one.name, "licence": one.licence, "source": one.address}
            for one in entry.checkpoints
        ],
        "parameters": entry.parameters,
        "disk_bytes": entry.disk_bytes,
        "licence": entry.licence,
        "languages": list(entry.languages),
        "wer_percent": entry.wer,
        "trains": "lora" if entry.adapts else "full",
        "full_bytes": entry.full_bytes(),
        "lora_bytes": entry.lora_bytes(),
        "lora_bfloat16_bytes": halved_bytes(entry),
    }


def _show_table(entries: Sequence[Entry]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from mynah.console import console, print_table, say

    wide = console().width >= _WIDE
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("model=", no_wrap=True)
    if wide:
        table.add_column("checkpoints", no_wrap=True)
    for name in ("size", "disk", "lang.", "licence", "WER %", "full", "LoRA"):
        table.add_column(name, justify="left" if name == "licence" else "right", no_wrap=True)
    family = ""
    for entry in entries:
        if entry.family != family:
            table.add_row(Text(entry.family, style="bold cyan"))
            family = entry.family
        names = Text("\n".join(one.name for one in entry.checkpoints), style="dim")
        full, lora = _gib(entry.full_bytes()), _gib(entry.lora_bytes())
        table.add_row(
            f"  {entry.preset}",
            *([names] if wide else []),
            _size(entry.parameters),
            f"{entry.disk_bytes / 1e9:.1f}",
            _languages(entry),
            entry.licence.replace(", ", "\n"),
            "" if entry.wer is None else f"{entry.wer:.1f}",
            Text(full, style="" if entry.adapts else "bold green"),
            Text(lora, style="bold green" if entry.adapts else ""),
        )
    print_table(table)
    _say_filled(
        f"disk: GB to download. full, LoRA: GiB of memory to train it in float32, {BATCH.clips} "
        f"clips of {BATCH.seconds:g} s a step; in colour the way the preset takes. lang.: how many "
        "it knows. WER: mean of the Open ASR Leaderboard (English), untuned."
    )
    say("Next: mynah models --for-device")


def _say_filled(text: str) -> None:
    """Print a paragraph, its lines broken between words."""
    from mynah.console import fill, say

    for line in fill(text, most=100):
        say(line)


def _gib(size: int) -> str:
    value = size / _GIB
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def _size(parameters: int) -> str:
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:.0f} M"


def _languages(entry: Entry) -> str:
    if len(entry.languages) == 1:
        return entry.languages[0]
    return str(len(entry.languages)) if entry.languages else "any"


def _show_fits(entries: Sequence[Entry], language: str, *, as_json: bool) -> None:
    from mynah.config.schema import Config
    from mynah.console import print_table, say
    from mynah.machine import device_for
    from mynah.training.sizing.memory import free_bytes

    device = device_for(Config())
    free = free_bytes(device)
    if free is None:
        raise UserError(
            f"This machine does not say how much memory is free ({device.type}).",
            where="--for-device",
            fix="mynah models  has the memory that each of them takes",
        )
    fits, others = ranked(entries, device.type, free)
    if as_json:
        print(json.dumps(_fits_described(device.type, free, fits, others), indent=2))
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    say(f"{_device_name(device)}: {free / _GIB:.1f} GiB of memory are free.")
    if fits:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
        for name in ("model=", "trains", "GiB", "WER %", "beside it"):
            table.add_column(name, justify="right" if name in ("GiB", "WER %") else "left")
        for fit in fits:
            rate = "" if fit.entry.wer is None else f"{fit.entry.wer:.1f}"
            table.add_row(fit.entry.preset, fit.way, _gib(fit.bytes), rate, fit.overrides)
        print_table(table)
    for other in others:
        needed = f"{_gib(other.bytes)} GiB ({other.way})"
        say(f"{other.entry.preset} does not fit: it takes about {needed}.")
    _say_filled(
        f"By arithmetic, for {BATCH.clips} clips of {BATCH.seconds:g} s a step. A run measures it "
        "before it trains; training.gradient_checkpointing=true takes less."
        + (f" {_CPU_NOTE}" if device.type == "cpu" else "")
    )
    if fits:
        say(f"Next: {_train_command(fits[0], language)}")


def _train_command(fit: Fit, language: str) -> str:
    """What trains a model on a folder of recordings, as one pastes it."""
    words = ["mynah train", f"model={fit.entry.preset}"]
    if fit.entry.takes_language:
        words.append(f"model.language={language.lower().partition('-')[0]}")
    return " ".join([*words, *fit.overrides.split(), "data.dataset_name=./recordings"])


def _fits_described(
    device: str, free: int, fits: Sequence[Fit], others: Sequence[Fit]
) -> dict[str, Any]:
    def record_of(fit: Fit) -> dict[str, Any]:
        return {
            "preset": fit.entry.preset,
            "way": fit.way,
            "bytes": fit.bytes,
            "overrides": fit.overrides,
            "wer_percent": fit.entry.wer,
        }

    return {
        "device": device,
        "free_bytes": free,
        "fits": [record_of(fit) for fit in fits],
        "does_not_fit": [record_of(fit) for fit in others],
    }


def _device_name(device: Any) -> str:
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).name
    return "Apple GPU (MPS)" if device.type == "mps" else "CPU"
