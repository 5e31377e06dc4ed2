"""Commands with ``launch=slurm`` or ``launch=ray``: what is checked here, and what the job runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.cli.shared.job import run_directory
from mynah.config.hydra.literal_paths import literal
from mynah.config.schema.launch import LOCAL, RAY, is_launch
from mynah.config.values import argument

if TYPE_CHECKING:
    from mynah.config.hydra.compose import Composed
    from mynah.config.schema import LaunchConfig
    from mynah.launching.script import NodeCommand
    from mynah.ranks.spread import Spread

_RESUME = "resume_from_checkpoint="


def submit_run(composed: Composed, arguments: Sequence[str], program: str) -> int | None:
    """Submit a training or an evaluation, whose settings are checked already.

    Args:
        composed: The settings.
        arguments: As typed.
        program: What was typed before them.

    Returns:
        Where this process is the job itself, on Ray, its exit status.

    Raises:
        UserError: A checkpoint or a place is wrong, or the job cannot be submitted.
    """
    if composed.config.launch.launcher == RAY:
        return _run_on_ray(composed, arguments)
    from mynah.launching.submit import Submission, check_submission, submit, typed_command

    check_submission(composed.config.launch)
    directory, command = _node_command(composed, arguments)
    submission = Submission(
        _what(composed),
        typed_command(program, arguments),
        composed.config.launch,
        composed.config.training.requeue,
        Path.cwd(),
    )
    submit(submission, command, directory)
    return None


def _what(composed: Composed) -> str:
    return "training" if composed.config.eval_checkpoint is None else "evaluation"


def _node_command(composed: Composed, arguments: Sequence[str]) -> tuple[Path, NodeCommand]:
    """The directory of a run, claimed, and what runs it."""
    from mynah.launching.command import config_flags, entry, on_node
    from mynah.launching.script import NodeCommand
    from mynah.runs.directory import MODEL

    config, here = composed.config, Path.cwd()
    directory, more = run_directory(composed)
    directory = (here / directory).absolute()
    typed = [text for text in composed.arguments if not text.startswith("hydra.run.dir=")]
    trains = config.eval_checkpoint is None
    resumed = [text for text in typed if text.lstrip("+").startswith(_RESUME)] if trains else []
    words = [
        *entry(),
        *config_flags(arguments),
        *on_node([text for text in typed if text not in resumed]),
        argument("hydra.run.dir", literal(str(directory))),
        *more,
    ]
    output = config.training.output_dir
    command = NodeCommand(
        words,
        run=directory if trains else None,
        checkpoints=here / output if output else directory / MODEL,
        first=resumed[-1] if resumed else None,
    )
    return directory, command


def _run_on_ray(composed: Composed, arguments: Sequence[str]) -> int | None:
    """Start the job of a run, or be it."""
    from mynah.launching.on_ray.job import check_job, run_job, start_job
    from mynah.launching.on_ray.place import job_directory

    config, here = composed.config, Path.cwd()
    own = job_directory()
    if own is None:
        check_job(config.launch)
        directory, _ = _node_command(composed, arguments)
        typed = [text for text in arguments if not text.startswith("hydra.run.dir=")]
        place = argument("hydra.run.dir", literal(str(directory)))
        start_job(_what(composed), config.launch, ["train", *typed, place], directory, here)
        return None
    _, command = _node_command(composed, arguments)
    trains = config.eval_checkpoint is None
    return run_job(
        config.launch,
        command.of_mynah(),
        own,
        here,
        config.training.gradient_accumulation_steps if trains else None,
    )


def check_sweep(composed: Composed) -> None:
    """Find what keeps a sweep from being submitted, before anything of it is written.

    Raises:
        UserError: There is no sbatch, or no such partition; or no Ray that answers, or one that has
            too little.
    """
    launch = composed.config.launch
    if launch.launcher == RAY:
        from mynah.launching.on_ray.job import check_job
        from mynah.launching.on_ray.place import job_directory

        if job_directory() is None:
            check_job(launch)
    elif launch.launcher != LOCAL:
        from mynah.launching.submit import check_submission

        check_submission(launch)


def submit_in_one_process(
    what: str, composed: Composed, command: Sequence[str], arguments: Sequence[str]
) -> bool:
    """Submit a command that runs in one process, and begins where it was stopped by itself.

    On Ray that process is the job, and gives its parts of work to others.

    Args:
        what: What it is: ``preparation`` or ``transcription``.
        composed: The settings.
        command: Its words behind ``mynah``.
        arguments: As typed behind those.

    Returns:
        Whether this process is that job already.

    Raises:
        UserError: The job cannot be submitted, or is to have several processes.
    """
    from mynah.runs.directory import claim

    config, here = composed.config, Path.cwd()
    wanted = here / str(composed.hydra.run.dir)
    if config.launch.launcher == RAY:
        from mynah.launching.on_ray.job import check_job, start_job
        from mynah.launching.on_ray.place import job_directory

        if job_directory() is not None:
            return True
        check_job(config.launch, spread=True)
        place = claim(wanted.parent, wanted.name)
        start_job(what, config.launch, [*command, *arguments], place, here)
        return False
    from mynah.launching.script import NodeCommand
    from mynah.launching.submit import Submission, check_submission, submit, typed_command

    check_submission(config.launch, one_process=f"A {what}")
    submission = Submission(
        what,
        typed_command(f"mynah {' '.join(command)}", arguments),
        config.launch,
        config.training.requeue,
        here,
    )
    kept = [text for text in arguments if not is_launch(text)]
    words = ["-m", "mynah.cli", *command, *kept]
    submit(submission, NodeCommand(words), claim(wanted.parent, wanted.name))
    return False


@contextmanager
def spread_of(launch: LaunchConfig, *, decodes_audio_alone: bool) -> Iterator[Spread | None]:
    """Where parts of work are done: on Ray, where this process is a job of it; None: here.

    Args:
        launch: The settings.
        decodes_audio_alone: Whether the work has no use for a GPU.

    Raises:
        UserError: Ray does not answer, or has too little.
    """
    if launch.launcher != RAY:
        yield None
        return
    from mynah.launching.on_ray.pieces import spread_over

    with spread_over(launch, decodes_audio_alone=decodes_audio_alone) as spread:
        yield spread
