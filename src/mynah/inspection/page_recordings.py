"""Recordings on the page: a player and the outline of the sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mynah.pages.clips import ClipBudget, data_address
from mynah.pages.markup import Markup, join, tag
from mynah.pages.scatter import waveform

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus

CLIP_SECONDS = 30.0  # of a recording on the page, from its beginning
_PARTS = 160  # of an outline


def recording(corpus: Corpus, row: int, budget: ClipBudget) -> Markup:
    """The outline and the player of a row, or why there is none."""
    try:
        audio = corpus.read_audio(row)
    except Exception as problem:
        return tag("p", f"no recording: {problem}".splitlines()[0], class_="quiet")
    seconds = len(audio) / corpus.sample_rate
    begun = audio[: round(CLIP_SECONDS * corpus.sample_rate)]
    address = budget.spend(data_address(begun, corpus.sample_rate))
    if address is None:
        player = tag("span", "recording left out: the page is large enough", class_="quiet")
    else:
        player = tag(
            "audio",
            controls=True,
            preload="none",
            src=address,
            aria_label=f"Recording of {corpus.ids[row]}",
        )
    cut = seconds > CLIP_SECONDS
    note = tag("span", f"the first {CLIP_SECONDS:.0f} s", class_="quiet") if cut else None
    outline = waveform(outline_of(begun), f"Outline of {corpus.ids[row]}")
    return tag("div", join([outline, player, note]), class_="recording")


def outline_of(audio: np.ndarray, parts: int = _PARTS) -> list[float]:
    """The largest sample, whatever its sign, of each of ``parts`` equal parts."""
    parts = min(parts, len(audio))
    edges = np.linspace(0, len(audio), parts + 1).astype(int)[:-1]
    return [float(peak) for peak in np.maximum.reduceat(np.abs(audio), edges)]
