"""What a model recognized in one utterance, beside what was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Hypothesis:
    """What a model recognized in one utterance.

    Attributes:
        id: The utterance's id in its corpus.
        reference: The transcript as the corpus has it, not normalised.
        text: The hypothesis as the model wrote it; "" where ``error`` is set.
        error: Why there is no hypothesis (unreadable audio, a decoding that failed), or None.
        language: ISO 639-1 code of what is spoken, "" where it is not known.
        columns: What else the corpus says of the utterance, by the column's name.
        measured: What its recording measures, as ``level_db`` (see ``data/signals``).
        word_times: Where each word of the text begins and ends, in seconds from the start of the
            recording; None where that is not known.
        is_cut: Whether it has as many tokens as it may have and no end, and is not a loop.
    """

    id: str
    reference: str
    text: str
    duration_seconds: float
    speaker: str | None = None
    error: str | None = None
    language: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    measured: Mapping[str, float] = field(default_factory=dict)
    word_times: tuple[tuple[float, float], ...] | None = None
    is_cut: bool = False
