"""A run's directory: claiming one, the link to the newest model, the checkpoints in it.

::

    outputs/2026-11-22/14-03-11/     claimed atomically; two runs never share one
      run.json                       identity (data, model, seed), status, versions
      model/                         training.output_dir: checkpoint-N/, the best model at the top
    outputs/model -> the newest training run's model/

Nothing here imports torch. A checkpoint is complete where its list of sums is there and names
only files that are there; whether they are intact, :mod:`mynah.checkpoints.commit` finds out.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

from mynah.config.effective import effective_yaml
from mynah.config.schema import Config
from mynah.distributed import is_first_rank
from mynah.errors import UserError
from mynah.files import is_outside, write_text
from mynah.runs.record import RECORD, read_record

SUMS = "SHA256SUMS"  # written last into a checkpoint: where it is, the checkpoint is complete
MODEL = "model"
SWEEPS = "sweeps"
SET_ASIDE = "set_aside"  # in a model directory; the next time set_aside-1, set_aside-2, …
JOB = "job.json"  # written by a sweep into the directory of each of its jobs

_MOST_BYTES_OF_SUMS = 2**24  # a line a file
CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_SET_ASIDE_NAME = re.compile(rf"{SET_ASIDE}(-\d+)?")
# What a training leaves at the top of its output directory.
MODEL_FILES = (SUMS, "mynah.json", "config.json", "adapter_config.json", "model.safetensors")


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
        Whether the link points there now. False where something that is not a link has that
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


def is_complete(directory: Path) -> bool:
    """Whether the directory's list of sums is there, and all the files it names are too."""
    names = _summed_files(directory)
    return bool(names) and not any(map(is_outside, names)) and not lost_files(directory)


def lost_files(directory: Path) -> list[str]:
    """Files that the list of sums names and that are not there."""
    return [name for name in _summed_files(directory) if not (directory / name).is_file()]


def _summed_files(directory: Path) -> list[str]:
    if not (directory / SUMS).is_file():
        return []  # nor is a pipe, on which reading would wait
    try:
        if (directory / SUMS).stat().st_size > _MOST_BYTES_OF_SUMS:
            return []
        lines = (directory / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [line.split(maxsplit=1)[1].lstrip("*") for line in lines if len(line.split()) > 1]


def complete_checkpoints(model_directory: Path) -> list[Path]:
    """The complete ``checkpoint-N`` directories in a model directory, by rising step."""
    return [path for path in named_checkpoints(model_directory) if is_complete(path)]


def named_checkpoints(model_directory: Path) -> list[Path]:
    """All ``checkpoint-N`` directories, complete or not, by rising step."""
    found = []
    with suppress(OSError):
        for path in model_directory.iterdir():
            named = CHECKPOINT.fullmatch(path.name)
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


def log_directory(output_directory: Path) -> Path:
    """Where what a training notes as it runs is written: its run's directory, which holds
    ``model/``; or the output directory itself where that was chosen elsewhere, for it may have
    neighbours."""
    run = output_directory.parent
    return run if output_directory.name == MODEL else output_directory


def run_directory_of(checkpoint: Path, outputs: Path) -> Path | None:
    """The directory of the run that wrote a checkpoint, so that resuming continues in it.

    Args:
        checkpoint: A checkpoint, or the model directory it is in.
        outputs: The folder of all runs, searched for a run with that ``output_dir``.

    Returns:
        The run's directory, or None where the checkpoint came without one.
    """
    checkpoint = checkpoint.resolve()
    model = checkpoint.parent if CHECKPOINT.fullmatch(checkpoint.name) else checkpoint
    if model.name == MODEL and any((model.parent / name).exists() for name in (RECORD, ".hydra")):
        return model.parent
    owners = [run for run in runs(outputs) if model_directory_of(run).resolve() == model]
    return max(owners, key=lambda run: recency(run, run), default=None)


def is_set_aside(name: str) -> bool:
    """Whether a folder in a model directory, by its name, holds checkpoints that were set aside."""
    return _SET_ASIDE_NAME.fullmatch(name) is not None


def check_output_directory(output_dir: Path, *, resume: Path | None) -> None:
    """See that an explicit ``training.output_dir`` is free, or is the one being resumed.

    Args:
        output_dir: The directory, absolute.
        resume: The checkpoint that training resumes from, or None.

    Raises:
        UserError: It holds another run, or it is not a directory; or the checkpoint was set aside
            there, from where another course is trained since.
    """
    where = f"training.output_dir={output_dir}"
    if output_dir.exists() and not output_dir.is_dir():
        raise UserError(
            "training.output_dir is a file.", where=where, fix="name a directory that is free"
        )
    if not output_dir.is_dir():
        return
    if resume is not None and output_dir.resolve() in (resume.resolve(), *resume.resolve().parents):
        _check_not_set_aside(resume.resolve(), output_dir.resolve())
        return
    kept = complete_checkpoints(output_dir)
    left = [name for name in MODEL_FILES if (output_dir / name).exists()]
    if not kept and not left and not any(output_dir.glob("checkpoint-*")):
        return
    go_on = f"resume that run: resume_from_checkpoint={kept[-1]}\n         or " if kept else ""
    raise UserError(
        f"training.output_dir holds another run ({kept[-1].name if kept else 'a model'}); "
        "nothing in it was touched.",
        where=where,
        fix=f"{go_on}leave training.output_dir away: every run gets a directory of its own",
    )


def _check_not_set_aside(resume: Path, output_dir: Path) -> None:
    """See that two courses of a training do not come to lie among each other."""
    if is_set_aside(resume.relative_to(output_dir).parts[0] if resume != output_dir else ""):
        raise UserError(
            "This checkpoint was set aside, and another course of its training lies in "
            "training.output_dir: their checkpoints would be taken for those of one course.",
            where=f"resume_from_checkpoint={resume}",
            fix="resume it in a folder of its own: training.output_dir=FOLDER (or leave "
            "training.output_dir and hydra.run.dir away)",
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


def next_order(outputs: Path) -> int:
    """The place of a run that begins now among all runs: counted, for clocks jump."""
    return 1 + max(map(_order, runs(outputs)), default=0)


def recency(run: Path | None, checkpoint: Path) -> tuple[int, float, int]:
    """What sorts the checkpoints of several runs, the newest last.

    Args:
        run: The run that wrote it; None: it is not known.
        checkpoint: One of its checkpoints, or its own directory.

    Returns:
        The run's order, and the step. By its file's time goes only one of a run that has no
        order, as those of earlier versions, and it comes before the others.
    """
    order = 0 if run is None else _order(run)
    step = CHECKPOINT.fullmatch(checkpoint.name)
    return order, 0.0 if order else _modified(checkpoint), int(step.group(1)) if step else 0


def _order(run: Path) -> int:
    order = read_record(run).get("order")
    return order if isinstance(order, int) else 0


def _modified(path: Path) -> float:
    """When a checkpoint was committed, or a directory last changed, in seconds."""
    for candidate in (path / SUMS, path):
        with suppress(OSError):
            return candidate.stat().st_mtime
    return 0.0


def write_settings(run: Path, config: Config) -> None:
    """Write the effective settings of a run; of several processes the first does."""
    if is_first_rank():
        write_text(run / "config.yaml", effective_yaml(config))
