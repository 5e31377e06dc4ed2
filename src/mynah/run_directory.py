"""A run's directory: claiming one, the link to the newest model, finding checkpoints again.

::

    outputs/2026-11-22/14-03-11/     claimed atomically; two runs never share one
      run.json                       identity (data, model, seed), status, versions
      model/                         training.output_dir: checkpoint-N/, the best model at the top
    outputs/model -> the newest training run's model/

Nothing here imports torch. In a listing a checkpoint counts as whole where its list of sums is
there and names only files that are there; one that is picked out of several is read to the
last byte (``mynah.training.checkpoint``), so that a damaged one is passed over.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from mynah import console
from mynah.config.errors import UserError
from mynah.config.schema import Config
from mynah.run_record import RECORD, RunRecord, identity, read_record, record

__all__ = [
    "RunRecord",
    "check_output_directory",
    "check_writable",
    "checkpoints",
    "claim",
    "find_last",
    "identity",
    "is_whole",
    "link_newest_model",
    "model_directory_of",
    "read_record",
    "record",
    "resolve_checkpoint",
    "resolve_resume",
    "run_directory_of",
    "runs",
]

SUMS = "SHA256SUMS"  # written last into a checkpoint: where it is, the checkpoint is whole
MODEL = "model"
SWEEPS = "sweeps"

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_NAMED = 5  # checkpoints that a message names at most
# What a training leaves at the top of its output directory.
_MODEL_FILES = (SUMS, "mynah.json", "config.json", "adapter_config.json", "model.safetensors")


def claim(parent: Path, name: str) -> Path:
    """Make a directory that no other run has: ``name``, or ``name-1``, ``name-2``, …

    Args:
        parent: Where it is made; made itself where it is missing.
        name: The name wished for.

    Returns:
        The directory, new and empty.

    Raises:
        UserError: It cannot be made (no permission, disk full, a file in the way).
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        suffix = 0
        while True:
            path = parent / (f"{name}-{suffix}" if suffix else name)
            try:
                path.mkdir()
                return path
            except FileExistsError:
                suffix += 1
    except OSError as problem:
        raise UserError(
            f"The run's directory cannot be made: {problem.strerror or problem}.",
            where=str(parent / name),
            fix="free the place, or write elsewhere with hydra.run.dir=FOLDER",
        ) from problem


def link_newest_model(outputs: Path, model_directory: Path, *, of_sweep: bool = False) -> bool:
    """Let ``outputs/model`` point to ``model_directory``, in one atomic step.

    Args:
        outputs: The folder of all runs.
        model_directory: The model directory of the run that just committed a checkpoint.
        of_sweep: Whether it is the best model of a sweep that ended. A job of a sweep alone
            does not move the link: many jobs would pull it to and fro.

    Returns:
        Whether the link points there now. False where something that is no link has that
        name (it is never replaced), or where the file system has no links.
    """
    link = outputs / MODEL
    if link.exists() and not link.is_symlink():
        return False
    if not of_sweep and (outputs / SWEEPS).resolve() in model_directory.resolve().parents:
        return False
    outputs.mkdir(parents=True, exist_ok=True)
    target = os.path.relpath(model_directory.resolve(), outputs.resolve())
    if target.startswith(os.pardir):  # outside of outputs: the link stays right if outputs moves
        target = str(model_directory.resolve())
    staged = outputs / f".{MODEL}-{os.getpid()}"
    try:
        with suppress(FileNotFoundError):
            staged.unlink()
        staged.symlink_to(target, target_is_directory=True)
        staged.replace(link)  # fails on a directory made in the meantime, as it should
    except OSError:
        with suppress(OSError):
            staged.unlink()
        return False
    return True


