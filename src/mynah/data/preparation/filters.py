"""Why an utterance is left out: arithmetic on full columns, no row is looked at alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mynah.config.schema import DataConfig
from mynah.data.scripts import SCRIPTS, is_no_text

KEPT = 0
REASONS = (
    "", "no transcript", "unreadable", "too short", "too long", "too many words",
    "too few characters a second", "too many characters a second", "duplicate",
    "same audio, another transcript", "transcript is not text", "transcript in another script",
    "annotations alone", "words outside its audio",
)  # fmt: skip
(
    NO_TRANSCRIPT, UNREADABLE, TOO_SHORT, TOO_LONG, WORDS, SLOW, FAST, DUPLICATE, OTHER_TEXT,
    NO_TEXT, OTHER_SCRIPT, ANNOTATIONS, OUTSIDE,
) = range(1, len(REASONS))  # fmt: skip


@dataclass(frozen=True)
class Measures:
    """What filters look at, each [rows].

    Attributes:
        seconds: float64, lengths.
        unreadable: bool, whether the audio cannot be decoded.
        no_speech: bool, whether a row is known to hold no speech, so that no text is right.
        words: int, in the transcripts as they will be learned.
        characters: int, likewise.
        scripts: int8, which letters the transcripts as they were listed are written in
            (see ``mynah.data.scripts``).
        strange: bool, whether hardly any other transcript is in that script.
        annotated: bool, whether nothing is left of a transcript once its annotations are out.
        outside: bool, whether words of it are not in its piece of the recording, as its listing
            shows; None: of no row.
    """

    seconds: np.ndarray
    unreadable: np.ndarray
    no_speech: np.ndarray
    words: np.ndarray
    characters: np.ndarray
    scripts: np.ndarray
    strange: np.ndarray
    annotated: np.ndarray
    outside: np.ndarray | None = None

    @property
    def characters_a_second(self) -> np.ndarray:
        """float64 [rows]."""
        rate: np.ndarray = self.characters / np.maximum(self.seconds, 1e-9)
        return rate


def reasons(
    measures: Measures, config: DataConfig, *, training: bool, filtering: bool
) -> np.ndarray:
    """Why each row is left out: int8 [rows], positions in :data:`REASONS`; the first that holds.

    Args:
        measures: Of the rows.
        config: The limits.
        training: Whether they are learned from. An evaluation keeps what is annotations alone:
            any word that is recognized there is an insertion, as sclite scores it; it leaves out
            what would count as not recognized though nobody could recognize it.
        filtering: Whether more is left out than rows without a transcript.
    """
    found = np.zeros(len(measures.seconds), dtype=np.int8)
    spoken = ~measures.no_speech & ~measures.annotated
    rules = [
        (ANNOTATIONS, measures.annotated & ~measures.no_speech & training),
        (NO_TRANSCRIPT, (measures.characters == 0) & spoken),
    ]
    if measures.outside is not None and not training:  # its transcript is not that of its audio
        rules.append((OUTSIDE, measures.outside))
    if filtering:
        rate = measures.characters_a_second
        rules += [
            (UNREADABLE, measures.unreadable),
            (NO_TEXT, is_no_text(measures.scripts)),
            (TOO_SHORT, measures.seconds < config.min_audio_seconds),
            (TOO_LONG, measures.seconds > _or_none(config.max_audio_seconds)),
            (WORDS, measures.words > _or_none(config.max_text_words)),
            (SLOW, (rate < (config.min_characters_a_second or 0.0)) & spoken),
            (FAST, rate > _or_none(config.max_characters_a_second)),
            (OTHER_SCRIPT, measures.strange & (config.on_other_script == "drop")),
        ]
    for code, holds in rules:
        found[(found == KEPT) & holds] = code
    return found


def detail(
    code: int, row: int, measures: Measures, config: DataConfig, error: Callable[[int], str]
) -> str:
    """What is wrong with a row that is left out, in words.

    Args:
        code: One of :data:`REASONS`.
        row: In ``measures``.
        measures: Of the rows.
        config: The limits.
        error: Why the audio of a row cannot be read.
    """
    seconds = f"{measures.seconds[row]:.2f} s"
    if code in (UNREADABLE, OUTSIDE, NO_TRANSCRIPT):  # a row that is none has no transcript
        return error(row)
    if code == TOO_SHORT:
        return f"{seconds}, below min_audio_seconds={config.min_audio_seconds}"
    if code == TOO_LONG:
        return f"{seconds}, above max_audio_seconds={config.max_audio_seconds}"
    if code == WORDS:
        return f"{measures.words[row]} words, above max_text_words={config.max_text_words}"
    if code == NO_TEXT:
        return (
            "it holds control characters, or letters that were not UTF-8 and are lost: convert "
            "the file, as from UTF-16 by iconv -f utf-16 -t utf-8"
        )
    if code == OTHER_SCRIPT:
        return f"{SCRIPTS[measures.scripts[row]]}, where hardly any other is"
    if code in (SLOW, FAST):
        rate = f"{measures.characters[row]} characters in {seconds}"
        if code == SLOW:
            return f"{rate}, below min_characters_a_second={config.min_characters_a_second}"
        return f"{rate}, above max_characters_a_second={config.max_characters_a_second}"
    return ""


def _or_none(limit: float | None) -> float:
    return np.inf if limit is None else limit
