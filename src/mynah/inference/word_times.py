"""When each word is spoken: as the model tells, or by the posteriors of a CTC model beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mynah.inference.transcription import TimedWord
from mynah.models.transcript import Clip, Transcript, Word
from mynah.segmentation.aligning.word_times import aligned_words, units_of, words_with_times

if TYPE_CHECKING:
    from mynah.inference.confidence.calibration import Calibration
    from mynah.models.ctc.family import CTC
    from mynah.models.family import Family


def timed(
    family: Family,
    clips: Sequence[Clip],
    transcripts: Sequence[Transcript],
    aligner: CTC | None = None,
    calibration: Calibration | None = None,
) -> list[tuple[TimedWord, ...] | None]:
    """The units of each clip, words or characters of a script without spaces, with their times.

    Args:
        family: The model that wrote the transcripts.
        clips: No longer than its window.
        transcripts: What it wrote of them.
        aligner: A CTC model for what the family does not tell.
        calibration: What makes confidences of the model's probabilities.

    Returns:
        From the clip's start; None for a clip where neither tells.
    """
    found: list[tuple[TimedWord, ...] | None] = []
    for clip, one, words in zip(
        clips, transcripts, words_with_times(family, clips, transcripts), strict=True
    ):
        if words is None:
            beside = None if aligner is None else aligned_words(aligner, clip.audio, one.text)
            found.append(None if beside is None else tuple(_timed(beside, None)))
            continue
        found.append(tuple(_timed(words, calibration)))
    return found


def _timed(words: Iterable[Word], calibration: Calibration | None) -> Iterator[TimedWord]:
    for word in units_of(words):
        likely = None
        if calibration is not None and word.log_probability is not None:
            likely = calibration.confidence(word.log_probability)
        yield TimedWord(word.text, word.start_seconds, word.end_seconds, likely)


def shifted(words: Sequence[TimedWord], seconds: float) -> Iterator[TimedWord]:
    """The words so much later."""
    for word in words:
        yield replace(
            word,
            start_seconds=word.start_seconds + seconds,
            end_seconds=word.end_seconds + seconds,
        )
