"""SLURM's own commands, called and understood: sbatch, sinfo, squeue, sacct, scancel."""

from __future__ import annotations

import difflib
import getpass
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mynah.config.schema import LaunchConfig
from mynah.errors import UserError

_SECONDS = 60  # one command may take
_SHOWN_LINES = 3
_NODES = 'sinfo -o "%P %D %c %m %G %l"  shows partitions, nodes, cores, memory, GPUs and limits'
# What sbatch says, in lower case; the setting that is to blame; how to fix it.
_REFUSALS = (
    (r"invalid account", "launch.account", "sacctmgr show associations user=$USER  lists yours"),
    (r"invalid qos", "launch.qos", "sacctmgr show associations user=$USER format=qos  lists yours"),
    (r"partition", "launch.partition", "sinfo -s  lists the partitions"),
    (r"gres|gpu|tres", "launch.gpus_per_node", _NODES),
    (r"time limit", "launch.time", _NODES),
    (r"memory", "launch.memory", _NODES),
    (r"invalid feature", "launch.constraint", 'sinfo -o "%N %f"  lists the features of nodes'),
    (r"node count|node configuration|nodes", "launch.nodes", _NODES),
    (r"cpu|task", "launch.cpus_per_process", _NODES),
    (r"unrecognized option|invalid option", "launch.options", "sbatch --help  lists the options"),
    (
        r"unable to contact|socket timed out|connection refused",
        "the cluster's controller",
        "scontrol ping  says whether it answers; ask whoever runs the cluster",
    ),
)


@dataclass(frozen=True)
class QueuedJob:
    """What SLURM knows of a job, or of one task of an array.

    Attributes:
        id: As ``4711`` or ``4711_2``.
        state: SLURM's word, as ``RUNNING``.
        elapsed: How long it has run, as ``1-02:03:04``.
        reason: Why it waits, or where it runs; may be empty.
    """

    id: str
    state: str
    elapsed: str
    reason: str = ""


def check_cluster(launch: LaunchConfig) -> None:
    """See that jobs can be submitted here, and that the partition is there.

    Raises:
        UserError: There is no sbatch, or no such partition.
    """
    if shutil.which("sbatch") is None:
        raise UserError(
            "Jobs of SLURM are submitted with sbatch, and there is none on this machine's PATH.",
            where="launch=slurm",
            fix="type the command on the cluster's login node (module load slurm, where it is a "
            "module), or leave launch=slurm out",
        )
    if launch.partition is None:
        return
    known = partitions()
    for name in launch.partition.split(","):
        if not known or name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1)
        shown = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
        raise UserError(
            f"The cluster has no partition {name}; there are: {shown}.",
            where=f"launch.partition={launch.partition}",
            fix=f"launch.partition={near[0] if near else known[0]}",
        )


def partitions() -> list[str]:
    """The names of the cluster's partitions; empty where sinfo does not say."""
    answer = _call(["sinfo", "--noheader", "--format=%R"])
    if answer is None or answer.returncode != 0:
        return []
    return list(dict.fromkeys(answer.stdout.split()))


def submit(script: Path, *options: str) -> str:
    """Submit a script.

    Args:
        script: What to submit.
        options: More of sbatch's options.

    Returns:
        The job's number.

    Raises:
        UserError: sbatch refuses it, with sbatch's own words.
    """
    answer = _call(["sbatch", "--parsable", *options, str(script)], cwd=script.parent)
    if answer is None:
        raise UserError(
            f"sbatch did not answer within {_SECONDS} seconds, or cannot be run.",
            where=str(script),
            fix=f"scontrol ping  says whether the cluster answers; then: sbatch {script}",
        )
    if answer.returncode != 0:
        raise refusal(answer.stderr or answer.stdout)
    # "4711" or "4711;cluster"; sites' plug-ins may print lines before it.
    number = answer.stdout.split()[-1].partition(";")[0] if answer.stdout.split() else ""
    if not number.isdigit():
        raise UserError(
            "sbatch gave no job number.",
            where=f"sbatch: {answer.stdout.strip()[:200]}",
            fix="squeue --me  shows whether the job is there",
        )
    return number


def refusal(said: str) -> UserError:
    """What sbatch says when it refuses a job, as an error of ours."""
    lines = [
        re.sub(r"^sbatch: (?:error: )?", "", line).strip()
        for line in said.splitlines()
        if line.strip()
    ]
    text = "; ".join(dict.fromkeys(lines[:_SHOWN_LINES])) or "it gave no reason"
    for pattern, setting, fix in _REFUSALS:
        if re.search(pattern, text.lower()):
            return UserError(f"sbatch refuses the job: {text}", where=setting, fix=fix)
    return UserError(
        f"sbatch refuses the job: {text}", where="launch=slurm", fix="man sbatch; man squeue"
    )


def cancel(*numbers: str) -> None:
    """Cancel jobs, or tasks of arrays.

    Raises:
        UserError: scancel fails, or there is none here.
    """
    answer = _call(["scancel", *numbers])
    if answer is None or answer.returncode != 0:
        reason = "there is no scancel here" if answer is None else answer.stderr.strip()
        raise UserError(
            f"The job could not be cancelled: {reason}",
            where=f"scancel {' '.join(numbers)}",
            fix="type it on the cluster's login node",
        )


def states(numbers: Sequence[str]) -> dict[str, list[QueuedJob]]:
    """What the queue and the accounting know of jobs, by number; an array has its tasks.

    Where there is no SLURM, or it has forgotten a job, nothing is known of it.
    """
    found: dict[str, list[QueuedJob]] = {}
    queue = _call(
        ["squeue", "--noheader", "--array", "--states=all", f"--user={getpass.getuser()}",
         "--format=%F|%i|%T|%M|%R"]
    )  # fmt: skip
    for line in queue.stdout.splitlines() if queue and queue.returncode == 0 else ():
        base, name, state, elapsed, reason = (*line.strip().split("|", 4), "", "", "", "")[:5]
        found.setdefault(base, []).append(QueuedJob(name, state, elapsed, reason))
    missing = [number for number in numbers if number not in found]
    if missing:
        ended = _call(
            ["sacct", "--noheader", "--allocations", "--parsable2", "--array",
             f"--jobs={','.join(missing)}", "--format=JobID,State,Elapsed"]
        )  # fmt: skip
        for line in ended.stdout.splitlines() if ended and ended.returncode == 0 else ():
            name, state, elapsed = (*line.strip().split("|"), "", "")[:3]
            if state:
                # "CANCELLED by 1000"
                one = QueuedJob(name, state.split()[0], elapsed)
                found.setdefault(name.partition("_")[0], []).append(one)
    return {number: found[number] for number in numbers if number in found}


def _call(words: Sequence[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str] | None:
    """One of SLURM's commands; None where there is none, or it does not answer."""
    if shutil.which(words[0]) is None:
        return None
    try:
        return subprocess.run(
            list(words),
            cwd=cwd,
            env=_outside_of_a_job(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def _outside_of_a_job() -> dict[str, str]:
    """The environment without what SLURM says of the job that this is typed in, as an interactive
    one: the new job would take it for its own."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SLURM_") or name == "SLURM_CONF"
    }
