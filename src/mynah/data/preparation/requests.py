"""One corpus that a run wants, the sources it consists of, and what each gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mynah.config.schema import DataConfig
from mynah.data.preparation import mixture
from mynah.data.preparation.held_out import HeldOut
from mynah.data.preparation.mixture import Member
from mynah.data.preparation.selection import Stretch


@dataclass(frozen=True)
class Request:
    """One corpus that is wanted.

    Attributes:
        name: The split's name.
        training: Whether it is learned from.
        stretches: The rows it consists of.
        members: The source that each stretch is of, beside ``stretches``.
        held: Only what is held out is meant; None: all rows.
        once: Whether it is measured once, at the end of a training.
    """

    name: str
    training: bool
    stretches: Sequence[Stretch]
    members: Sequence[Member]
    held: HeldOut | None = None
    once: bool = False


def distinct_members(request: Request) -> list[Member]:
    """The sources it consists of, each once."""
    return list({member.name: member for member in request.members}.values())


def members_of(request: Request) -> np.ndarray:
    """Number of the source that each stretch is of."""
    names = [member.name for member in distinct_members(request)]
    return np.asarray([names.index(member.name) for member in request.members], dtype=np.int32)


def _hours(request: Request, numbers: np.ndarray, seconds: np.ndarray) -> dict[str, float]:
    if len(distinct_members(request)) == 1:
        return {request.members[0].name: float(seconds.sum()) / 3600}
    members = members_of(request)[numbers]
    sums = np.bincount(members, weights=seconds, minlength=len(distinct_members(request))) / 3600
    return {m.name: float(sums[number]) for number, m in enumerate(distinct_members(request))}


def repeats_of_members(
    request: Request, config: DataConfig, numbers: np.ndarray, seconds: np.ndarray
) -> dict[int, float]:
    """How often an utterance of each source is sampled in an epoch, by the source's number.

    Args:
        request: What is wanted.
        config: Its temperature.
        numbers: Stretch of each utterance, [utterances].
        seconds: Length of each.
    """
    distinct = distinct_members(request)
    if not request.training or len(distinct) < 2:
        return dict.fromkeys(range(len(distinct)), 1.0)
    hours = _hours(request, numbers, seconds)
    weights = {member.name: member.weight for member in distinct}
    share = mixture.shares(hours, weights, config.mixture_temperature)
    each = mixture.repeats(hours, share)
    return {number: each[member.name] for number, member in enumerate(distinct)}


def account_of_members(
    request: Request, numbers: np.ndarray, seconds: np.ndarray, each: dict[int, float]
) -> dict[str, Any]:
    """What each source gives, for ``data.json``: utterances, hours, share of an epoch, repeats."""
    hours = _hours(request, numbers, seconds)
    counts = [len(numbers)]
    if len(hours) > 1:
        counts = np.bincount(members_of(request)[numbers], minlength=len(hours)).tolist()
    total = sum(hours.values())
    return {
        name or "all": {
            "utterances": int(counts[number]),
            "hours": round(length, 4),
            "share": round(each[number] * length / total, 6) if total else 0.0,
            "repeats": round(each[number], 6),
        }
        for number, (name, length) in enumerate(hours.items())
    }
