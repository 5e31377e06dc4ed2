"""What an inspection leaves behind: the page, and all numbers beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from mynah.evaluation import results
from mynah.files import write_text
from mynah.inspection.inspect import Inspection
from mynah.inspection.page.page import inspection_page
from mynah.inspection.record import inspection_record


def write_inspection(inspection: Inspection, target: Path, *, command: str, threads: int) -> Path:
    """Write the page and its record, each in full or not at all.

    Args:
        inspection: What was found.
        target: The page; its folder is there.
        command: How it is made again.
        threads: How many recordings are read at once.

    Returns:
        The record: the page's name with ``.json``.
    """
    created = datetime.now(UTC)
    beside = target.with_suffix(".json")
    found = inspection_record(inspection, created)
    write_text(beside, [results.to_json(found, indent=2), "\n"])
    text = inspection_page(
        inspection, created=created, command=command, record=beside.name, threads=threads
    )
    write_text(target, [text])
    return beside
