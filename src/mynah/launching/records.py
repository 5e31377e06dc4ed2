"""What was submitted from a folder: one file a job in ``outputs/jobs``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mynah.config.schema.launch import SLURM
from mynah.errors import UserError
from mynah.files import read_json, write_json

JOBS = Path("outputs", "jobs")
_FIELDS = ("id", "what", "directory", "log", "script", "submitted")


@dataclass(frozen=True)
class JobRecord:
    """One job, as it was submitted.

    Attributes:
        id: Its number; of an array, that of all its tasks; on Ray as ``ray3``.
        what: ``training``, ``evaluation``, ``preparation``, ``transcription``, ``sweep`` or
            ``table``.
        directory: The run's directory, or the sweep's.
        log: Where it prints.
        script: What was submitted: ``sbatch SCRIPT`` submits it again; empty on Ray.
        submitted: When, UTC.
        tasks: Of an array each task's directory, by its number.
        follows: The array that the job waits for.
        launcher: ``slurm`` or ``ray``.
        process: Of a job on Ray its process, on the machine where it was started.
        began: When that process began, in the kernel's clock.
        machine: Where it was started.
    """

    id: str
    what: str
    directory: str
    log: str
    script: str
    submitted: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    tasks: dict[str, str] = field(default_factory=dict)
    follows: str | None = None
    launcher: str = SLURM
    process: int | None = None
    began: int | None = None
    machine: str = ""


def keep(record: JobRecord, working_directory: Path) -> None:
    """Write what was submitted into ``outputs/jobs`` of a folder."""
    place = working_directory / JOBS
    place.mkdir(parents=True, exist_ok=True)
    write_json(place / f"{record.id}.json", dataclasses.asdict(record), indent=2)


def submitted(working_directory: Path) -> list[JobRecord]:
    """All jobs that were submitted from a folder, the newest first; what cannot be read is not
    one."""
    found = []
    for path in (working_directory / JOBS).glob("*.json"):
        content = read_json(path)
        if not all(isinstance(content.get(name), str) for name in _FIELDS):
            continue
        tasks, follows = content.get("tasks"), content.get("follows")
        found.append(
            JobRecord(
                **{name: content[name] for name in _FIELDS},
                tasks={str(key): str(value) for key, value in tasks.items()}
                if isinstance(tasks, dict)
                else {},
                follows=follows if isinstance(follows, str) else None,
                launcher=str(content.get("launcher") or SLURM),
                process=_number(content.get("process")),
                began=_number(content.get("began")),
                machine=str(content.get("machine") or ""),
            )
        )
    return sorted(found, key=lambda record: (record.submitted, record.id), reverse=True)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def next_id(prefix: str, working_directory: Path) -> str:
    """An id that no job of a folder has, as ``ray3``."""
    taken = [
        int(path.stem.removeprefix(prefix))
        for path in (working_directory / JOBS).glob(f"{prefix}*.json")
        if path.stem.removeprefix(prefix).isdigit()
    ]
    return f"{prefix}{max(taken, default=0) + 1}"


def article(what: str) -> str:
    """``a training``, ``an evaluation``."""
    return f"{'an' if what[0] in 'aeiou' else 'a'} {what}"


def named(typed: str, working_directory: Path) -> tuple[JobRecord, str | None]:
    """The job that an id means, and the task of it, as ``4711_2``.

    Raises:
        UserError: No such job was submitted from this folder.
    """
    number, _, found = typed.partition("_")
    task = found or None
    records = submitted(working_directory)
    for record in records:
        if record.id == number and (task is None or task in record.tasks):
            return record, task
    known = ", ".join(record.id for record in records[:5])
    raise UserError(
        f"No job {typed} was submitted from this folder.",
        where=str(working_directory / JOBS),
        fix=f"mynah jobs  lists them; the newest are {known}"
        if known
        else "mynah train launch=slurm  or  launch=ray  makes one",
    )
