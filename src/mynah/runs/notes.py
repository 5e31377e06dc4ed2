"""``notes.json``: what people say of a run, beside what the run says of itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mynah.errors import UserError
from mynah.files import read_json, write_json
from mynah.runs.record import check_run

NOTES = "notes.json"


@dataclass(frozen=True)
class Notes:
    """Tags in the order in which they were given, and a note; "" where there is none."""

    tags: tuple[str, ...] = ()
    note: str = ""


def read_notes(run: Path) -> Notes:
    """What is said of a run; nothing where nothing can be read."""
    held = read_json(run / NOTES)
    tags, note = held.get("tags"), held.get("note")
    return Notes(
        tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
        note if isinstance(note, str) else "",
    )


def change_notes(
    run: Path, *, add: Iterable[str] = (), remove: Iterable[str] = (), note: str | None = None
) -> Notes:
    """Tag a run, or write a note on it.

    Args:
        run: Its directory.
        add: Tags that it gets.
        remove: Tags that it loses.
        note: In place of its note; "" removes it; None: it stays.

    Raises:
        UserError: It is not a run, a tag is not one word, or it does not have one to lose.
    """
    check_run(run)
    held = read_notes(run)
    for tag in add:
        if not tag or any(map(str.isspace, tag)) or "," in tag:
            raise UserError("A tag is one word.", where=f"mynah runs tag … {tag!r}")
    for tag in remove:
        if tag not in held.tags:
            there = ", ".join(held.tags) or "none"
            raise UserError(f"The run has no tag {tag!r}; it has {there}.", where=f"--untag {tag}")
    tags = dict.fromkeys([*held.tags, *add])
    kept = tuple(tag for tag in tags if tag not in set(remove))
    found = Notes(kept, held.note if note is None else " ".join(note.split()))
    write_json(run / NOTES, {"tags": list(found.tags), "note": found.note}, indent=2)
    return found
