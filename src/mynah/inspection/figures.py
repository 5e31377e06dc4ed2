"""Which histograms are shown, and how their values are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """How one of a split's histograms is shown.

    Attributes:
        key: In ``SplitInspection.histograms``.
        title: Over the plot.
        axis: What is counted, with its unit.
        scale: What values are multiplied by.
        note: What to look for.
    """

    key: str
    title: str
    axis: str
    scale: float = 1.0
    note: str = ""


FIGURES = (
    Figure("duration_seconds", "Durations", "seconds"),
    Figure(
        "characters_a_second",
        "Rate of speech",
        "characters a second",
        note="A second hump is often a second kind of transcript.",
    ),
    Figure("words_a_second", "Words", "words a second"),
    Figure("words", "Length of transcripts", "words"),
    Figure(
        "level_db",
        "Level",
        "decibels below full scale",
        note="Root mean square of each recording.",
    ),
    Figure(
        "snr_db",
        "Speech over noise",
        "decibels",
        note="Loud frames over quiet ones: an estimate, as long as speakers pause.",
    ),
    Figure("silence_share", "Silence", "per cent of the recording", scale=100.0),
    Figure(
        "bandwidth_hz",
        "Bandwidth",
        "kilohertz",
        scale=0.001,
        note="The highest frequency with energy, 65 dB below the strongest.",
    ),
)


def show_rates(rates: Mapping[int, int]) -> str:
    """Sample rates of files: ``16 kHz``, or ``16 kHz (900), 8 kHz (12)``."""
    shown = [f"{rate / 1000:g} kHz" for rate in rates]
    if len(rates) > 1:
        counted = zip(shown, rates.values(), strict=True)
        shown = [f"{rate} ({count:,})" for rate, count in counted]
    return ", ".join(shown)
