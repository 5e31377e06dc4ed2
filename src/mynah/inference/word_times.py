"""When each word is spoken: as the model tells, or by the posteriors of a CTC model.

A CTC model that decodes greedily and a TDT tell by their frames, a Whisper by its attention. What
a CTC model writes by beam search is aligned to its own posteriors, and what any other model writes
to those of a CTC model beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mynah.inference.transcription import TimedWord
from mynah.models.features.frontends import frame_samples
from mynah.models.transcript import Clip, Transcript, Word
from mynah.segmentation.aligning.aligned_text import used_labels
from mynah.segmentation.aligning.alignment import FrameScores, align
from mynah.segmentation.aligning.labels import WordTokenizer

if TYPE_CHECKING:
    from mynah.inference.confidence.calibration import Calibration
    from mynah.models.ctc.family import CTC
    from mynah.models.family import Family

_FRAME_SECONDS = 0.01
_QUIETER_DECIBELS = 30.0  # than the loudest of a word: none of it


def timed(
    family: Family,
    clips: Sequence[Clip],
    transcripts: Sequence[Transcript],
    aligner: CTC | None = None,
    calibration: Calibration | None = None,
) -> list[tuple[TimedWord, ...] | None]:
    """The words of each clip with their times from its start.

    Args:
        family: The model that wrote the transcripts.
        clips: No longer than its window.
        transcripts: What it wrote of them.
        aligner: A CTC model for what the family does not tell.
        calibration: What makes confidences of the model's probabilities.

    Returns:
        None for a clip where neither tells.
    """
    found: list[tuple[TimedWord, ...] | None] = []
    for clip, one, words in zip(
        clips, transcripts, scored(family, clips, transcripts), strict=True
    ):
        if words is None:
            beside = None if aligner is None else aligned(aligner, clip.audio, one.text)
            found.append(None if beside is None else tuple(_timed(word, None) for word in beside))
            continue
        made = tuple(_timed(word, calibration) for word in words)
        if family.name == "seq2seq":  # attention does not see where sound begins
            made = tuple(_trimmed(word, clip.audio, family.sample_rate) for word in made)
        found.append(made)
    return found


def scored(
    family: Family, clips: Sequence[Clip], transcripts: Sequence[Transcript]
) -> list[tuple[Word, ...] | None]:
    """The words of each clip as the model itself tells when they are spoken, and how likely.

    Args:
        family: The model that wrote the transcripts.
        clips: No longer than its window.
        transcripts: What it wrote of them.

    Returns:
        None for a clip whose words it does not tell.
    """
    ctc = _ctc(family)
    return [
        words if words is not None or ctc is None else aligned(ctc, clip.audio, one.text)
        for clip, one, words in zip(
            clips, transcripts, family.word_times(clips, transcripts), strict=True
        )
    ]


def aligned(family: CTC, audio: np.ndarray, text: str) -> tuple[Word, ...] | None:
    """The words of a text by the posteriors of a CTC model; None where they do not fit in.

    Args:
        family: The model.
        audio: float32 [samples] at its rate.
        text: What is said.
    """
    words = text.split()
    tokenizer = WordTokenizer(family)
    labels = tokenizer.tokenize_all(words)
    spoken = [row for row, one in enumerate(labels) if one.labels]
    (posteriors,) = family.log_posteriors([audio])
    if not spoken or not len(posteriors):
        return None
    used = used_labels([labels[row] for row in spoken])
    columns = {label: column for column, label in enumerate(used)}
    scores = FrameScores(
        posteriors[:, list(used)],
        posteriors[:, family.blank].copy(),
        posteriors[:, [family.blank, *sorted(tokenizer.separators)]].max(axis=1),
    )
    path = align(scores, [[columns[one] for one in labels[row].labels] for row in spoken])
    if path is None:
        return None
    seconds = frame_samples(family.frontend) / family.sample_rate
    made: list[Word] = []
    reached = 0.0
    places = {row: place for place, row in enumerate(spoken)}
    for row, word in enumerate(words):
        if row not in places:  # nothing that the model has a label for
            made.append(Word(word, reached, reached))
            continue
        first, behind = (int(ends[places[row]]) for ends in (path.word_starts, path.word_ends))
        reached = behind * seconds
        said = path.frames[first:behind], path.scores[first:behind]
        made.append(Word(word, first * seconds, reached, _of_labels(*said)))
    return tuple(made)


def _of_labels(labels: np.ndarray, scores: np.ndarray) -> float:
    """Log probability of a word's labels: each at its likeliest frame, as in greedy decoding."""
    return sum(float(scores[labels == label].max()) for label in np.unique(labels) if label >= 0)


def _timed(word: Word, calibration: Calibration | None) -> TimedWord:
    likely = None
    if calibration is not None and word.log_probability is not None:
        likely = calibration.confidence(word.log_probability)
    return TimedWord(word.text, word.start_seconds, word.end_seconds, likely)


def shifted(words: Sequence[TimedWord], seconds: float) -> Iterator[TimedWord]:
    """The words so much later."""
    for word in words:
        yield replace(
            word,
            start_seconds=word.start_seconds + seconds,
            end_seconds=word.end_seconds + seconds,
        )


def _ctc(family: Family) -> CTC | None:
    from mynah.models.ctc.family import CTC

    return family if isinstance(family, CTC) else None


def _trimmed(word: TimedWord, audio: np.ndarray, sample_rate: int) -> TimedWord:
    """A word without the silence before and behind it."""
    frame = round(_FRAME_SECONDS * sample_rate)
    first = round(word.start_seconds * sample_rate)
    part = audio[first : round(word.end_seconds * sample_rate)]
    rows = part[: len(part) // frame * frame].reshape(-1, frame)
    if len(rows) < 2:
        return word
    levels = 10 * np.log10(np.square(rows).mean(axis=1) + 1e-12)
    loud = np.flatnonzero(levels > levels.max() - _QUIETER_DECIBELS)
    return replace(
        word,
        start_seconds=word.start_seconds + float(loud[0]) * frame / sample_rate,
        end_seconds=word.start_seconds + float(loud[-1] + 1) * frame / sample_rate,
    )
