"""What a person names to be scored or compared: runs, checkpoints, and files of any system."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mynah.checkpoints.find import resolve_checkpoint
from mynah.errors import UserError
from mynah.evaluation.comparing import files
from mynah.evaluation.comparing.system import System
from mynah.evaluation.hypothesis import Hypothesis
from mynah.files import display_path, read_json

_UTTERANCES = "utterances.jsonl"
_UPWARD = 3  # from a checkpoint to its run's directory
_BOTH = (files.REFERENCE_NAMES, files.HYPOTHESIS_NAMES)


def read_system(
    typed: str,
    here: Path,
    *,
    split: str | None = None,
    reference: files.Transcripts | None = None,
    add_reference: str = "name the references: --reference FILE",
) -> System:
    """What a name on the command line stands for.

    Args:
        typed: A run's directory, a checkpoint that its run measured, an ``utterances.jsonl``,
            or a file of hypotheses.
        here: What relative names are relative to.
        split: The split that is meant, where there are several.
        reference: The references, where the file has hypotheses alone.
        add_reference: How a command is given them.

    Raises:
        UserError: It is not there, cannot be read, or was not measured.
    """
    path = here / Path(typed).expanduser()
    if path.is_dir():
        found = _measured(path, typed)
        return _recorded(found, typed, split)
    if not path.is_file():
        raise UserError(
            f"There is no run and no file {typed}.",
            where=typed,
            fix="name a run's directory as outputs/2026-11-22/14-03-11, or a file of hypotheses",
        )
    if path.suffix.lower() == ".jsonl" and _holds_both(path):
        return _recorded(path, typed, split)
    if reference is None:
        raise UserError(
            f"{typed} has hypotheses alone.",
            where=typed,
            fix=add_reference,
        )
    return files.with_references(reference, files.read_hypotheses(path), typed)


def _measured(folder: Path, typed: str) -> Path:
    """The ``utterances.jsonl`` of a run, or of the run that measured a checkpoint."""
    for inside in (folder, folder / "evaluation"):
        if (inside / _UTTERANCES).is_file():
            return inside / _UTTERANCES
    resolved = folder.resolve()
    for above in list(resolved.parents)[:_UPWARD]:
        found = above / "evaluation"
        if (found / _UTTERANCES).is_file():
            about = read_json(found / "results.json").get("about") or {}
            measured = about.get("checkpoint")
            meant = resolve_checkpoint(typed, Path.cwd())
            best = Path(str(measured)).resolve() if measured else None
            # The model at the top of a run is its best checkpoint, and that is what was measured.
            if best is None or meant in (best, best.parent):
                return found / _UTTERANCES
            raise UserError(
                f"{typed} was not measured: the evaluation of its run is of "
                f"{display_path(Path(str(measured)))}.",
                where=typed,
                fix=f"mynah eval {typed}  and compare the run that this makes",
            )
    status = read_json(folder / "run.json").get("status")
    raise UserError(
        f"{typed} was not measured" + (f": the run is {status}." if status else "."),
        where=typed,
        fix="wait for its end" if status == "running" else f"mynah eval {typed}",
    )


def _holds_both(path: Path) -> bool:
    first = next(iter(files.json_lines(path)), (0, {}))[1]
    return all(any(name in first for name in names) for names in _BOTH)


def _recorded(path: Path, typed: str, split: str | None) -> System:
    """A file with a line for each utterance that has both texts."""
    by_split: dict[str, list[Hypothesis]] = {}
    for number, row in files.json_lines(path):
        where = f"{display_path(path)}, line {number}"
        by_split.setdefault(str(row.get("split") or ""), []).append(_hypothesis(row, number, where))
    if not by_split:
        raise UserError("There is no utterance in it.", where=display_path(path))
    names = list(by_split)
    if split is not None and split not in by_split:
        raise UserError(
            f"{typed} has no split {split!r}: it has {', '.join(names)}.",
            where=typed,
            fix=f"--split {names[0]}",
        )
    if split is None and len(names) > 1:
        raise UserError(
            f"{typed} has several splits: {', '.join(names)}.",
            where=typed,
            fix=f"--split {names[0]}",
        )
    chosen = split if split is not None else names[0]
    results = read_json(path.with_name("results.json")).get("evaluations") or {}
    recorded = (results.get(chosen) or {}).get("normalizer")
    name = str(recorded).partition("@")[0] if recorded else None
    return System(typed, by_split[chosen], name, report=path.with_name("report.html"))


def _hypothesis(row: Mapping[str, Any], number: int, where: str) -> Hypothesis:
    """A line's utterance, as Mynah writes it or as a manifest of NeMo or the Open ASR
    Leaderboard."""
    reference, text = (next((row[name] for name in names if name in row), None) for names in _BOTH)
    if not isinstance(reference, str) or not isinstance(text, str):
        raise UserError(
            "A line needs a reference and a hypothesis, as texts.",
            where=where,
            fix='{"id": "a", "reference": "one two", "hypothesis": "one too"}',
        )
    key = str(row.get("id") or row.get("audio_filepath") or number)
    return files.described_utterance(key, reference, text, row, row)
