"""What became of jobs: as SLURM or their process says, or as their runs wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mynah.config.schema.launch import RAY, SLURM
from mynah.launching import slurm
from mynah.launching.on_ray import process
from mynah.launching.on_ray.place import read_starts
from mynah.launching.records import JobRecord
from mynah.launching.script import read_exits
from mynah.launching.slurm import QueuedJob
from mynah.runs.record import read_record
from mynah.sweeps.processes import clock_time

WAITS_OR_RUNS = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED")
UNKNOWN = "unknown"
_ENDED = {0: "done", 130: "interrupted"}  # by exit status


@dataclass(frozen=True)
class ListedJob:
    """A job with its state.

    Attributes:
        record: As it was submitted.
        state: In lower case, as ``running``; of an array how many tasks are in which.
        elapsed: How long it has run; ``-`` where that is not known.
        reason: Why it waits; else empty.
        is_there: Whether it waits or runs.
    """

    record: JobRecord
    state: str
    elapsed: str
    reason: str
    is_there: bool


def listed(records: Sequence[JobRecord]) -> list[ListedJob]:
    """The state of each job."""
    of_slurm = [record.id for record in records if record.launcher == SLURM]
    found = slurm.states(of_slurm) if of_slurm else {}
    return [
        _on_ray(record) if record.launcher == RAY else _listed(record, found.get(record.id, []))
        for record in records
    ]


def _on_ray(record: JobRecord) -> ListedJob:
    """A job on Ray: as its process is, and as it wrote."""
    directory = Path(record.directory)
    exits = read_exits(directory)
    if exits:
        state = _ENDED.get(exits[-1][0], "failed")
        return ListedJob(record, state, clock_time(exits[-1][1]), "", False)
    if not (process.is_alive(record) or process.is_elsewhere(record)):
        return ListedJob(record, "killed", "-", "", False)
    where = f"on {record.machine}" if process.is_elsewhere(record) else ""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(record.submitted)).total_seconds()
    starts = read_starts(directory)
    state = "running"
    if not starts and record.what in ("training", "evaluation"):
        state = "pending"
    elif len(starts) > 1:
        state = f"running, start {len(starts)}"
    return ListedJob(record, state, clock_time(seconds), where, True)


def _listed(record: JobRecord, queued: Sequence[QueuedJob]) -> ListedJob:
    if not queued:
        return _as_written(record)
    counts = Counter(one.state.lower() for one in queued)
    state = (
        ", ".join(f"{number} {name}" for name, number in counts.items())
        if record.tasks
        else queued[-1].state.lower()
    )
    waits = [one for one in queued if one.state == "PENDING"]
    reason = waits[0].reason.strip("()") if waits else ""
    longest = max((one.elapsed for one in queued), key=lambda text: (len(text), text))
    is_there = any(one.state in WAITS_OR_RUNS for one in queued)
    return ListedJob(record, state, longest or "-", reason, is_there)


def _as_written(record: JobRecord) -> ListedJob:
    """What the runs themselves wrote."""
    places = [Path(place) for place in list(record.tasks.values()) or [record.directory]]
    if record.follows is not None:
        written = (places[0] / "sweep.csv").is_file()
        return ListedJob(record, "done" if written else UNKNOWN, "-", "", False)
    counts = Counter(map(_state_written, places))
    if record.tasks:
        state = ", ".join(f"{number} {name}" for name, number in counts.items())
        return ListedJob(record, state, "-", "", False)
    exits = read_exits(places[0])
    elapsed = clock_time(sum(seconds for _, seconds in exits)) if exits else "-"
    return ListedJob(record, next(iter(counts)), elapsed, "", False)


def _state_written(directory: Path) -> str:
    exits = read_exits(directory)
    if exits:
        return _ENDED.get(exits[-1][0], "failed")
    return str(read_record(directory).get("status") or UNKNOWN)
