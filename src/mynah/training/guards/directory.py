"""A training whose directory is taken away ends, rather than write where nobody will look."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from mynah.errors import UserError

_LOOK_SECONDS = 1.0


class DirectoryWatch(TrainerCallback):
    """Looks after a step whether the directory of the checkpoints is still the same one.

    Args:
        directory: Where the checkpoints go; made where it is missing.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._identity = self._look()
        self._looked = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See, once a second and before each save, whether it is there.

        Raises:
            UserError: It was deleted, moved or replaced.
        """
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS or control.should_save:
            self._looked = now
            self._check()

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See whether it is still there after an evaluation, which may take long: it may be saved.

        Raises:
            UserError: It was deleted, moved or replaced.
        """
        self._check()

    def _check(self) -> None:
        # A save makes a directory that is missing, on some file systems with the same number.
        if self._look() != self._identity:
            raise UserError(
                "The run's directory was deleted or moved while it trained; nothing more can be "
                "saved there.",
                where=str(self._directory),
                fix="if it was moved, resume with resume_from_checkpoint=NEW_PLACE; else begin a "
                "new run",
            )

    def _look(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._directory)  # noqa: PTH116 - as often as once a second
        except FileNotFoundError:
            return None
        except OSError:  # a network drive that does not answer now: the next save will tell
            return self._identity
        return status.st_dev, status.st_ino
