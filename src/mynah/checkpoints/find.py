"""Finding a checkpoint again: the one that a setting means, or the last of a run like this one.

One that is picked out of several is read to the last byte (``mynah.checkpoints.commit``), so that
a damaged one is passed over. Nothing else here imports torch.
"""

from __future__ import annotations

import functools
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from mynah import console
from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.runs.directory import (
    CHECKPOINT,
    JOB,
    MODEL,
    MODEL_FILES,
    SUMS,
    complete_checkpoints,
    is_complete,
    lost_files,
    model_directory_of,
    named_checkpoints,
    recency,
    run_directory_of,
    runs,
)
from mynah.runs.record import identity, is_locked, read_record
from mynah.storage.address import is_address

NEWEST = ("last", "auto")  # of resume_from_checkpoint: not a path
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_NAMED = 5  # checkpoints that a message names at most


def resolve_checkpoint(
    path: str,
    working_directory: Path,
    *,
    resume: bool = False,
    setting: str | None = None,
    quiet: bool = True,
) -> Path:
    """The checkpoint that a setting means.

    Args:
        path: As typed: a checkpoint, a run's directory or a ``model/`` directory, relative to
            ``working_directory``.
        working_directory: Where the command was typed.
        resume: Whether training resumes from it. Of a directory of many checkpoints,
            resuming takes the newest, anything else the best model at the top.
        setting: What names it, for messages; None: the setting of a run.
        quiet: Whether nothing is said of damaged checkpoints that are passed over.

    Returns:
        The directory of a complete checkpoint, links resolved.

    Raises:
        UserError: There is none, and the message names those that exist nearby, newest first; or
            those of the directory are damaged.
    """
    setting = setting or ("resume_from_checkpoint" if resume else "eval_checkpoint")
    path = local_place(path, setting=setting)
    asked = working_directory / Path(path).expanduser()
    if not asked.is_dir() and CHECKPOINT.fullmatch(asked.name):
        give_names_back(asked.parent)
    if not asked.is_dir():
        if asked.is_file():
            raise UserError(
                f"A checkpoint is a directory, and this is a file: {path}",
                where=setting,
                fix=f"{setting}={os.path.relpath(asked.parent, working_directory)}",
            )
        raise _missing(f"There is no checkpoint {path}.", setting, asked, working_directory)
    asked = asked.resolve()
    for holder in (asked, model_directory_of(asked)):
        give_names_back(holder)
    if is_complete(asked) and not (resume and complete_checkpoints(asked)):
        return asked
    holders = [asked] if CHECKPOINT.fullmatch(asked.name) else [asked, model_directory_of(asked)]
    for holder in holders:
        if not resume and is_complete(holder):
            return holder.resolve()
        if (newest := _newest_of(holder, quiet=quiet)) is not None:
            return newest.resolve()
    if any((asked / name).exists() for name in (*MODEL_FILES, "trainer_state.json")):
        lost = lost_files(asked)
        detail = f"missing in it: {', '.join(lost)}" if lost else f"it has no list {SUMS}"
        raise _missing(
            f"{path} is not a complete checkpoint of Mynah: {detail}.",
            setting,
            asked,
            working_directory,
        )
    raise _missing(f"{path} holds no checkpoint.", setting, asked, working_directory)


def local_place(path: str, *, setting: str) -> str:
    """A path as it is; of an address of storage the folder here that it was fetched to.

    Raises:
        UserError: There is no model at the address, or it cannot be read.
    """
    if not is_address(path):
        return path
    from mynah.runs.stored import fetched_model

    return str(fetched_model(path, setting))


