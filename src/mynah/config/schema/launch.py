"""Settings of ``launch``: where a command runs, here or as a job of a cluster.

None of them decides what is learned or measured: a run that another launcher resumes is the same
run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mynah.config.schema.nature import Nature
from mynah.config.schema.setting import setting

LOCAL, SLURM, RAY = "local", "slurm", "ray"
_OVERRIDE = re.compile(r"[+~]*launch(?:[.=@].*)?", re.DOTALL)


def is_launch(override: str) -> bool:
    """Whether an override is of the group ``launch`` or of a setting in it."""
    return _OVERRIDE.fullmatch(override) is not None


@dataclass
class LaunchConfig:
    """Where a command runs, and what its job gets there."""

    launcher: str = setting(
        LOCAL,
        "local: here, until it ends; slurm: as a job submitted with sbatch; ray: as a job on a "
        "Ray cluster. With slurm and ray the command returns at once.",
        nature=Nature.RUN,
        choices=(LOCAL, SLURM, RAY),
    )
    address: str | None = setting(
        None,
        "Address of Ray, e.g. head:6379; auto: the cluster that this machine is a node of; null: "
        "$RAY_ADDRESS, or else a Ray on this machine alone that ends with the job.",
        nature=Nature.RUN,
    )
    nodes: int = setting(1, "Machines of a job.", nature=Nature.RUN, unit="nodes", minimum=1)
    gpus_per_node: int | None = setting(
        None,
        "GPUs per node; 0: none; null: none are requested, except on Ray: one per process if it "
        "has any.",
        nature=Nature.RUN,
        unit="GPUs",
        minimum=0,
    )
    gpu_type: str | None = setting(
        None, "Type of GPU, e.g. a100, where a cluster has several.", nature=Nature.RUN
    )
    processes_per_node: int | None = setting(
        None,
        "Processes that train or evaluate on each node; null: one per GPU, or one without GPUs.",
        nature=Nature.RUN,
        unit="processes",
        minimum=1,
    )
    least_processes: int | None = setting(
        None,
        "The fewest processes with which a training on Ray continues after losing others; the "
        "size of a step does not change. null: it waits until all are back.",
        nature=Nature.RUN,
        unit="processes",
        minimum=1,
    )
    cpus_per_process: int | None = setting(
        None,
        "Cores per process, including its data workers; null: what SLURM gives; on Ray, one.",
        nature=Nature.RUN,
        unit="cores",
        minimum=1,
    )
    memory: str | None = setting(
        None, "Memory of each node, as 64G; null: what the partition gives.", nature=Nature.RUN
    )
    time: str | None = setting(
        None,
        "Time limit of a job, e.g. 90m, 12h or '1-12:00:00'; null: the partition's limit.",
        nature=Nature.RUN,
    )
    partition: str | None = setting(
        None, "The partition, or several with commas; null: the default.", nature=Nature.RUN
    )
    account: str | None = setting(
        None, "The account that pays; null: the user's default.", nature=Nature.RUN
    )
    qos: str | None = setting(None, "The quality of service.", nature=Nature.RUN)
    constraint: str | None = setting(
        None, "Features that each node must have, as 'a100&nvlink'.", nature=Nature.RUN
    )
    options: list[str] = setting(
        [],
        'Further options of sbatch, as ["--exclude=node7", "--mail-type=FAIL"].',
        nature=Nature.RUN,
    )
    name: str = setting("mynah", "The job's name in the queue.", nature=Nature.RUN)
    environment: list[str] = setting(
        [],
        'Shell commands that a job runs first, e.g. ["module load cuda"]; if one fails, the job '
        "ends.",
        nature=Nature.RUN,
    )
    python: str | None = setting(
        None,
        "The Python of the nodes; null: the one that submits; on Ray, the one its nodes run.",
        nature=Nature.RUN,
    )
    warn_seconds: int = setting(
        300,
        "How long before its time limit a job is warned: it saves, stops, goes back into the "
        "queue (training.requeue) and resumes.",
        nature=Nature.RUN,
        unit="seconds",
        minimum=30,
    )
    at_once: int | None = setting(
        None,
        "Jobs of a sweep, and on Ray parts of a preparation or a transcription, that run at the "
        "same time; null: as many as there is room for.",
        nature=Nature.RUN,
        unit="jobs",
        minimum=1,
    )
    retries: int = setting(
        3,
        "How often Ray restarts a training from its last checkpoint, or a part of a preparation "
        "or a transcription, after losing a process or a node.",
        nature=Nature.RUN,
        unit="times",
        minimum=0,
    )
    grow_seconds: int = setting(
        60,
        "How often a training that continues with fewer processes checks whether Ray has room for "
        "more again; growing costs the steps since the last checkpoint.",
        nature=Nature.RUN,
        unit="seconds",
        minimum=1,
    )
