"""Removing a run, and what keeps it from being removed: whatever builds on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mynah.errors import UserError
from mynah.files import display_path, read_json
from mynah.runs.directory import JOB, MODEL
from mynah.runs.listing import ListedRun, read_run, read_yaml
from mynah.runs.record import RECORD, check_run, is_locked

_MODEL_FILES = ("mynah.json", "adapter_config.json")  # which say what a model was built from
_GOING = "running"


def check_removable(runs: Sequence[Path], folder: Path, *, ended: bool = False) -> None:
    """Refuse to remove what is still needed.

    A run is needed where it is still running or another trains into its model, is a job of a
    sweep, ``outputs/model`` points into it, or a path into it stands in the settings of another
    run or beside another model: one that was resumed from it, adapts it, was merged from it, or
    measures it. Runs that are removed together do not keep each other.

    Args:
        runs: Their directories.
        folder: Where others are looked for.
        ended: Whether those of other machines have ended, though their ``run.json`` says that
            they run: from here nobody can see it.

    Raises:
        UserError: One is not a run, or needed; it says by what.
    """
    going = [run.resolve() for run in runs]
    for run in going:
        check_run(run)
        _check_has_ended(run, ended=ended)
        if (run / JOB).is_file():
            raise _needed(
                run, f"it is a job of the sweep {display_path(run.parent)}", "keep the sweep's jobs"
            )
    for link in _links(folder):
        for run in going:
            if _inside(link.resolve(), run) and not _inside(link.parent.resolve(), run):
                name = f"{display_path(link.parent)}/{link.name}"  # and not what it points to
                raise _needed(run, f"{name} points to its model", "link or train another first")
    for file, path in _named_paths(folder, going):
        for run in going:
            if _inside(path, run):
                raise _needed(
                    run, f"{display_path(file)} names {display_path(path)}", "keep it, or remove "
                    f"both: mynah runs remove {display_path(run)} {display_path(_owner(file))}",
                )  # fmt: skip


def _check_has_ended(run: Path, *, ended: bool) -> None:
    """Refuse a run that still runs, or into whose model another one trains.

    Raises:
        UserError: It does, or may do so on a machine that cannot be seen from here.
    """
    found = read_run(run)
    if found.status == _GOING and found.machine is None:
        raise _needed(run, "it is still running", "stop it, or wait for its end")
    if found.status == _GOING and not ended:
        raise _needed(
            run,
            f"its run.json says that it is running on {found.machine}, which cannot be seen from "
            "here",
            "look there; where it has ended, as when that machine is gone: mynah runs remove "
            f"{display_path(run)} --ended",
        )
    if is_locked(run / MODEL):
        raise _needed(run, "a training writes into its model", "stop it, or wait for its end")


def remove_runs(runs: Sequence[Path]) -> None:
    """Remove runs with all that is in them; a link is removed and not followed.

    Raises:
        UserError: One cannot be removed.
    """
    for run in runs:
        try:
            if run.is_symlink():
                run.unlink()
            else:
                shutil.rmtree(run)
        except OSError as problem:
            raise UserError(
                f"The run cannot be removed: {problem.strerror}.", where=str(run)
            ) from None


def size_of(run: Path) -> int:
    """Bytes of all its files; links are not followed."""
    return sum(
        file.lstat().st_size for file in run.rglob("*") if file.is_file() and not file.is_symlink()
    )


def _needed(run: Path, why: str, fix: str) -> UserError:
    return UserError(
        f"{display_path(run)} is not removed: {why}.",
        where=f"mynah runs remove {display_path(run)}",
        fix=fix,
    )


def _owner(file: Path) -> Path:
    """The run that a file is of, else the folder that it lies in."""
    for above in file.parents:
        if (above / RECORD).is_file():
            return above
    return file.parent


def _inside(path: Path, run: Path) -> bool:
    return path == run or run in path.parents


def _links(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if (found := Path(place, name)).is_symlink():
                yield found


def _named_paths(folder: Path, going: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Each path that the settings of another run or another model name, with the file that does."""
    for place, folders, files in os.walk(folder):
        here = Path(place).resolve()
        if any(_inside(here, run) for run in going):
            folders.clear()
            continue
        for name in files:
            file = here / name
            if name == "config.yaml" and RECORD in files:
                held: Any = read_yaml(file)
            elif name in _MODEL_FILES:
                held = read_json(file)
            else:
                continue
            for text in _texts(held):
                if "/" in text and (path := Path(text).expanduser()).exists():
                    yield file, path.resolve()


def _texts(held: Any) -> Iterator[str]:
    """Every text in some settings, however deep."""
    if isinstance(held, str):
        yield held
    elif isinstance(held, dict):
        for value in held.values():
            yield from _texts(value)
    elif isinstance(held, list):
        for value in held:
            yield from _texts(value)


def shown_run(run: ListedRun) -> str:
    """A run in the question whether to remove it."""
    rate = run.rate()
    measured = "" if rate is None else f", {rate.split} {rate.label} {rate.shown}"
    return f"{display_path(run.directory)} ({run.shown_status}{measured})"
