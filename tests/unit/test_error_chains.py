"""Errors that come from each other."""

from __future__ import annotations

import errno

from mynah.errors import number_of_system


def test_errors_that_come_from_each_other_are_looked_at_once():
    first, second = RuntimeError("first"), RuntimeError("second")
    first.__cause__, second.__context__ = second, first
    assert number_of_system(first) is None
    second.__cause__ = OSError(errno.ENOSPC, "full")
    assert number_of_system(first) == errno.ENOSPC
