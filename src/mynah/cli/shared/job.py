"""One job: the directory it runs in, and the settings that go to ``mynah.run.run``."""

from __future__ import annotations

import logging
import shlex
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.cli.shared.exit_status import exit_status
from mynah.config.hydra.compose import Composed, compose, to_config
from mynah.config.hydra.literal_paths import literal
from mynah.config.values import argument
from mynah.distributed import is_first_rank
from mynah.errors import UserError, is_utf_8
from mynah.files import display_path
from mynah.storage.address import is_address

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from mynah.config.schema import Config
    from mynah.run import Run


def run_overrides(composed: Composed) -> list[str]:
    """Hydra's settings of one run: its own directory; none on the ranks behind the first.

    Whatever makes the run impossible and can be seen without loading anything is found
    before the directory is claimed.

    Raises:
        UserError: A checkpoint is missing, broken or contradicted, the output directory holds
            another run, or no directory can be made.
    """
    if not is_first_rank():
        return [
            "hydra.run.dir=.",
            "hydra.output_subdir=null",
            "hydra/job_logging=none",
            "hydra/hydra_logging=none",
        ]
    if _typed_directory(composed) is not None:
        _check_places(composed, _typed_directory(composed))
        return []
    directory, more = run_directory(composed)
    return [argument("hydra.run.dir", literal(str(directory))), *more]


def run_directory(composed: Composed) -> tuple[Path, list[str]]:
    """The directory of the run about to start, and Hydra's further settings of it.

    A run that is resumed keeps its own, what was typed is taken, and a new one is claimed; before
    that everything is found that :func:`run_overrides` finds.

    Raises:
        UserError: See :func:`run_overrides`.
    """
    from mynah.runs import directory as runs_directory

    typed = _typed_directory(composed)
    resumed = _check_places(composed, typed)
    if resumed is not None or typed is not None:
        now = datetime.now().strftime("%Y-%m-%d-%H-%M-%S")
        more = [] if resumed is None else [f"hydra.output_subdir=.hydra/resumed-{now}"]
        return typed or resumed or Path(), more
    wanted = Path(str(composed.hydra.run.dir))
    return runs_directory.claim(wanted.parent, wanted.name), []


def _typed_directory(composed: Composed) -> Path | None:
    """``hydra.run.dir`` where it was typed."""
    is_typed = any(text.startswith("hydra.run.dir=") for text in composed.hydra.overrides.hydra)
    return Path(composed.hydra.run.dir) if is_typed else None


def check_names(output: str | None) -> None:
    """See that the names of the folders that a run writes to can be worked with.

    Args:
        output: ``training.output_dir``.

    Raises:
        UserError: It cannot be written as text.
    """
    for path, what in ((str(Path.cwd()), "this folder"), (output or "", "training.output_dir")):
        if not is_utf_8(path):
            raise UserError(
                f"The path of {what} is not UTF-8, and no model can be saved there.",
                where=path,
                fix="rename the folder (convmv -f latin1 -t utf8), or use another one",
            )


def _check_places(composed: Composed, directory: Path | None) -> Path | None:
    """Check checkpoints and output directory; the directory of the run that is resumed, if any.

    Args:
        composed: The configuration.
        directory: The run's directory where it is settled already.
    """
    from mynah.checkpoints import find
    from mynah.checkpoints.commit import verify
    from mynah.config.checkpointed import checkpoint_config, plain_config, with_absolute_paths
    from mynah.runs import directory as runs_directory

    here = Path.cwd()
    config = with_absolute_paths(composed.config, here)
    if directory is not None:
        _check_holds_no_other(here / directory, config)
    if config.eval_checkpoint is not None:
        checkpoint, plain = find.checkpoint_or_plain(
            config.eval_checkpoint, here, setting="eval_checkpoint"
        )
        if checkpoint is None:
            plain_config(plain, config, composed.origins)
            return None
        verify(checkpoint)
        checkpoint_config(checkpoint, config, composed.origins)
        return None
    output = Path(config.training.output_dir) if config.training.output_dir else None
    resume, resumes_itself = None, False
    asked = config.resume_from_checkpoint
    if asked is not None and not is_address(asked):
        own = output or (here / directory / runs_directory.MODEL if directory else None)
        resumes_itself = own is not None and find.is_own(asked, here, own)
        try:
            resume = find.resolve_resume(
                config, working_directory=here, output_directory=own, quiet=True
            )
        except UserError:
            # On a new machine all that there is lies in the mirror, and what is damaged here may
            # be intact there.
            in_mirror = asked in find.NEWEST or resumes_itself
            if config.training.mirror is None or not in_mirror:
                raise
    if resume is not None:
        verify(resume)
    if output is not None:
        if resume is not None or not resumes_itself:  # else it sees to what is there itself
            runs_directory.check_output_directory(output, resume=resume)
        runs_directory.check_writable(output)
    resumed = runs_directory.run_directory_of(resume, here / "outputs") if resume else None
    if resumed is not None:
        runs_directory.check_writable(resumed)
        runs_directory.check_writable(runs_directory.model_directory_of(resumed))
    return resumed


def _check_holds_no_other(run: Path, config: Config) -> None:
    """See that a run's directory that was typed is not that of a training, but to resume one:
    Hydra would replace its settings before the run itself is refused, and a measurement its record
    and report.

    Raises:
        UserError: It is.
    """
    from mynah.runs import directory as runs_directory
    from mynah.runs.record import read_record

    model = run / runs_directory.MODEL
    kept = runs_directory.complete_checkpoints(model)
    resume = ""
    if config.eval_checkpoint is not None:
        if read_record(run).get("kind") != "training" or not kept:
            return
    elif config.resume_from_checkpoint is not None or config.training.output_dir is not None:
        return
    else:
        try:
            runs_directory.check_output_directory(model, resume=None)
            return
        except UserError:
            if kept:
                again = shlex.quote(argument("resume_from_checkpoint", display_path(run)))
                resume = f"resume it: {again}\n         or "
    raise UserError(
        "hydra.run.dir holds another run; nothing in it was touched.",
        where=f"hydra.run.dir={display_path(run)}",
        fix=f"{resume}leave hydra.run.dir away: every run gets a directory of its own",
    )


def run_job(config: DictConfig) -> Any:
    """What Hydra calls for one job: its settings, typed and checked, go to ``mynah.run.run``.

    A run by itself leaves with its exit status, its message shown; a job of a sweep raises,
    so that its launcher knows.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    logging.raiseExceptions = False  # a log on a full disk is not a reason to print tracebacks
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return run_composed(config)
    status = exit_status(
        lambda: run_composed(config), requeues=lambda: _composed().config.training.requeue
    )
    if status:
        raise SystemExit(status)
    return None


def run_composed(config: DictConfig) -> Run:
    """The run of the settings that Hydra composed, in the directory that it made.

    Raises:
        UserError: Anything that is the user's to fix.
    """
    from hydra.core.hydra_config import HydraConfig

    hydra = HydraConfig.get()
    origins = _composed().origins
    from mynah.run import run

    return run(
        to_config(config, origins),
        origins=origins,
        run_directory=Path(hydra.runtime.output_dir),
        working_directory=Path(hydra.runtime.cwd),
    )


def _composed() -> Composed:
    """What Hydra's run was composed of, composed again with where each setting comes from."""
    from hydra.core.hydra_config import HydraConfig

    hydra = HydraConfig.get()
    directories = [Path(s.path) for s in hydra.runtime.config_sources if s.schema == "file"]
    return compose(
        list(hydra.overrides.task),
        directories=directories,
        config_name=str(hydra.job.config_name),
    )