def checkpoint_or_plain(
    path: str, working_directory: Path, *, setting: str
) -> tuple[Path | None, str]:
    """The checkpoint that is meant, or None and the folder or hub name of a model as it is.

    Args:
        path: As typed, relative to ``working_directory`` where it is a path: a checkpoint, a
            run's directory, a folder of transformers or of CTranslate2, or a name of the hub.
        working_directory: Where the command was typed.
        setting: What names it, for messages.

    Raises:
        UserError: It is neither.
    """
    path = local_place(path, setting=setting)
    asked = working_directory / Path(path).expanduser()
    if not asked.exists() and _HUB_NAME.fullmatch(path) and not path.startswith("."):
        if asked.parent.is_dir() or path.startswith("outputs/"):  # a checkpoint that is not there
            return resolve_checkpoint(path, working_directory, setting=setting), path
        return None, path
    is_plain = (asked / "config.json").is_file() and not (asked / "config.yaml").is_file()
    if is_plain and not complete_checkpoints(asked) and not is_complete(asked):
        return None, str(asked)
    if (asked / "adapter_config.json").is_file() and not (asked / "config.json").is_file():
        raise UserError(
            f"{path} is an adapter alone: it has no config.json of its model.",
            where=f"{setting} {path}",
            fix="Name a checkpoint that a training of Mynah wrote, or merge the adapter with peft "
            "first (merge_and_unload) and name the folder that comes of it.",
        )
    return resolve_checkpoint(path, working_directory, setting=setting), path


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
        The checkpoint; None where ``auto`` finds nothing to resume from, and where a job of a sweep
        resumes itself and not one of its checkpoints is intact.

    Raises:
        UserError: There is none, and the setting is not ``auto``.
    """
    typed = config.resume_from_checkpoint
    assert typed is not None
    is_job = output_directory is not None and is_own_job(typed, working_directory, output_directory)
    if typed not in NEWEST and not is_job:
        return resolve_checkpoint(typed, working_directory, resume=True, quiet=quiet)
    kept: list[Path] = []
    if output_directory is not None:
        give_names_back(output_directory)
        kept = named_checkpoints(output_directory)
        own = _newest_intact(kept, quiet=quiet)
        if own is not None:
            return own.resolve()
        if is_job:
            return None
    try:
        return find_last(working_directory / "outputs", identity(config), quiet=quiet)
    except UserError:
        if typed == "auto":
            return None
        if kept:
            raise _not_one_intact(kept) from None
        raise


def is_own(asked: str, working_directory: Path, output_directory: Path) -> bool:
    """Whether what is resumed is the run itself, by its directory or that of its checkpoints.

    Args:
        asked: ``resume_from_checkpoint``.
        working_directory: Where the command was typed.
        output_directory: Where the run's checkpoints go.
    """
    if asked in NEWEST or is_address(asked):
        return False
    place = (working_directory / Path(asked).expanduser()).resolve()
    return output_directory.resolve() in (place, model_directory_of(place).resolve())


def is_own_job(asked: str, working_directory: Path, output_directory: Path) -> bool:
    """Whether a job of a sweep resumes itself, by its directory: its launcher asks for that, and
    not a person who would look at what is damaged. See :func:`is_own`."""
    if not is_own(asked, working_directory, output_directory):
        return False
    return (working_directory / Path(asked).expanduser() / JOB).is_file()


def find_last(outputs: Path, identity: dict[str, Any], *, quiet: bool = False) -> Path:
    """What ``resume_from_checkpoint=last`` means.

    Args:
        outputs: The folder of all runs.
        identity: Data, model and seed of the run about to start, as ``run.json`` holds them.
        quiet: Whether nothing is said of damaged checkpoints that are passed over.

    Returns:
        The newest intact checkpoint of the run with this identity that began, or was resumed,
        last.

    Raises:
        UserError: No such run, or none of them has an intact checkpoint.
    """
    candidates: list[tuple[Path, Path]] = []
    others: list[tuple[Path, Path, dict[str, Any]]] = []
    wanted = json.loads(json.dumps(identity))  # as it looks after a way through run.json
    for run in runs(outputs):
        written = read_record(run).get("identity")
        if written == wanted:
            give_names_back(model_directory_of(run))
        kept = named_checkpoints(model_directory_of(run))
        if not kept:
            continue
        if written == wanted:
            candidates += [(run, path) for path in kept]
        elif isinstance(written, dict) and (
            complete := [path for path in kept if is_complete(path)]
        ):
            others.append((run, complete[-1], written))
    candidates.sort(key=lambda found: recency(*found))
    newest = _newest_intact([path for _, path in candidates], quiet=quiet)
    if newest is not None:
        return newest.resolve()
    if candidates:
        raise _not_one_intact([path for _, path in candidates])
    if not others:
        raise UserError(
            "There is nothing to resume: no run here has an intact checkpoint.",
            where="resume_from_checkpoint=last",
            fix="leave resume_from_checkpoint away to start a new run",
        )
    _, nearest, written = max(others, key=lambda other: recency(*other[:2]))
    keys = dict.fromkeys([*wanted, *written])
    differing = [key for key in keys if wanted.get(key) != written.get(key)]
    raise UserError(
        "No run here has the same data, model and seed. "
        f"The newest one differs in: {', '.join(differing)}.",
        where="resume_from_checkpoint=last",
        fix=f"give that run's settings, or name its checkpoint: resume_from_checkpoint={nearest}",
    )


def _not_one_intact(oldest_first: list[Path]) -> UserError:
    """There are checkpoints to resume from, and all of them are damaged."""
    from mynah.checkpoints.commit import find_damage

    *older, newest = oldest_first
    more = f" {len(older)} before it are not intact either." if older else ""
    return UserError(
        f"{newest.name}, which would be resumed from, is not intact: {find_damage(newest)}.{more}",
        where=str(newest),
        fix="copy it again from where it is intact, or begin a new run: without "
        "resume_from_checkpoint, in a folder of its own",
    )


def give_names_back(model_directory: Path) -> None:
    """Give a checkpoint its name back that a killed training took, to write it again.

    A kill between the two renames of a commit leaves none under the name. Not where a training
    has the directory's lock: it is about to give the name itself.
    """
    from mynah.checkpoints import commit

    if commit.nameless(model_directory) and not is_locked(model_directory):
        with suppress(OSError):  # read-only, or another process was faster
            commit.give_names_back(model_directory)


def _newest_of(holder: Path, *, quiet: bool) -> Path | None:
    """The newest intact checkpoint of those in a directory; None: it holds no complete one.

    Raises:
        UserError: All that are complete are damaged; what is wrong with the newest is said.
    """
    from mynah.checkpoints.commit import verify

    complete = complete_checkpoints(holder)
    newest = _newest_intact(complete, quiet=quiet)
    if newest is None and complete:
        verify(complete[-1])
    return newest


def _newest_intact(oldest_first: list[Path], *, quiet: bool = True) -> Path | None:
    """The last one whose every byte is as its sums say."""
    from mynah.checkpoints.commit import find_damage

    for path in reversed(oldest_first):
        damage = find_damage(path)
        if damage is None:
            return path
        if not quiet:
            console.notice(f"{path} is skipped, for it is not intact: {damage}.")
    return None


def _nearby(asked: Path, working_directory: Path) -> list[Path]:
    """Complete checkpoints beside what was asked for and in ``outputs``, newest first."""
    outputs = working_directory / "outputs"
    holders = [asked.parent, asked, asked.parent / MODEL, working_directory, outputs / MODEL]
    holders += [model_directory_of(run) for run in runs(outputs)]
    holders += outputs.glob(f"*/*/{MODEL}")

    @functools.cache
    def owner_of(model: Path) -> Path | None:
        return run_directory_of(model, outputs)

    found: dict[Path, Path] = {}  # the real place -> the shortest way to say it
    for holder in holders:
        for checkpoint in complete_checkpoints(holder):
            found.setdefault(checkpoint.resolve(), checkpoint)
    newest = sorted(found, key=lambda real: recency(owner_of(real.parent), real), reverse=True)
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
