"""What a training needs to know of SLURM: when its job ends, and how it begins again."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

from mynah import console, distributed

TIME_LIMIT = "the time limit of the SLURM job"
_COMMAND_SECONDS = 60


def slurm_job() -> str | None:
    """The id of the SLURM job this process runs in, or None. Of an array, the task's own."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    if array and os.environ.get("SLURM_ARRAY_TASK_ID"):
        return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return os.environ.get("SLURM_JOB_ID")


def seconds_left() -> float | None:
    """Until this job's time limit, where SLURM says it (22.05 and later); else None."""
    if slurm_job() is None:
        return None
    try:
        return max(float(os.environ["SLURM_JOB_END_TIME"]) - time.time(), 0.0)
    except (KeyError, ValueError):
        return None


def may_requeue(stopped_by: str | None) -> bool:
    """Whether this process is the one to requeue a job that was stopped for this reason.

    Only what SLURM does not do by itself: a pre-empted job, which gets SIGTERM, it requeues, and
    one that was cancelled, which gets SIGTERM too, is to stay away.
    """
    of_time = stopped_by in ("SIGUSR1", TIME_LIMIT, "training.max_time")
    return slurm_job() is not None and of_time and distributed.rank() == 0


def requeue() -> bool:
    """Put this job back into the queue; it begins again from the top of its script.

    Returns:
        Whether SLURM took it; where it did not, that is said.
    """
    number = slurm_job()
    command = shutil.which("scontrol")
    if number is None or command is None:
        return False
    try:
        done = subprocess.run(
            [command, "requeue", number],
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        problem = done.stderr.strip() if done.returncode else None
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    if problem is not None:
        console.notice(f"SLURM did not requeue job {number}: {problem}")
        return False
    console.say(
        f"Job {number} is back in the queue and resumes from its checkpoint, if there is one."
    )
    return True
