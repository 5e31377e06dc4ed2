"""Training utterances that could not be used: named, counted, and never learned from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mynah import console, distributed
from mynah.errors import UserError

_NAMED = 5  # utterances named one by one; the others are counted


class SkippedRows:
    """Utterances that could not be used, each once.

    Args:
        fail: Whether the first one ends the training.

    Attributes:
        reasons: Why, by id.
    """

    def __init__(self, *, fail: bool) -> None:
        self._fail = fail
        self.reasons: dict[str, str] = {}

    def note(self, skipped: Iterable[tuple[str, str]]) -> None:
        """Count what a batch left out, as (id, reason).

        Raises:
            UserError: One ends the training.
        """
        for utterance, reason in skipped:
            if self._fail:
                raise UserError(
                    f"A training utterance cannot be used: {reason}",
                    where=f"utterance {utterance}",
                    fix="fix or remove it, or leave such ones out with data.on_error=skip",
                )
            if utterance in self.reasons:
                continue
            self.reasons[utterance] = reason
            if distributed.rank() > 0:
                continue  # counted with the next checkpoint
            if len(self.reasons) <= _NAMED:
                console.notice(f"Utterance {utterance} is left out: {reason}")
            elif len(self.reasons) == _NAMED + 1:
                console.notice("More utterances are left out; they are counted at the end.")

    def merge(self, reasons: Mapping[str, str]) -> None:
        """Count what another rank left out."""
        self.reasons = {**self.reasons, **reasons}

    def restore(self, reasons: Mapping[str, str]) -> None:
        """Begin with what a checkpoint holds."""
        self.reasons = dict(reasons)
