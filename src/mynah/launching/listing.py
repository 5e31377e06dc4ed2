"""What became of submitted jobs: as SLURM says, or as their runs wrote where it has forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mynah.launching import slurm
from mynah.launching.records import JobRecord
from mynah.launching.slurm import QueuedJob
from mynah.runs.record import read_record

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
    places = list(record.tasks.values()) or [record.directory]
    written = [read_record(Path(place)) for place in places]
    counts = Counter(str(one.get("status") or UNKNOWN) for one in written)
    if record.tasks:
        state = ", ".join(f"{number} {name}" for name, number in counts.items())
        return ListedJob(record, state, "-", "", False)
    return ListedJob(record, next(iter(counts)), _elapsed(written[0]), "", False)


def _elapsed(written: dict[str, object]) -> str:
    try:
        started, finished = (
            datetime.fromisoformat(str(written[name])) for name in ("started", "finished")
        )
    except (KeyError, ValueError):
        return "-"
    return str(finished - started).partition(".")[0]
