"""Which variants of a test are fast: the others are long ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def fast_where(is_fast: Callable[..., bool], cases: Iterable[Any]) -> list[Any]:
    """The cases of a parametrized test, of which those that are not fast are marked long.

    Args:
        is_fast: Of a case; what a tuple holds is given one by one.
        cases: A tuple is several arguments.
    """
    marked = []
    for case in cases:
        values = case if isinstance(case, tuple) else (case,)
        marked.append(pytest.param(*values, marks=() if is_fast(*values) else pytest.mark.long))
    return marked
