"""Hours, utterances and speakers by source, language, channel or speaker."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mynah.inspection.rows import Names, Rows

_LISTED = 1000  # groups of a breakdown; the largest


@dataclass(frozen=True)
class BreakdownGroup:
    """The utterances that have one value in common.

    Attributes:
        name: The value; "" where it is not known.
        median_characters_a_second: NaN where nothing is spoken.
    """

    name: str
    utterances: int
    hours: float
    words: int
    speakers: int
    median_characters_a_second: float

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return asdict(self)


def by(rows: Rows, names: Names) -> list[BreakdownGroup]:
    """One group a value, the largest first, at most a thousand."""
    count = len(names.names)
    utterances = np.bincount(names.codes, minlength=count)
    hours = np.bincount(names.codes, weights=rows.durations, minlength=count) / 3600
    words = np.bincount(names.codes, weights=rows.texts.words, minlength=count)
    order = np.argsort(-hours, kind="stable")[:_LISTED]
    rates = rows.characters_a_second
    by_group = np.argsort(names.codes, kind="stable")
    ends = np.cumsum(utterances)
    groups = []
    for position in order.tolist():
        members = by_group[ends[position] - utterances[position] : ends[position]]
        if not len(members):
            continue
        mine = rates[members]
        mine = mine[np.isfinite(mine)]
        speakers = {rows.speakers.names[code] for code in np.unique(rows.speakers.codes[members])}
        groups.append(
            BreakdownGroup(
                name=names.names[position],
                utterances=int(utterances[position]),
                hours=float(hours[position]),
                words=int(words[position]),
                speakers=len(speakers - {""}),
                median_characters_a_second=float(np.median(mine)) if len(mine) else float("nan"),
            )
        )
    return groups


def by_channel(rows: Rows) -> list[BreakdownGroup]:
    """By the channel of the file that an utterance is on."""
    channels, codes = np.unique(rows.channels, return_inverse=True)
    shown = ["all mixed" if channel < 0 else f"channel {channel}" for channel in channels.tolist()]
    return by(rows, Names(shown, codes.astype(np.int32)))
