"""``mynah merge``: a checkpoint's LoRA matrices folded into their base, as a model of its own."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.cli.shared.adapters import free_folder, intact_adapter, typed_folder
from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.files import display_path

if TYPE_CHECKING:
    from mynah.models.family import Family

_COMMAND = "mynah merge"
_DTYPES = ("float32", "bfloat16", "float16")
# What a checkpoint holds beside its model, and a merged model needs to be measured.
_KEPT = ("config.yaml", "confidence.json")
_ABOUT = "mynah.json"


def main(arguments: Sequence[str]) -> int:
    """Merge one checkpoint.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: merge(parsed.checkpoint, parsed.to, parsed.dtype, parsed.offline))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Fold a checkpoint's LoRA matrices into the weights that they adapt. The "
        "result says the same, needs neither its base nor peft, and is loaded by transformers.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n"
            "  mynah merge outputs/model --to merged            the newest model\n"
            "  mynah merge outputs/model --to merged --dtype bfloat16\n"
            "  mynah eval ./merged                              measure it\n"
        ),
    )
    made.add_argument("checkpoint", help="a checkpoint, or a run's directory")
    made.add_argument(
        "--to", required=True, metavar="DIR", help="the folder to write; it must not be there yet"
    )
    made.add_argument(
        "--dtype",
        choices=_DTYPES,
        default="float32",
        help="what the merged weights are stored in (default: float32, as they were trained)",
    )
    made.add_argument(
        "--offline", action="store_true", help="use no weights that are not on this machine"
    )
    return made


def merge(checkpoint: str, to: str, dtype: str = "float32", offline: bool = False) -> Path:
    """Write a merged model.

    Args:
        checkpoint: A checkpoint, a run's directory, or a link to one.
        to: The folder to write.
        dtype: ``float32``, ``bfloat16`` or ``float16``: what its weights are stored in.
        offline: Load nothing that is not on this machine.

    Returns:
        The folder, which is complete where it is there.

    Raises:
        UserError: The folder is there already, the checkpoint is damaged or has nothing to
            merge, its base is not to be had, or the disk is full.
    """
    target = free_folder(Path(to).expanduser(), "merged")
    source = intact_adapter(checkpoint, _COMMAND, "merge")

    from mynah import console
    from mynah.checkpoints.commit import commit, megabytes, size_bytes
    from mynah.checkpoints.publishing import write_note
    from mynah.models import registry

    registry.check_checkpoint(source, offline=offline)
    family = registry.load_family(source, offline=offline, as_trained=False)
    family.merge()
    _store_in(family, dtype)
    with commit(target, expected_bytes=_bytes(family)) as staging:
        family.save(staging)
        for name in _KEPT:
            if (source / name).is_file():
                shutil.copyfile(source / name, staging / name)
        about = json.dumps(_about(source, family, dtype), indent=2, ensure_ascii=False) + "\n"
        (staging / _ABOUT).write_text(about, encoding="utf-8")
        write_note(staging)
    console.say(f"Merged {display_path(source)} into {display_path(target)}")
    console.say(f"  {megabytes(size_bytes(target))}, {dtype}; its base is not needed any more")
    console.say(f"Next: measure it with  mynah eval {typed_folder(target)}")
    return target


def _store_in(family: Family, dtype: str) -> None:
    """Convert the merged weights to what they are stored in, and forget what they were held in."""
    import torch

    from mynah.config.schema import ModelConfig
    from mynah.models.pretrained import weights

    weights.settle(family.model, ModelConfig())
    family.model.requires_grad_(False).to(getattr(torch, dtype))


def _bytes(family: Family) -> int:
    return sum(p.numel() * p.element_size() for p in family.model.parameters())


def _about(source: Path, family: Family, dtype: str) -> dict[str, Any]:
    """What the merged model says of itself: what its checkpoint said, but for the training."""
    try:
        written = json.loads((source / _ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        written = {}
    written.pop("training", None)
    return {
        **written,
        "family": family.name,
        "parameters": [list(row) for row in family.parameter_table()],
        "merged": {"checkpoint": str(source), "dtype": dtype},
    }
