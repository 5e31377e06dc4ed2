"""What came out of cutting, for people."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from mynah import console
from mynah.files import display_path
from mynah.segmentation.inputs import LongRecording
from mynah.segmentation.utterance import CutUtterance


def show_summary(
    segmented: Sequence[tuple[LongRecording, Sequence[CutUtterance]]], to: Path
) -> None:
    """Print how much was kept, how much was rejected for which reason, and what is next."""
    every = [one for _, utterances in segmented for one in utterances]
    kept = [one for one in every if not one.rejected]
    by_reason: dict[str, list[CutUtterance]] = defaultdict(list)
    for one in every:
        if one.rejected:
            by_reason[one.rejected].append(one)
    rows = [_row("kept", kept)]
    ordered = sorted(by_reason, key=lambda reason: -len(by_reason[reason]))
    rows += [_row(f"rejected: {reason}", by_reason[reason]) for reason in ordered]
    title = f"{len(segmented)} recordings" if len(segmented) != 1 else "1 recording"
    console.table(title, ["utterances", "count", "minutes", "words", "median score"], rows)
    folder = display_path(to)
    if by_reason:
        console.say(f"Rejected, with the reason of each: {folder}/rejected.jsonl")
    if kept:
        console.say(f"Next: mynah train data.dataset_name={folder} data.eval_splits=null")
    else:
        console.notice("Nothing was kept.")


def _row(name: str, utterances: Sequence[CutUtterance]) -> list[str]:
    scores = [one.score for one in utterances if one.score is not None]
    return [
        name,
        f"{len(utterances):,}",
        f"{sum(one.duration_seconds for one in utterances) / 60:.1f}",
        f"{sum(len(one.text.split()) for one in utterances):,}",
        f"{statistics.median(scores):.2f}" if scores else "",
    ]
