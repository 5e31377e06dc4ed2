"""Errors that a user can mend: what is wrong, where, and what to do."""

from __future__ import annotations


class UserError(Exception):
    """A mistake that is the user's to mend; shown as a short message, exit status 2.

    Args:
        what: What is wrong, one sentence.
        where: File and line, setting or utterance it is found in.
        fix: How to mend it; a command to paste where there is one.
    """

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  fix:   {self.fix}")
        return "\n".join(lines)
