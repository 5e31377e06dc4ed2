"""What ``outputs/model`` pointed to before, and how good that was beside what it points to now."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mynah.config.recorded import read_recorded
from mynah.errors import UserError
from mynah.files import display_path, read_json
from mynah.runs.directory import MODEL, complete_checkpoints
from mynah.runs.record import read_record, record

_REPLACED = "replaced_model"
_RATES = ("wer", "cer")


@dataclass(frozen=True)
class ReplacedRate:
    """An error rate of a model.

    Attributes:
        name: As ``wer``.
        value: As a fraction.
        measured_on: Fingerprint of the corpus.
        normalizer: What both texts were normalised with.
    """

    name: str
    value: float
    measured_on: str
    normalizer: str

    def is_comparable(self, other: ReplacedRate) -> bool:
        """Whether both are the same rate, on the same data, by the same normaliser."""
        mine, its = ((one.name, one.measured_on, one.normalizer) for one in (self, other))
        return mine == its


def pointed_to(outputs: Path) -> Path | None:
    """The model directory that ``outputs/model`` points to; None: to none that is there."""
    link = outputs / MODEL
    return link.resolve() if link.is_symlink() and link.is_dir() else None


def note_replaced(run: Path, before: Path | None, model: Path) -> None:
    """Keep in the run's record which model the link pointed to, but for this run's own."""
    if before is not None and before != model.resolve():
        record(run, **{_REPLACED: str(before)})


def told_of_replaced(run: Path, model: Path, working_directory: Path) -> list[str]:
    """Lines on what this run's model took the place of; none where it took none.

    Args:
        run: The run's directory.
        model: Its model directory, with a checkpoint.
        working_directory: Where the command was typed.
    """
    noted = read_record(run).get(_REPLACED)
    outputs = working_directory / "outputs"
    before = Path(noted) if isinstance(noted, str) else None
    if before is None or not before.is_dir() or pointed_to(outputs) != model.resolve():
        return []
    text = f"outputs/model was {display_path(before, working_directory)} before"
    was, now = _rate(before), _rate(model)
    if was is not None and now is not None and was.is_comparable(now):
        text += f": {was.name.upper()} {was.value:.1%} there, {now.value:.1%} here"
    target = os.path.relpath(before, outputs.resolve())
    link = shlex.join(["ln", "-sfn", target, "outputs/model"])
    return [text, f"To point it back:  {link}"]


def _rate(model: Path) -> ReplacedRate | None:
    """The rate of the model that is to be used: the published one, or its newest checkpoint."""
    for place in (model, *reversed(complete_checkpoints(model))):
        for scores in _scores(place):
            name = next((name for name in _RATES if f"eval_{name}" in scores), None)
            normalizer = _normalizer(place)
            measured_on = _first_fingerprint(model.parent)
            if name is not None and normalizer is not None and measured_on is not None:
                return ReplacedRate(name, float(scores[f"eval_{name}"]), measured_on, normalizer)
    return None


def _scores(checkpoint: Path) -> Iterator[Mapping[str, Any]]:
    scores = read_json(checkpoint / "mynah.json").get("scores")
    if isinstance(scores, dict) and scores:
        yield scores


def _normalizer(checkpoint: Path) -> str | None:
    try:
        return read_recorded(checkpoint / "config.yaml").evaluation.normalizer
    except UserError:
        return None


def _first_fingerprint(run: Path) -> str | None:
    """Of the split that scores are of: the first that is not trained on."""
    fingerprints = read_json(run / "data.json").get("fingerprints")
    if not isinstance(fingerprints, dict):
        return None
    return next((str(f) for split, f in fingerprints.items() if split != "train"), None)
