"""Rows of a packed table that all stay: known from what was counted, without a look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mynah.config.schema import DataConfig
from mynah.data.corpus import Corpus
from mynah.data.preparation import filters
from mynah.data.preparation.account import annotations_left, count_known, known_speakers
from mynah.data.preparation.filters import Measures
from mynah.data.preparation.requests import Request
from mynah.data.preparation.selection import Chosen, Stretch, write_view
from mynah.data.scripts import NO_TEXT
from mynah.data.text import TextPolicy


def chosen_unseen(
    request: Request,
    stretches: Sequence[Stretch],
    config: DataConfig,
    policy: TextPolicy | None,
    directory: Path,
) -> Chosen | None:
    """What would be chosen, by what was counted when the table was packed; None: rows are to be
    looked at.

    Args:
        request: What is wanted.
        stretches: The rows it consists of.
        config: Filters and limits.
        policy: What becomes of transcripts.
        directory: Where the choice is kept.
    """
    counted = _counted(request, stretches, config, policy)
    if counted is None or not _keep_all(counted, request, config):
        return None
    piece = stretches[0].piece
    made = Corpus([piece], name=request.name, sample_rate=config.sample_rate)
    annotations = annotations_left(made, policy, alone=np.zeros(0, dtype=bool))
    hours, known = counted["seconds"] / 3600, known_speakers(made)
    account: dict[str, Any] = {
        "role": "training" if request.training else "evaluation",
        "kept": counted["rows"],
        "hours": round(hours, 4),
        "words": counted["words"],
        "speakers": count_known(made, "speaker") if known is None else len(known),
        "no_speech": 0,
        "dropped": {},
        "dropped_hours": 0.0,
        "beyond_max_samples": 0,
        **annotations,
        "dropped_rows": [],
    }
    if request.training:
        alike = {"same_audio_and_text": 0, "other_text": 0, "kept": 0, "examples": []}
        changes = {"policy": "plain", "changed": 0, "of": counted["rows"], "examples": []}
        name = request.members[0].name or "all"
        gives = {"utterances": counted["rows"], "hours": round(hours, 4), "share": 1.0}
        account |= {"duplicates": alike, "text_changes": changes, "other_script": []}
        account["sources"] = {name: {**gives, "repeats": 1.0}}
    else:
        account |= {"unreadable": 0, "kept_unreadable": []}
    account["fingerprint"] = made.fingerprint
    return write_view(directory, None, None, account, ())


def _counted(
    request: Request, stretches: Sequence[Stretch], config: DataConfig, policy: TextPolicy | None
) -> Mapping[str, Any] | None:
    """The statistics of all rows that are wanted; None where they are of others, or lack some."""
    (first, *others), members = stretches, request.members
    limit = config.max_train_samples if request.training else config.max_eval_samples
    limited = any(one.max_samples is not None or one.max_hours is not None for one in members)
    shared = request.training and config.train_share < 1.0
    plain = policy is None or policy.is_plain
    if others or first.rows is not None or request.held is not None or not plain:
        return None
    counted: Mapping[str, Any] | None = first.piece.table.about.get("statistics")
    if counted is None or limited or shared or (limit is not None and limit < counted["rows"]):
        return None
    looked = counted.get("extremes") is not None and counted.get("repeated_audio") is not None
    return counted if looked else None


def _keep_all(counted: Mapping[str, Any], request: Request, config: DataConfig) -> bool:
    """Whether no row is left out, and of none anything is to be said."""
    written = set(counted["scripts"]) - {""}
    if counted["odd"] or len(written) > 1 or NO_TEXT in written or not counted["seconds"]:
        return False
    if request.training and counted["repeated_audio"]:
        return False
    rows = np.asarray(list(counted["extremes"].values()), dtype=np.float64)
    none = np.zeros(len(rows), dtype=bool)
    extreme = Measures(
        seconds=rows[:, 0],
        unreadable=none,
        no_speech=none,
        words=rows[:, 1].astype(np.int64),
        characters=rows[:, 2].astype(np.int64),
        scripts=np.zeros(len(rows), dtype=np.int8),
        strange=none,
        annotated=none,
        outside=none,
    )
    filtering = request.training or config.filter_eval
    codes = filters.reasons(extreme, config, training=request.training, filtering=filtering)
    return bool((codes == filters.KEPT).all())
