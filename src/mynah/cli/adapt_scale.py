"""``mynah adapt-scale``: a checkpoint whose LoRA matrices count less, or more.

Tuning on one domain takes a recognizer away from all others. At a smaller scale the adapted weights
lie between the base's and the tuned ones (Wortsman et al. 2022, "Robust fine-tuning of zero-shot
models", arXiv 2109.01903): some of the gain is given up, and more of what was lost comes back.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mynah.cli.shared.adapters import adapter_configs, free_folder, intact_adapter, typed_folder
from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.errors import UserError
from mynah.files import display_path, read_json

_COMMAND = "mynah adapt-scale"
_LARGEST = 4.0
_ABOUT = "mynah.json"
_OF_THE_TRAINING = ("training", "scores", "best")  # of mynah.json: not true of the new model


def main(arguments: Sequence[str]) -> int:
    """Scale one checkpoint's adapter.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: adapt_scale(parsed.checkpoint, parsed.to, parsed.scale))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Write a checkpoint's adapter with its LoRA matrices counting SCALE times as "
        "much: 0.5 lies half way between the base and the tuned model, which gives up some of "
        "the gain and gets back more of what other speech lost. The matrices stay as they are; "
        "lora_alpha is scaled, so that transformers and peft load it as any adapter.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n"
            "  mynah adapt-scale outputs/model --scale 0.5 --to half     the newest model\n"
            "  mynah eval ./half                                         measure it\n"
            "  mynah eval ./half data.dataset_name=FOLDER                and on other speech\n"
        ),
    )
    made.add_argument("checkpoint", help="a checkpoint, or a run's directory")
    made.add_argument("--scale", required=True, type=float, help="above 0; 1 leaves it as it is")
    made.add_argument(
        "--to", required=True, metavar="DIR", help="the folder to write; it must not be there yet"
    )
    return made


def adapt_scale(checkpoint: str, to: str, scale: float) -> Path:
    """Write a checkpoint whose adapter counts ``scale`` times as much.

    Args:
        checkpoint: A checkpoint, a run's directory, or a link to one.
        to: The folder to write.
        scale: What ``lora_alpha`` is multiplied by.

    Returns:
        The folder, which is complete where it is there.

    Raises:
        UserError: The scale is out of range, the folder is there already, the checkpoint is
            damaged or has no adapter, or the disk is full.
    """
    if not 0 < scale <= _LARGEST:
        raise UserError(
            f"A scale is above 0 and at most {_LARGEST:g}.",
            where=f"--scale {scale:g}",
            fix="--scale 0.5, for half of what tuning changed",
        )
    target = free_folder(Path(to).expanduser(), "scaled")
    source = intact_adapter(checkpoint, _COMMAND, "scale")
    _check_is_scaled_by_alpha(source)

    from mynah import console
    from mynah.checkpoints.commit import AVERAGE, TRAINING_STATE_STEMS, commit, size_bytes
    from mynah.inference.confidence.calibration import CALIBRATION_FILE
    from mynah.runs.directory import CHECKPOINT, SUMS, is_set_aside

    def left_out(folder: str, names: list[str]) -> set[str]:
        """What only resuming needs, checkpoints beside the best model, and confidences: they were
        fitted to the adapter as it was."""
        return {
            name
            for name in names
            if name in (SUMS, ".lock", CALIBRATION_FILE, AVERAGE)
            or CHECKPOINT.fullmatch(name)
            or is_set_aside(name)
            or name.startswith((".", *TRAINING_STATE_STEMS))
        }

    with commit(target, expected_bytes=size_bytes(source)) as staging:
        shutil.copytree(source, staging, ignore=left_out, dirs_exist_ok=True)
        replaced = [_scaled(file, scale) for file in adapter_configs(staging)]
        about = _about(source, scale)
        text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
        (staging / _ABOUT).write_text(text, encoding="utf-8")
    console.say(
        f"Scaled the adapter of {display_path(source)} by {scale:g} into {display_path(target)}"
    )
    if in_full := sorted({name for names in replaced for name in names}):
        console.notice(
            f"{', '.join(in_full)} was trained in full and counts as before: only LoRA matrices "
            "have a scale."
        )
    console.say(f"Next: measure it with  mynah eval {typed_folder(target)}")
    return target


def _check_is_scaled_by_alpha(source: Path) -> None:
    """Refuse an adapter that learned more than a difference: a scale would not reach the rest."""
    for file in adapter_configs(source):
        if json.loads(file.read_text(encoding="utf-8")).get("use_dora"):
            raise UserError(
                "This adapter is of DoRA, which learned the lengths of the rows of weights as "
                "well: no scale goes back to the base.",
                where=str(file),
                fix="use it as it is, or tune with model.lora_use_dora=false",
            )


def _scaled(file: Path, scale: float) -> list[str]:
    """Scale the adapter that a file describes, and give what of the model it replaces in full."""
    config = json.loads(file.read_text(encoding="utf-8"))
    config["lora_alpha"] = _plain(config["lora_alpha"] * scale)
    patterns = config.get("alpha_pattern") or {}
    config["alpha_pattern"] = {name: _plain(alpha * scale) for name, alpha in patterns.items()}
    file.write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
    return list(config.get("modules_to_save") or ())


def _plain(alpha: float) -> float | int:
    """An alpha that is a whole number as one: so it stood there, and some loaders expect it."""
    return int(alpha) if float(alpha).is_integer() else alpha


def _about(source: Path, scale: float) -> dict[str, Any]:
    """What the scaled model says of itself: its scores are to be measured."""
    written = read_json(source / _ABOUT)
    before = written.get("adapter_scale")
    already = before.get("scale", 1.0) if isinstance(before, dict) else 1.0
    kept = {name: value for name, value in written.items() if name not in _OF_THE_TRAINING}
    return {**kept, "adapter_scale": {"checkpoint": str(source), "scale": already * scale}}
