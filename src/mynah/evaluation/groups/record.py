"""The rates of groups as data, for ``results.json`` and the JSON of a score."""

from __future__ import annotations

from typing import Any

from mynah.evaluation.groups.rates import AllGroups, GroupRate


def groups_record(found: AllGroups) -> dict[str, Any]:
    """All groups by the name of their way."""
    return {
        way.name: {
            "title": way.title,
            "ranges": way.ranges,
            "groups": [_group(one) for one in way.groups],
        }
        for way in found.ways
    }


def _group(one: GroupRate) -> dict[str, Any]:
    return {
        "name": one.name,
        "utterances": one.utterances,
        "words": one.words,
        **one.edits._asdict(),
        "metrics": {
            name: {"value": value.value, "low": value.low, "high": value.high}
            for name, value in one.values.items()
        },
        "over": one.over,
        "small": one.small,
    }
