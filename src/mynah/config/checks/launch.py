"""What a job on a cluster is asked for, as far as it shows without the cluster."""

from __future__ import annotations

import re

from mynah.config.checks.checker import Checker
from mynah.config.durations import parse_duration
from mynah.config.schema import LaunchConfig
from mynah.config.schema.launch import RAY, SLURM
from mynah.config.settings import in_section

_OF_SLURM = ("time", "partition", "account", "qos", "constraint", "options", "warn_seconds")
_OF_RAY = ("address", "least_processes", "retries", "grow_seconds")
_MEMORY = re.compile(r"\d+[KMGT]?", re.IGNORECASE)
# Options of sbatch that a setting, or the command itself, already gives.
_OWN = {
    "--account": "launch.account",
    "--array": "-m",
    "--chdir": "the folder where the command is typed",
    "--constraint": "launch.constraint",
    "--cpus-per-task": "launch.cpus_per_process",
    "--dependency": "the command itself",
    "--gpus-per-node": "launch.gpus_per_node",
    "--job-name": "launch.name",
    "--mem": "launch.memory",
    "--nodes": "launch.nodes",
    "--ntasks-per-node": "launch.processes_per_node",
    "--open-mode": "the command itself",
    "--output": "hydra.run.dir",
    "--partition": "launch.partition",
    "--qos": "launch.qos",
    "--requeue": "training.requeue",
    "--signal": "launch.warn_seconds",
    "--time": "launch.time",
    "--wrap": "the command itself",
}


def check_launch(checker: Checker) -> None:
    """Report times, sizes and options that sbatch would not understand."""
    launch = checker.config.launch
    if launch.time is not None:
        try:
            seconds = parse_duration(launch.time)
        except ValueError as problem:
            checker.wrong(
                "launch.time",
                f"launch.time: {problem}. Write 90m, 12h, or '1-12:00:00' in quotes.",
                "launch.time=12h",
            )
        else:
            if seconds <= launch.warn_seconds:
                checker.wrong(
                    "launch.time",
                    f"launch.time is {seconds:g} s, and the job is warned {launch.warn_seconds} s "
                    "before its end (launch.warn_seconds): nothing would be done.",
                    f"launch.time={-(-launch.warn_seconds // 60) * 2}m",
                )
    if launch.memory is not None and not _MEMORY.fullmatch(launch.memory):
        checker.wrong(
            "launch.memory",
            f"{launch.memory!r} is not a size of memory: write a number with M, G or T.",
            "launch.memory=64G",
        )
    if launch.gpu_type is not None and launch.launcher != RAY and not launch.gpus_per_node:
        checker.wrong(
            "launch.gpu_type",
            "launch.gpu_type names a GPU, and launch.gpus_per_node asks for none.",
            remove=True,
        )
    for option in launch.options:
        _check_option(checker, option)
    _check_lines(checker)
    _check_launcher(checker)


def _check_launcher(checker: Checker) -> None:
    """Report what the launcher would not heed."""
    launch = checker.config.launch
    others = {SLURM: _OF_RAY, RAY: _OF_SLURM}.get(launch.launcher, ())
    default = LaunchConfig()
    for name in others:
        if getattr(launch, name) != getattr(default, name):
            its = "SLURM's" if launch.launcher == RAY else "Ray's"
            checker.wrong(
                f"launch.{name}",
                f"launch.{name} is {its}, and has no effect with launch={launch.launcher}.",
                remove=True,
            )
    total = launch.nodes * (launch.processes_per_node or launch.gpus_per_node or 1)
    if launch.least_processes is not None and launch.least_processes > total:
        checker.wrong(
            "launch.least_processes",
            f"launch.least_processes={launch.least_processes}, and the job has {total}.",
            f"launch.least_processes={total}",
        )


def _check_option(checker: Checker, option: str) -> None:
    name = option.partition("=")[0]
    if not name.startswith("--") or " " in name:
        checker.wrong(
            "launch.options",
            f"{option!r} is not an option of sbatch as a script has it: --NAME or --NAME=VALUE.",
            'launch.options=["--exclude=node7"]',
        )
    elif name in _OWN:
        checker.wrong("launch.options", f"{name} is given by {_OWN[name]}.", remove=True)


def _check_lines(checker: Checker) -> None:
    """Report line breaks: in a script for sbatch they begin another line."""
    for name in in_section("launch"):
        value = checker.value(name)
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and re.search(r"[\n\r\0]", text):
                checker.wrong(name, f"{name} holds a line break.", remove=True)
