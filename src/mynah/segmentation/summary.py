"""What came out of cutting, for people."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from mynah import console
from mynah.errors import UserError
from mynah.files import display_path
from mynah.segmentation.inputs import LongRecording
from mynah.segmentation.utterance import LOW_SCORE, CutUtterance


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
    if more := _with_lower_scores(by_reason[LOW_SCORE]):
        console.say(more)
    if len(kept) < len(every):
        console.say(f"Rejected, with the reason of each: {folder}/rejected.jsonl")
    if kept:
        console.say(f"Next: mynah train data.dataset_name={folder} data.eval_splits=null")


def check_kept(segmented: Sequence[tuple[LongRecording, Sequence[CutUtterance]]], to: Path) -> None:
    """
    Raises:
        UserError: Every utterance was rejected: there is nothing to train on.
    """
    every = [one for _, utterances in segmented for one in utterances]
    if any(not one.rejected for one in every):
        return
    counts = Counter(one.rejected for one in every).most_common()
    low = sorted(one.score for one in every if one.rejected == LOW_SCORE and one.score is not None)
    raise UserError(
        "No utterance was kept: " + ", ".join(f"{n:,} {reason}" for reason, n in counts) + ".",
        where=f"{display_path(to)}/rejected.jsonl",
        fix=f"another --model, of this language; --min-score {_at_least(low[len(low) // 2])} keeps "
        f"half of what scores low"
        if low
        else "look at the reasons there; does each transcript belong to its recording?",
    )


def _with_lower_scores(low: Sequence[CutUtterance]) -> str:
    """How many more of those with a low score lower limits keep; empty where there are none."""
    scores = sorted((one.score for one in low if one.score is not None), reverse=True)
    if not scores:
        return ""
    limits = dict.fromkeys(_at_least(s) for s in (scores[(len(scores) - 1) // 2], scores[-1]))
    said = []
    for limit in limits:
        more = [one for one in low if one.score is not None and one.score >= float(limit)]
        minutes = sum(one.duration_seconds for one in more) / 60
        said.append(f"--min-score {limit} keeps {len(more):,} of them ({minutes:.1f} minutes)")
    return f"Of the {len(low):,} with a low score: {'; '.join(said)}."


def _at_least(score: float) -> str:
    """A limit of one decimal that a score passes."""
    return f"{math.floor(score * 10) / 10:.1f}"


def _row(name: str, utterances: Sequence[CutUtterance]) -> list[str]:
    scores = [one.score for one in utterances if one.score is not None]
    return [
        name,
        f"{len(utterances):,}",
        f"{sum(one.duration_seconds for one in utterances) / 60:.1f}",
        f"{sum(len(one.text.split()) for one in utterances):,}",
        f"{statistics.median(scores):.2f}" if scores else "",
    ]
