"""Recordings on the page: a player and the outline of the sound."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mynah import console
from mynah.pages.clips import ClipBudget, audio_player, data_address
from mynah.pages.markup import Markup, join, tag
from mynah.pages.scatter import waveform

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus

CLIP_SECONDS = 30.0  # of a recording on the page, from its beginning
_PARTS = 160  # of an outline
_LIFTED = 0.65


def recordings(
    corpus: Corpus, rows: Sequence[int], budget: ClipBudget, *, threads: int
) -> dict[int, Markup]:
    """The outline and the player of each row, or why there is none.

    The budget is spent in the order of the rows, whatever order they are read in.
    """
    made = {}
    with (
        console.progress(f"Recordings of {corpus.name} for the page", len(rows), "clips") as done,
        concurrent.futures.ThreadPoolExecutor(threads) as pool,
    ):
        clips = pool.map(lambda row: _clip(corpus, row), rows)
        for row, clip in zip(rows, clips, strict=True):
            made[row] = _shown(corpus.ids[row], clip, budget)
            done()
    return made


@dataclass(frozen=True)
class _Clip:
    address: str
    outline: list[float]
    seconds: float


def _clip(corpus: Corpus, row: int) -> _Clip | str:
    """A recording's beginning, or why there is none."""
    try:
        audio = corpus.read_audio(row)
    except Exception as problem:
        return str(problem).splitlines()[0]
    begun = audio[: round(CLIP_SECONDS * corpus.sample_rate)]
    return _Clip(
        data_address(begun, corpus.sample_rate),
        outline_of(begun),
        len(audio) / corpus.sample_rate,
    )


def _shown(name: str, clip: _Clip | str, budget: ClipBudget) -> Markup:
    if isinstance(clip, str):
        return tag("p", f"no recording: {clip}", class_="quiet")
    address = budget.spend(clip.address)
    if address is None:
        player = tag("span", "recording left out: the page is large enough", class_="quiet")
    else:
        player = audio_player(address, name)
    cut = clip.seconds > CLIP_SECONDS
    note = tag("span", f"the first {CLIP_SECONDS:.0f} s", class_="quiet") if cut else None
    outline = waveform(clip.outline, f"Outline of {name}")
    return tag("div", join([outline, player, note]), class_="recording")


def outline_of(audio: np.ndarray, parts: int = _PARTS) -> list[float]:
    """The largest sample, whatever its sign, of each of ``parts`` equal parts.

    Quiet parts are lifted, as most speech stays far below full scale.
    """
    parts = min(parts, len(audio))
    edges = np.linspace(0, len(audio), parts + 1).astype(int)[:-1]
    return [float(peak) ** _LIFTED for peak in np.maximum.reduceat(np.abs(audio), edges)]
