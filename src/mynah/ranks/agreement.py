"""What the processes of a training must share, compared before anything is learned."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mynah.errors import UserError

_NAMED = 5  # differences in a message
_SHOWN = 60  # characters of a value


def check_agreement(each: Sequence[Mapping[str, Any]]) -> None:
    """See that all processes have the same values.

    Args:
        each: The values of every rank, by name, in their order.

    Raises:
        UserError: One differs from the first; each difference is named with rank and value.
    """
    first = each[0]
    differences = []
    for rank, values in enumerate(each[1:], start=1):
        for name in sorted(first.keys() | values.keys()):
            if first.get(name) != values.get(name):
                differences.append(
                    f"{name} is {_short(first.get(name))} on rank 0 and "
                    f"{_short(values.get(name))} on rank {rank}"
                )
    if not differences:
        return
    more = len(differences) - _NAMED
    error = UserError(
        f"The processes of this training differ: {'; '.join(differences[:_NAMED])}"
        + (f"; and {more} more." if more > 0 else "."),
        where="before the first step",
        fix="start every process with the same command, on the same data and versions",
    )
    error.shared = True
    raise error


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
