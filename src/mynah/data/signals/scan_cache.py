"""What recordings measured, kept by their content in one SQLite file beside prepared tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from mynah.console import notice
from mynah.data.signals.signal_facts import FACTS, SignalFacts
from mynah.errors import UserError

SCAN_VERSION = 1  # of how recordings are measured: another begins a new file
_ASKED_AT_ONCE = 500


class ScanCache:
    """Facts by digest; several processes may use it at once.

    A file that cannot be read is made again, said: it holds nothing that cannot be measured.
    """

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: Where the file lies; made if it is missing.

        Raises:
            UserError: It cannot be written there.
        """
        self.path = folder / f"recordings-{SCAN_VERSION}.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = self._open()
            except sqlite3.DatabaseError as problem:
                if isinstance(problem, sqlite3.OperationalError):
                    raise
                notice(f"{self.path} is damaged: recordings are measured again.")
                self.path.unlink()
                self._connection = self._open()
        except (OSError, sqlite3.OperationalError) as problem:
            raise self._unwritable(problem) from problem

    def __enter__(self) -> ScanCache:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def find(self, digests: Sequence[str]) -> dict[str, SignalFacts]:
        """What is known of some recordings."""
        found = {}
        for start in range(0, len(digests), _ASKED_AT_ONCE):
            asked = digests[start : start + _ASKED_AT_ONCE]
            marks = ", ".join("?" * len(asked))
            query = f"SELECT digest, {', '.join(FACTS)} FROM recordings WHERE digest IN ({marks})"
            for digest, *values in self._connection.execute(query, asked):
                found[digest] = SignalFacts(*values)
        return found

    def add(self, found: Mapping[str, SignalFacts]) -> None:
        """Keep what was measured, all of it or nothing.

        Raises:
            UserError: It cannot be written.
        """
        marks = ", ".join("?" * (len(FACTS) + 1))
        rows = [(d, *(getattr(facts, name) for name in FACTS)) for d, facts in found.items()]
        try:
            with self._connection:
                self._connection.executemany(
                    f"INSERT OR REPLACE INTO recordings VALUES ({marks})", rows
                )
        except sqlite3.OperationalError as problem:
            raise self._unwritable(problem) from problem

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=60)
        columns = ", ".join(f"{name} REAL NOT NULL" for name in FACTS)
        try:
            with connection:
                connection.execute(
                    f"CREATE TABLE IF NOT EXISTS recordings (digest TEXT PRIMARY KEY, {columns})"
                    " WITHOUT ROWID"
                )
                connection.execute("SELECT COUNT(*) FROM recordings LIMIT 1")
        except sqlite3.DatabaseError:
            connection.close()
            raise
        return connection

    def _unwritable(self, problem: Exception) -> UserError:
        return UserError(
            f"What recordings measure cannot be kept: {problem}.",
            where=str(self.path),
            fix="Make room there, choose another place by data.dataset_cache_dir=FOLDER, or "
            "leave the audio alone: --no-audio",
        )
