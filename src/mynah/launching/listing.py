"""What became of submitted jobs: as SLURM says, or as their runs wrote where it has forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mynah.launching import slurm
from mynah.launching.records import JobRecord
from mynah.launching.script import read_exits
from mynah.launching.slurm import QueuedJob
from mynah.runs.record import read_record
from mynah.sweeps.processes import clock_time

WAITS_OR_RUNS = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED")
UNKNOWN = "unknown"


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
    found = slurm.states([record.id for record in records])
    return [_listed(record, found.get(record.id, [])) for record in records]


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
        return {0: "done", 130: "interrupted"}.get(exits[-1][0], "failed")
    return str(read_record(directory).get("status") or UNKNOWN)