def is_whole(directory: Path) -> bool:
    """Whether the directory's list of sums is there, and all the files it names are too."""
    try:
        lines = (directory / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    names = [line.split(maxsplit=1)[1].lstrip("*") for line in lines if len(line.split()) > 1]
    return bool(names) and all((directory / name).is_file() for name in names)


def checkpoints(model_directory: Path) -> list[Path]:
    """The whole ``checkpoint-N`` directories in a model directory, by rising step."""
    return [path for path in _named_checkpoints(model_directory) if is_whole(path)]


def _named_checkpoints(model_directory: Path) -> list[Path]:
    """All ``checkpoint-N`` directories, whole or not, by rising step."""
    found = []
    with suppress(OSError):
        for path in model_directory.iterdir():
            named = _CHECKPOINT.fullmatch(path.name)
            if named and path.is_dir():
                found.append((int(named.group(1)), path))
    return [path for _, path in sorted(found)]


def runs(outputs: Path) -> list[Path]:
    """The directories of all runs in ``outputs``, sweeps' jobs too, in no certain order."""
    patterns = (f"*/{RECORD}", f"*/*/{RECORD}", f"{SWEEPS}/*/*/{RECORD}")
    return [path.parent for pattern in patterns for path in outputs.glob(pattern)]


def model_directory_of(run_directory: Path) -> Path:
    """Where a run keeps its checkpoints: ``model/`` in it, else as its ``run.json`` says."""
    own = run_directory / MODEL
    if own.is_dir():  # not what run.json says: the folder may have been moved or copied since
        return own
    written = read_record(run_directory).get("output_dir")
    return Path(written) if isinstance(written, str) else own


def run_directory_of(checkpoint: Path, outputs: Path) -> Path | None:
    """The directory of the run that wrote a checkpoint, so that resuming goes on in it.

    Args:
        checkpoint: A checkpoint, or the model directory it is in.
        outputs: The folder of all runs, searched for a run with that ``output_dir``.

    Returns:
        The run's directory, or None where the checkpoint came without one.
    """
    checkpoint = checkpoint.resolve()
    model = checkpoint.parent if _CHECKPOINT.fullmatch(checkpoint.name) else checkpoint
    if model.name == MODEL and any((model.parent / name).exists() for name in (RECORD, ".hydra")):
        return model.parent
    owners = [run for run in runs(outputs) if model_directory_of(run).resolve() == model]
    return max(owners, key=_modified, default=None)


def resolve_checkpoint(path: str, working_directory: Path, *, resume: bool = False) -> Path:
    """The checkpoint that a setting means.

    Args:
        path: As typed: a checkpoint, a run's directory or a ``model/`` directory, relative to
            ``working_directory``.
        working_directory: Where the command was typed.
        resume: Whether training goes on from it. Of a directory of many checkpoints,
            resuming takes the newest, anything else the best model at the top.

    Returns:
        The directory of a whole checkpoint, links resolved.

    Raises:
        UserError: There is none; the message names those that exist nearby, newest first.
    """
    asked = working_directory / Path(path).expanduser()
    setting = "resume_from_checkpoint" if resume else "eval_checkpoint"
    if not asked.is_dir():
        if asked.is_file():
            raise UserError(
                f"A checkpoint is a directory, and this is a file: {path}",
                where=setting,
                fix=f"{setting}={os.path.relpath(asked.parent, working_directory)}",
            )
        raise _missing(f"There is no checkpoint {path}.", setting, asked, working_directory)
    asked = asked.resolve()
    if is_whole(asked) and not (resume and checkpoints(asked)):
        return asked
    holders = [asked] if _CHECKPOINT.fullmatch(asked.name) else [asked, model_directory_of(asked)]
    for holder in holders:
        if not resume and is_whole(holder):
            return holder.resolve()
        newest = _newest_undamaged(checkpoints(holder))
        if newest is not None:
            return newest.resolve()
    if any((asked / name).exists() for name in (*_MODEL_FILES, "trainer_state.json")):
        lost = _lost_files(asked)
        detail = f"missing in it: {', '.join(lost)}" if lost else f"it has no list {SUMS}"
        raise _missing(
            f"{path} is no whole checkpoint of Mynah: {detail}.", setting, asked, working_directory
        )
    raise _missing(f"{path} holds no checkpoint.", setting, asked, working_directory)


def resolve_resume(
    config: Config,
    *,
    working_directory: Path,
    output_directory: Path | None = None,
    quiet: bool = False,
) -> Path | None:
    """The checkpoint that ``resume_from_checkpoint`` means: a path, a run, ``last`` or ``auto``.

    Args:
        config: The settings of the run about to start, paths made absolute.
        working_directory: Where the command was typed.
        output_directory: The run's own model directory. Where it holds checkpoints and the
            setting is ``last`` or ``auto``, the newest of those is meant.
        quiet: Whether nothing is said of damaged checkpoints that are passed over.

    Returns:
        The checkpoint; None where ``auto`` finds nothing to go on from.

    Raises:
        UserError: There is none, and the setting is not ``auto``.
    """
    typed = config.resume_from_checkpoint
    assert typed is not None
    if typed not in ("last", "auto"):
        return resolve_checkpoint(typed, working_directory, resume=True)
    if output_directory is not None:
        own = _newest_undamaged(_named_checkpoints(output_directory), quiet=quiet)
        if own is not None:
            return own.resolve()
    try:
        return find_last(working_directory / "outputs", identity(config), quiet=quiet)
    except UserError:
        if typed == "auto":
            return None
        raise


def check_output_directory(output_dir: Path, *, resume: Path | None) -> None:
    """See that an explicit ``training.output_dir`` is free, or is the one being resumed.

    Args:
        output_dir: The directory, absolute.
        resume: The checkpoint that training goes on from, or None.

    Raises:
        UserError: It holds another run, or it is no directory.
    """
    where = f"training.output_dir={output_dir}"
    if output_dir.exists() and not output_dir.is_dir():
        raise UserError(
            "training.output_dir is a file.", where=where, fix="name a directory that is free"
        )
    if not output_dir.is_dir():
        return
    if resume is not None and output_dir.resolve() in (resume.resolve(), *resume.resolve().parents):
        return
    kept = checkpoints(output_dir)
    left = [name for name in _MODEL_FILES if (output_dir / name).exists()]
    if not kept and not left and not any(output_dir.glob("checkpoint-*")):
        return
    go_on = f"go on with that run: resume_from_checkpoint={kept[-1]}\n         or " if kept else ""
    raise UserError(
        f"training.output_dir holds another run ({kept[-1].name if kept else 'a model'}); "
        "nothing in it was touched.",
        where=where,
        fix=f"{go_on}leave training.output_dir away: every run gets a directory of its own",
    )


def check_writable(directory: Path) -> None:
    """See that files can be made in a directory, or in the nearest one above it that is there.

    Raises:
        UserError: It is read-only, or the disk is full.
    """
    place = directory
    while not place.is_dir() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(b"\0")
    except OSError as problem:
        raise UserError(
            f"Nothing can be saved there: {problem.strerror or problem}.",
            where=str(place),
            fix="make the folder writable, or let the run save elsewhere with training.output_dir",
        ) from problem


def find_last(outputs: Path, identity: dict[str, Any], *, quiet: bool = False) -> Path:
    """What ``resume_from_checkpoint=last`` means.

    Args:
        outputs: The folder of all runs.
        identity: Data, model and seed of the run about to start, as ``run.json`` holds them.
        quiet: Whether nothing is said of damaged checkpoints that are passed over.

    Returns:
        The newest whole checkpoint of the run with this identity that saved last.

    Raises:
        UserError: No such run, or none of them has a whole checkpoint.
    """
    candidates: list[Path] = []
    others: list[tuple[Path, dict[str, Any]]] = []
    wanted = json.loads(json.dumps(identity))  # as it looks after a way through run.json
    for run in runs(outputs):
        kept = _named_checkpoints(model_directory_of(run))
        if not kept:
            continue
        written = read_record(run).get("identity")
        if written == wanted:
            candidates += kept
        elif isinstance(written, dict) and (whole := [path for path in kept if is_whole(path)]):
            others.append((whole[-1], written))
    newest = _newest_undamaged(sorted(candidates, key=_modified), quiet=quiet)
    if newest is not None:
        return newest.resolve()
    if not others:
        raise UserError(
            "There is nothing to resume: no run here has a whole checkpoint.",
            where="resume_from_checkpoint=last",
            fix="leave resume_from_checkpoint away to start a new run",
        )
    nearest, written = max(others, key=lambda other: _modified(other[0]))
    keys = dict.fromkeys([*wanted, *written])
    differing = [key for key in keys if wanted.get(key) != written.get(key)]
    raise UserError(
        "No run here has the same data, model and seed. "
        f"The newest one differs in: {', '.join(differing)}.",
        where="resume_from_checkpoint=last",
        fix=f"give that run's settings, or name its checkpoint: resume_from_checkpoint={nearest}",
    )


def _newest_undamaged(oldest_first: list[Path], *, quiet: bool = True) -> Path | None:
    """The last one whose every byte is as its sums say."""
    from mynah.training.checkpoint import find_damage

    for path in reversed(oldest_first):
        damage = find_damage(path)
        if damage is None:
            return path
        if not quiet:
            console.notice(f"{path} is passed over, for it is not whole: {damage}.")
    return None


def _modified(path: Path) -> float:
    """When a checkpoint was committed, or a directory last changed, in seconds."""
    for candidate in (path / SUMS, path):
        with suppress(OSError):
            return candidate.stat().st_mtime
    return 0.0


def _lost_files(directory: Path) -> list[str]:
    """Files that the list of sums names and that are not there."""
    try:
        lines = (directory / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    names = [line.split(maxsplit=1)[1].lstrip("*") for line in lines if len(line.split()) > 1]
    return [name for name in names if not (directory / name).is_file()]


def _nearby(asked: Path, working_directory: Path) -> list[Path]:
    """Whole checkpoints beside what was asked for and in ``outputs``, newest first."""
    outputs = working_directory / "outputs"
    holders = [asked.parent, asked, asked.parent / MODEL, working_directory, outputs / MODEL]
    holders += [model_directory_of(run) for run in runs(outputs)]
    holders += outputs.glob(f"*/*/{MODEL}")
    found: dict[Path, Path] = {}  # the real place -> the shortest way to say it
    for holder in holders:
        for checkpoint in checkpoints(holder):
            found.setdefault(checkpoint.resolve(), checkpoint)
    newest = sorted(found, key=_modified, reverse=True)
    return [found[real] for real in newest]


def _missing(what: str, setting: str, asked: Path, working_directory: Path) -> UserError:
    outputs = working_directory / "outputs"
    link = outputs / MODEL
    if asked.is_relative_to(link) and asked != link:
        if link.is_dir():
            where = f"outputs/model is {os.path.relpath(link.resolve(), working_directory)}"
        else:
            where = "outputs/model does not exist yet: the first checkpoint of a training makes it"
    else:
        where = setting
    near = _nearby(asked, working_directory)
    if not near:
        return UserError(what, where=where, fix="train first; no checkpoint was found nearby")
    named = [os.path.relpath(path, working_directory) for path in near[:_NAMED]]
    more = f"\n         and {len(near) - _NAMED} more" if len(near) > _NAMED else ""
    listed = "\n         ".join(f"{setting}={name}" for name in named)
    return UserError(what, where=where, fix=f"these exist, newest first:\n         {listed}{more}")
