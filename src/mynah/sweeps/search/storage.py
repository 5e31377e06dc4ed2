"""The file that holds a search's trials: a journal of lines, or a database."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

# By sweep.storage; Optuna's dashboard opens both.
FILES = {"journal": "search.journal", "sqlite": "search.sqlite3"}


def open_storage(path: Path) -> BaseStorage:
    """Where trials are kept; what a killed process left half-written is cut off first.

    Args:
        path: The file, of a folder that nobody else writes to now.
    """
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    if path.name == FILES["sqlite"]:
        # In a URL, a ? or # of the path would end it.
        def connect() -> sqlite3.Connection:
            return sqlite3.connect(path, timeout=60.0, check_same_thread=False)

        return RDBStorage(f"sqlite:///{path.name}", engine_kwargs={"creator": connect})
    lock = JournalFileOpenLock(str(path))
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)  # of a process that is gone
    if path.is_file():
        content = path.read_bytes()
        complete = content.rfind(b"\n") + 1
        if complete < len(content):
            with path.open("rb+") as file:
                file.truncate(complete)
    return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
