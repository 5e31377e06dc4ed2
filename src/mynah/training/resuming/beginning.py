"""Where a training begins: what it resumes from, here or in storage, and what mirrors it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mynah import console, distributed
from mynah.checkpoints import commit, find
from mynah.checkpoints.fetch import fetch
from mynah.checkpoints.mirror import Mirror
from mynah.checkpoints.set_aside import set_damaged_aside
from mynah.config.best_metric import keeps_best
from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.files import display_path, read_json
from mynah.models.patches.chat_templates import try_saved
from mynah.runs import directory as runs_directory
from mynah.runs import stored
from mynah.runs.record import identity
from mynah.runs.stored import StoredCheckpoint
from mynah.storage.address import is_address, join
from mynah.storage.store import Store
from mynah.training.resuming.resume import ABOUT_NAME


@contextmanager
def mirrored(config: Config, run: Path, output: Path) -> Iterator[Mirror | None]:
    """What copies this run to ``training.mirror``; None where nothing does, and on other ranks.

    Checkpoints that lie there already are brought here where the run may resume. A job of a sweep
    has a folder of its own there.

    Raises:
        UserError: It cannot be written there, or another run lies there.
    """
    address = config.training.mirror
    if address is None:
        yield None
        return
    is_job = (run / runs_directory.JOB).is_file()  # wherever its sweep lies
    place = join(address, run.name) if is_job else address
    mirror = Mirror(Store(place, setting="training.mirror"), run, output)

    def begin() -> None:
        mirror.check(identity(config), resumes=config.resume_from_checkpoint is not None)
        if config.resume_from_checkpoint in find.NEWEST:
            mirror.restore()

    distributed.on_first(begin)
    try:
        yield mirror if distributed.is_first_rank() else None
    except BaseException:
        mirror.stopped()
        raise
    finally:
        mirror.close()


def checkpoint_to_resume(
    config: Config, working: Path, output: Path, mirror: Mirror | None = None
) -> Path | None:
    """The checkpoint that the training resumes from, intact; None: it begins.

    Args:
        config: The settings.
        working: Where the command was typed.
        output: Where the training's checkpoints go.
        mirror: What is to copy them; the checkpoints that lie there are brought here too, for
            what is not here is removed there. None: nothing does, and on other ranks.

    Raises:
        UserError: There is none, it is not intact, or ``output`` holds another run.
    """
    resume: Path | None = None
    asked = config.resume_from_checkpoint
    here: bool = asked in find.NEWEST  # then :func:`mirrored` has brought everything here

    def restore() -> None:
        if mirror is not None:
            mirror.restore()

    def restore_named() -> bool:
        if own := find.is_own(str(asked), working, output):
            restore()
        return own

    if asked is not None and not here:  # the newest of a run may be in its mirror alone
        here = distributed.on_first(restore_named)
    if asked is not None:
        resume = distributed.on_first(_finder(config, asked, working, output))
        if resume is None:
            if find.is_own_job(asked, working, output):
                distributed.on_first(functools.partial(_set_damaged_aside, output))
            console.say("There is nothing to resume yet: this is a new run.")
    if resume is not None:
        commit.verify(resume)  # before hours may go into preparing data
        distributed.on_first(functools.partial(try_saved, resume))
        console.say(f"Resuming from {resume}")
    runs_directory.check_output_directory(output, resume=resume)
    if resume is not None and not here:
        distributed.on_first(restore)
    return resume


def _set_damaged_aside(output: Path) -> None:
    """Let a job of a sweep begin again where not one of its checkpoints is intact, and say it."""
    if damaged := set_damaged_aside(output):
        console.notice(
            "Not one of this job's checkpoints is intact, so it begins again; they are kept in "
            f"{display_path(damaged[0].parent)}: {', '.join(path.name for path in damaged)}."
        )


def _finder(config: Config, asked: str, working: Path, output: Path) -> Callable[[], Path | None]:
    if is_address(asked):
        return lambda: _fetched(config, asked, output)
    return lambda: find.resolve_resume(config, working_directory=working, output_directory=output)


def _fetched(config: Config, address: str, output: Path) -> Path:
    """A checkpoint in storage, fetched to where this training's own ones go; the best one too."""
    found = stored.newest_in(Store(address, setting="resume_from_checkpoint"))
    final = output / found.name
    if commit.step_of(final) is None:
        raise UserError(
            "Training resumes from a checkpoint-N, and this is a model without its training state.",
            where=f"resume_from_checkpoint={address}",
            fix="name one of its checkpoints; to fine-tune this model instead, set "
            "model.pretrained to it",
        )
    if not commit.is_intact(final) and not fetch(found, final):
        raise UserError(
            "The checkpoint is not intact in the storage.",
            where=f"resume_from_checkpoint={address}",
            fix="name another checkpoint",
        )
    if keeps_best(config):
        _fetch_best(found, final)
    return final.resolve()


def _fetch_best(resumed: StoredCheckpoint, final: Path) -> None:
    """Fetch the best checkpoint so far, where that is another one than is resumed from.

    What it knows of it may be anybody's. Where it cannot be had that is said, and the best of
    what is here counts once the training begins.

    Args:
        resumed: The checkpoint that is resumed from.
        final: The same, here.
    """
    best = read_json(final / ABOUT_NAME).get("best")
    step = best.get("step") if isinstance(best, dict) else None
    if type(step) is not int or step <= 0:
        return
    target = commit.checkpoint_path(final.parent, step)
    if commit.is_intact(target):
        return
    try:
        fetch(stored.beside(resumed, target.name), target)
    except UserError as problem:
        console.notice(f"{target.name}, the best so far, cannot be fetched: {problem.what}")
