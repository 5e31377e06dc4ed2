"""What lies in a folder of downloads: checksums as first seen, and what is unpacked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mynah.errors import UserError
from mynah.files import write_json

FILE_NAME = "mynah-downloads.json"


@dataclass(frozen=True)
class Receipt:
    """One archive that was downloaded here.

    Attributes:
        part: Which part of the corpus it is.
        checksum: As ``sha256:…``; a later download must have the same.
        size_bytes: How large it was.
        url: Where it came from.
        date: When, in UTC.
        files: How many files it held; None while it is being unpacked.
    """

    part: str
    checksum: str
    size_bytes: int
    url: str
    date: str
    files: int | None


@dataclass
class Receipts:
    """The receipts of one folder, by recipe and archive; kept in :data:`FILE_NAME`."""

    directory: Path
    entries: dict[str, Receipt] = field(default_factory=dict)

    @classmethod
    def read(cls, directory: Path) -> Receipts:
        """Those of a folder.

        Raises:
            UserError: The file that keeps them is damaged.
        """
        file = directory / FILE_NAME
        if not file.exists():
            return cls(directory)
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))["archives"]
            return cls(directory, {name: Receipt(**entry) for name, entry in kept.items()})
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise UserError(
                "The list of what was downloaded here cannot be read.",
                where=str(file),
                fix="remove it; archives and folders that are here must be moved away too",
            ) from problem

    def get(self, recipe: str, file_name: str) -> Receipt | None:
        """The receipt of an archive."""
        return self.entries.get(f"{recipe}/{file_name}")

    def parts(self, recipe: str) -> list[str]:
        """The parts of a corpus that are unpacked here."""
        return [
            entry.part
            for name, entry in self.entries.items()
            if name.startswith(f"{recipe}/") and entry.files is not None
        ]

    def put(self, recipe: str, file_name: str, receipt: Receipt) -> None:
        """Keep a receipt, on disk at once."""
        self.entries[f"{recipe}/{file_name}"] = receipt
        self._write()

    def drop(self, recipe: str, file_name: str) -> None:
        """Forget a receipt, on disk at once."""
        self.entries.pop(f"{recipe}/{file_name}", None)
        self._write()

    def _write(self) -> None:
        kept = {name: asdict(entry) for name, entry in sorted(self.entries.items())}
        write_json(self.directory / FILE_NAME, {"archives": kept}, indent=1)


def now() -> str:
    """The time in UTC, for a receipt."""
    return datetime.now(UTC).isoformat(timespec="seconds")
