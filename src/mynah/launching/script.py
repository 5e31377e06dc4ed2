"""Scripts for sbatch: what a job asks for, and what it runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mynah.config.durations import parse_duration
from mynah.config.hydra.literal_paths import literal
from mynah.config.schema import LaunchConfig
from mynah.config.values import argument

EXITS = "job.exits"  # exit status and seconds of each attempt, a line each
_KEEP = f'echo "$status $SECONDS" >> "$directory/{EXITS}"'
_KEPT = (f"trap 'status=$?; {_KEEP}' ERR  # a line of the setup that fails",)
_END = (
    "status=0",
    'srun --kill-on-bad-exit=1 "$python" "${command[@]}" || status=$?',
    f"{_KEEP}  # for mynah jobs",
    'exit "$status"',
)


@dataclass(frozen=True)
class NodeCommand:
    """What one job runs.

    Attributes:
        words: The command behind the name of Python.
        run: The run's directory; None: not a training, which could be resumed.
        checkpoints: Where the run's checkpoints go.
        first: The override of the first start alone: what the command was typed to resume.
    """

    words: Sequence[str]
    run: Path | None = None
    checkpoints: Path | None = None
    first: str | None = None

    def of_mynah(self) -> NodeCommand:
        """The same with the words behind ``mynah``, which were behind ``-m mynah.cli``."""
        return replace(self, words=self.words[2:])


def processes_per_node(launch: LaunchConfig) -> int:
    """One a GPU, or one without GPUs, where nothing else is asked for."""
    return launch.processes_per_node or launch.gpus_per_node or 1


def sbatch_time(text: str) -> str:
    """A length of time as sbatch takes it: ``12h`` as ``0-12:00:00``."""
    total = round(parse_duration(text))
    days, rest = divmod(total, 86400)
    return f"{days}-{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"


def job_script(
    launch: LaunchConfig,
    command: NodeCommand,
    *,
    log: Path,
    working_directory: Path,
    typed: str,
    python: str,
    requeue: bool,
) -> str:
    """The script of one job.

    Args:
        launch: What the job gets.
        command: What it runs.
        log: Where it prints; a job that begins again adds to it.
        working_directory: Where the command was typed.
        typed: The command as it was typed, for whoever reads the script.
        python: The Python that submits.
        requeue: Whether it goes back into the queue when its time is up.
    """
    lines = [
        *_head(launch, log, typed, requeue=requeue),
        f"directory={shlex.quote(str(log.parent))}",
        *_command(command),
        "",
        *_KEPT,
        *_setup(launch, working_directory),
        f"python={shlex.quote(launch.python or python)}",
        *_END,
    ]
    return "\n".join(lines) + "\n"


def array_script(
    launch: LaunchConfig,
    commands: Mapping[int, NodeCommand],
    *,
    logs: Mapping[int, Path],
    log: Path,
    working_directory: Path,
    typed: str,
    python: str,
    requeue: bool,
) -> str:
    """The script of a sweep: one task a job, by the job's number.

    Args:
        launch: What each job gets.
        commands: What each runs.
        logs: Where each prints.
        log: Where is printed what comes before, with ``%a`` for the number.
        working_directory: Where the command was typed.
        typed: The command as it was typed.
        python: The Python that submits.
        requeue: Whether a job goes back into the queue when its time is up.
    """
    numbers = ",".join(map(str, commands))
    at_once = f"%{launch.at_once}" if launch.at_once else ""
    lines = [
        *_head(launch, log, typed, requeue=requeue, more=[f"--array={numbers}{at_once}"]),
        'case "$SLURM_ARRAY_TASK_ID" in',
    ]
    for number, command in commands.items():
        lines += [
            f"{number})",
            f"  directory={shlex.quote(str(logs[number].parent))}",
            *(f"  {line}" for line in _command(command)),
            "  ;;",
        ]
    lines += [
        "esac",
        "",
        f'exec >> "$directory/{logs[next(iter(logs))].name}" 2>&1',
        *_KEPT,
        *_setup(launch, working_directory),
        f"python={shlex.quote(launch.python or python)}",
        *_END,
    ]
    return "\n".join(lines) + "\n"


def table_script(
    launch: LaunchConfig, words: Sequence[str], *, log: Path, working_directory: Path, python: str
) -> str:
    """The script of the job that writes a sweep's table when all others have ended."""
    lines = [
        "#!/bin/bash",
        *_options(
            {
                "--job-name": f"{launch.name}-table",
                "--ntasks": 1,
                "--time": sbatch_time("30m"),
                **_where(launch),
                "--output": _file_pattern(log),
                "--open-mode": "append",
            }
        ),
        "",
        # Without set -e: what fails in the setup of its jobs is in the table.
        *_setup(launch, working_directory)[1:],
        shlex.join([launch.python or python, *words]),
    ]
    return "\n".join(lines) + "\n"


