"""A checkpoint is a commit: a directory under its final name is complete, or not there.

It is written beside its final name, synced, summed (``SHA256SUMS``, as ``sha256sum -c`` reads
it) and renamed. It is *complete* where all files that the sums name are there
(:mod:`mynah.runs.directory`), and *intact* where their sums agree: that is asked here, and takes
as long as reading it. What a killed process leaves behind starts with a dot and is never listed.
Nothing here imports torch.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mynah import files
from mynah.errors import UserError, fault_of_machine, number_of_system
from mynah.models.pretrained.file_sizes import oversized, written_bytes
from mynah.runs.directory import CHECKPOINT, SUMS, named_checkpoints

PREFIX = "checkpoint-"
AVERAGE = "average"  # the name of the average of a training's checkpoints, beside them

_STAGING = ".partial"  # being written
_REPLACED = ".replaced"  # complete, and about to give its name to a newer one
_DELETING = ".deleting"  # being removed by retention
_HIDDEN_NAME = re.compile(
    rf"\.({re.escape(PREFIX)}\d+|{AVERAGE})({re.escape(_STAGING)}|{re.escape(_REPLACED)}|{re.escape(_DELETING)})"
)

# What only a resumed training needs; everything else is the published model.
TRAINING_STATE_STEMS = (
    "optimizer", "scheduler", "scaler", "rng_state", "trainer_state", "unaveraged",
)  # fmt: skip


def checkpoint_path(model_directory: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return model_directory / f"{PREFIX}{step}"


def step_of(checkpoint: Path) -> int | None:
    """The step in a checkpoint's name, or None where that is not a checkpoint's name."""
    match = CHECKPOINT.fullmatch(checkpoint.name)
    return int(match.group(1)) if match else None


@contextmanager
def commit(final: Path, *, expected_bytes: int | None = None) -> Iterator[Path]:
    """Yield a staging directory that takes the name ``final`` if the block ends well.

    A directory that already has the name is replaced. If the block raises, the staging
    directory is removed and what was there stays as it was.

    Args:
        final: The directory's final name.
        expected_bytes: About how much will be written, for the message of a full disk.

    Raises:
        UserError: The disk or the quota is full, or the place cannot be written.
    """
    staging = final.with_name(f".{final.name}{_STAGING}")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        if staging.exists():
            shutil.rmtree(staging)
        staging.mkdir()
        yield staging
        write_sums(staging)
        _share_mode(staging)
        _sync_tree(staging)
        _take_name(staging, final)
    except BaseException as error:
        written = size_bytes(staging)
        shutil.rmtree(staging, ignore_errors=True)
        if _is_full_disk(error):
            like_it = _newest_size_bytes(final.parent) if step_of(final) is not None else 0
            needed = max(expected_bytes or 0, written, like_it)
            raise _full_disk_error(final, needed) from error
        if (fault := fault_of_machine(error)) is not None:
            raise fault from error
        if isinstance(error, PermissionError):
            raise UserError(
                f"The checkpoint {final.name} cannot be written: {error}",
                where=str(final.parent),
                fix="make the folder writable, or set training.output_dir to another one",
            ) from error
        raise


def _take_name(staging: Path, final: Path) -> None:
    replaced = final.with_name(f".{final.name}{_REPLACED}")
    if final.exists():
        if replaced.exists():
            shutil.rmtree(replaced)
        final.rename(replaced)
    staging.rename(final)
    files.sync_directory(final.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def write_sums(directory: Path) -> None:
    """Write ``SHA256SUMS`` over every file of the directory."""
    lines = [
        f"{files.sha256(path)}  {path.relative_to(directory).as_posix()}\n"
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.relative_to(directory).as_posix() != SUMS
    ]
    (directory / SUMS).write_text("".join(lines), encoding="utf-8")


def add_file(directory: Path, name: str, content: str) -> None:
    """Add a file to a committed checkpoint, or replace it: intact at any moment.

    Args:
        directory: The checkpoint, or a published model.
        name: The file's, at its top.
        content: Its text.

    Raises:
        UserError: The disk is full, or the place cannot be written.
    """
    try:
        kept = [
            line
            for line in (directory / SUMS).read_text(encoding="utf-8").splitlines(keepends=True)
            if line.partition("  ")[2].rstrip("\n") != name
        ]
        files.write_text(directory / SUMS, kept)  # before the file is another one
        files.write_text(directory / name, content)
        line = f"{files.sha256(directory / name)}  {name}\n"
        files.write_text(directory / SUMS, sorted([*kept, line], key=lambda one: one[66:]))
    except OSError as error:
        if _is_full_disk(error):
            raise _full_disk_error(directory, len(content)) from error
        raise fault_of_machine(error) or error from error


def verify(directory: Path) -> None:
    """Check a checkpoint (or a published model) against its sums.

    Raises:
        UserError: It is not a checkpoint, or files of it are missing or altered; named.
    """
    problem = find_damage(directory)
    if problem is None:
        return
    intact = [path.name for path in reversed(intact_checkpoints(directory.parent))]
    fix = "use another checkpoint, or copy this one again from where it is intact"
    if intact:
        fix = f"use one that is intact: {', '.join(intact[:5])} in {directory.parent}"
    raise UserError(f"The checkpoint is not intact: {problem}", where=str(directory), fix=fix)


def is_intact(directory: Path) -> bool:
    """Whether every file that the sums name is there, unaltered."""
    return find_damage(directory) is None


def find_damage(directory: Path) -> str | None:
    """What is missing or altered in a checkpoint, as part of a sentence; None: it is intact."""
    if not directory.is_dir():
        return "there is no such directory"
    if special := _special_files(directory):
        return f"{', '.join(special)} is not a file of its own (a link, a pipe or a device)"
    if impossible := oversized(directory):
        return impossible
    sums_path = directory / SUMS
    try:
        sums_text = sums_path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return f"it has no {SUMS}, so it is not a checkpoint of Mynah or was cut short"
    except (OSError, UnicodeDecodeError) as error:
        return f"{SUMS} cannot be read ({error})"
    if not sums_text.endswith("\n"):
        return f"{SUMS} is cut short"
    missing, altered = [], []
    for line in sums_text.splitlines():
        expected, separator, name = line.partition("  ")
        if not separator or len(expected) != 64:
            return f"{SUMS} is damaged"
        if files.is_outside(name):
            return f"{SUMS} names {name}, which is not a file of the checkpoint"
        path = directory / name
        try:
            if files.sha256(path) != expected:
                altered.append(name)
        except FileNotFoundError:
            missing.append(name)
        except OSError as error:
            altered.append(f"{name} ({error.strerror})")
    parts = []
    if missing:
        parts.append(f"{', '.join(missing)} missing")
    if altered:
        parts.append(f"{', '.join(altered)} altered or cut short")
    return "; ".join(parts) or None


def _special_files(directory: Path) -> list[str]:
    """What a checkpoint never has and nobody should read: a pipe blocks, a device never ends,
    a link may lead anywhere."""
    special = []
    for place, folders, names in os.walk(directory):
        for name in (*folders, *names):
            mode = (path := Path(place, name)).lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                special.append(path.relative_to(directory).as_posix())
    return special


def intact_checkpoints(model_directory: Path) -> list[Path]:
    """The intact checkpoints of a model directory, by step, the newest last."""
    return [path for path in named_checkpoints(model_directory) if is_intact(path)]


def clean(model_directory: Path) -> list[str]:
    """Remove what a killed process left behind; give a replaced checkpoint its name back.

    Returns:
        Names of the checkpoints that were cut short while they were written.
    """
    cut_short: list[str] = []
    if not model_directory.is_dir():
        return cut_short
    give_names_back(model_directory)
    for path in sorted(model_directory.iterdir()):
        match = _HIDDEN_NAME.fullmatch(path.name)
        if not match:
            continue
        name, kind = match.groups()
        shutil.rmtree(path, ignore_errors=True)
        if kind == _STAGING:
            cut_short.append(name)
    return cut_short


def nameless(model_directory: Path) -> dict[Path, Path]:
    """What a kill left between the two renames of a commit: each hidden directory that was about
    to be replaced, with its own name, which nothing has now."""
    found = {}
    for path in sorted(model_directory.glob(f".*{_REPLACED}")):
        match = _HIDDEN_NAME.fullmatch(path.name)
        if match and not (final := model_directory / match[1]).exists():
            found[path] = final
    return found


def give_names_back(model_directory: Path) -> None:
    """Give the intact ones of :func:`nameless` their names back; no run may be writing there.

    Raises:
        OSError: It is read-only.
    """
    for path, final in nameless(model_directory).items():
        if is_intact(path):
            path.rename(final)
            files.sync_directory(model_directory)


def retain(
    model_directory: Path,
    *,
    limit: int | None,
    best: Path | None,
    committed: Path | None = None,
    besides: Collection[Path] = (),
) -> list[Path]:
    """Remove the oldest checkpoints beyond a limit; never the newest intact one or the best.

    Args:
        model_directory: Where the checkpoints lie.
        limit: How many stay; None keeps all.
        best: The checkpoint with the best score so far, if any.
        committed: The one that was just written, which stays whatever its step is.
        besides: Checkpoints that stay as well, and are not counted.

    Returns:
        The checkpoints that were removed.
    """
    if limit is None:
        return []
    named = [path for path in named_checkpoints(model_directory) if path not in besides]
    if len(named) <= limit:
        return []
    newest_intact = next((path for path in reversed(named) if is_intact(path)), None)
    protected = {path for path in (newest_intact, best, committed) if path is not None}
    spare = [path for path in named if path not in protected]
    surplus = len(named) - max(limit, len(protected & set(named)))
    removed = spare[:surplus]
    for path in removed:
        # Renamed first: a directory that is half removed must not carry a checkpoint's name.
        doomed = path.with_name(f".{path.name}{_DELETING}")
        shutil.rmtree(doomed, ignore_errors=True)
        path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    return removed


def copy_to_model_directory(checkpoint: Path, model_directory: Path) -> None:
    """Copy a checkpoint's model to the top of its model directory, without training state.

    Each file is replaced atomically and the sums are written last, so that a copy cut short
    is recognised by :func:`verify`. Confidences, fitted to the model before, go.

    Raises:
        UserError: The checkpoint is not intact, or the disk is full.
    """
    verify(checkpoint)
    sources = [
        path
        for path in sorted(checkpoint.rglob("*"))
        if path.is_file() and path.name != SUMS and not is_training_state(path.name)
    ]
    needed = sum(path.stat().st_size for path in sources)
    try:
        files.remove_staged(model_directory)
        for former in (SUMS, "confidence.json"):
            (model_directory / former).unlink(missing_ok=True)
        files.sync_directory(model_directory)
        lines = []
        for source in sources:
            target = model_directory / (name := source.relative_to(checkpoint))
            target.parent.mkdir(parents=True, exist_ok=True)
            with files.staged(target) as beside:
                shutil.copyfile(source, beside)
            lines.append(f"{files.sha256(target)}  {name.as_posix()}\n")
        files.write_text(model_directory / SUMS, lines)
    except OSError as error:
        if _is_full_disk(error):
            raise _full_disk_error(model_directory, needed) from error
        raise fault_of_machine(error) or error from error


def is_training_state(name: str) -> bool:
    """Whether a file of a checkpoint is of what only a resumed training needs."""
    return any(
        name.startswith(stem) and name.endswith((".json", ".safetensors"))
        for stem in TRAINING_STATE_STEMS
    )


def _share_mode(directory: Path) -> None:
    """Give every file the mode that the umask asks for; safetensors writes them for the owner."""
    mode = stat.S_IMODE((directory / SUMS).stat().st_mode)
    for path in directory.rglob("*"):
        if path.is_file():
            path.chmod(mode)


def _sync_tree(directory: Path) -> None:
    for parent, _, names in os.walk(directory):
        for name in names:
            files.sync(Path(parent, name))
        files.sync_directory(Path(parent))


def size_bytes(directory: Path) -> int:
    """What the files of a directory take, holes left out; what cannot be read counts as nothing."""
    total = 0
    with suppress(OSError):
        for path in directory.rglob("*"):
            with suppress(OSError):
                total += written_bytes(path) if path.is_file() else 0
    return total


def _newest_size_bytes(model_directory: Path) -> int:
    named = named_checkpoints(model_directory)
    return size_bytes(named[-1]) if named else 0


def _is_full_disk(error: BaseException) -> bool:
    return number_of_system(error) in (errno.ENOSPC, errno.EDQUOT)


def _full_disk_error(final: Path, needed: int) -> UserError:
    free = shutil.disk_usage(final.parent).free
    fix = "free some space, and type the command again"
    if step_of(final) is not None or named_checkpoints(final):
        fix = (
            "free some space, then resume with resume_from_checkpoint=last "
            "(training.save_total_limit keeps fewer checkpoints)"
        )
    return UserError(
        f"The disk is full: {final.name} needs about {megabytes(needed)}, "
        f"{megabytes(free)} are free. What was saved before is still there.",
        where=str(final.parent),
        fix=fix,
    )


def megabytes(size_bytes: float) -> str:
    """A size for a person, as ``12.3 MB``."""
    return f"{size_bytes / 1e6:,.1f} MB"