def _head(
    launch: LaunchConfig, log: Path, typed: str, *, requeue: bool, more: Sequence[str] = ()
) -> list[str]:
    gpus = launch.gpus_per_node
    asked: dict[str, object] = {
        "--job-name": launch.name,
        "--nodes": launch.nodes,
        "--ntasks-per-node": processes_per_node(launch),
        "--cpus-per-task": launch.cpus_per_process,
        "--gpus-per-node": f"{launch.gpu_type}:{gpus}" if launch.gpu_type else gpus or None,
        "--mem": launch.memory,
        "--time": sbatch_time(launch.time) if launch.time else None,
        **_where(launch),
        "--signal": f"USR1@{launch.warn_seconds}",
        "--output": _file_pattern(log),
        "--open-mode": "append",
    }
    return [
        "#!/bin/bash",
        *_options(asked),
        f"#SBATCH {'--requeue' if requeue else '--no-requeue'}",
        *(f"#SBATCH {option}" for option in [*more, *launch.options]),
        "",
        f"# {' '.join(typed.split())}",
        "",
    ]


def _where(launch: LaunchConfig) -> dict[str, object]:
    return {
        "--partition": launch.partition,
        "--account": launch.account,
        "--qos": launch.qos,
        "--constraint": launch.constraint,
    }


def _options(asked: Mapping[str, object]) -> list[str]:
    return [
        f"#SBATCH {name}={_quoted(str(value))}"
        for name, value in asked.items()
        if value is not None
    ]


def _quoted(text: str) -> str:
    """A value as sbatch reads it in a script: by quotes and backslashes as a shell does."""
    return text if all(c.isalnum() or c in "-_.,:/@%+=" for c in text) else shlex.quote(text)


def _file_pattern(path: Path) -> str:
    """A path as ``--output`` takes it, where % begins a number; ``%a`` of its name stays one."""
    return f"{str(path.parent).replace('%', '%%')}/{path.name}"


def _setup(launch: LaunchConfig, working_directory: Path) -> list[str]:
    return ["set -eE", f"cd {shlex.quote(str(working_directory))}", *launch.environment, ""]


def _command(command: NodeCommand) -> list[str]:
    """The lines that set the array ``command``; a training that begins again resumes itself."""
    lines = ["command=(", *(f"  {shlex.quote(word)}" for word in command.words), ")"]
    if command.run is None or command.checkpoints is None:
        return lines
    own = shlex.quote(argument("resume_from_checkpoint", literal(str(command.run))))
    kept = f"{shlex.quote(str(command.checkpoints))}/checkpoint-*"
    if command.first is None:
        return [
            *lines,
            "# A job that begins again resumes from its own newest checkpoint.",
            f"for kept in {kept}; do",
            f'  if [ -e "$kept" ]; then command+=({own}); fi',
            "  break",
            "done",
        ]
    return [
        *lines,
        "# What was typed is resumed first, and a job that begins again resumes itself.",
        f"resumed={shlex.quote(command.first)}",
        f"for kept in {kept}; do",
        f'  if [ -e "$kept" ] && [ "${{SLURM_RESTART_COUNT:-0}}" -gt 0 ]; then resumed={own}; fi',
        "  break",
        "done",
        'command+=("$resumed")',
    ]


def read_exits(directory: Path) -> list[tuple[int, int]]:
    """Exit status and seconds of each attempt of a job, as its script wrote them; an attempt that
    the cluster ended has none."""
    try:
        lines = [line.split() for line in (directory / EXITS).read_text("utf-8").splitlines()]
        return [(int(status), int(seconds)) for status, seconds in lines]
    except (OSError, ValueError):
        return []
