"""When the words of a transcript are spoken, by the model that wrote it.

A CTC model that decodes greedily and a TDT tell by their frames, a Whisper by its attention. What
a CTC model writes by beam search is aligned to its own posteriors.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mynah.models.features.frontends import frame_samples
from mynah.models.text.units import unit_spans
from mynah.models.transcript import Clip, Transcript, Word
from mynah.segmentation.aligning.aligned_text import used_labels
from mynah.segmentation.aligning.alignment import Alignment, FrameScores, align
from mynah.segmentation.aligning.labels import WordTokenizer

if TYPE_CHECKING:
    from mynah.models.ctc.family import CTC
    from mynah.models.family import Family

_FRAME_SECONDS = 0.01
_QUIETER_DECIBELS = 30.0  # than the loudest of a word: none of it


def words_with_times(
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
    found: list[tuple[Word, ...] | None] = []
    for clip, one, words in zip(
        clips, transcripts, family.word_times(clips, transcripts), strict=True
    ):
        if words is None and ctc is not None:
            words = aligned_words(ctc, clip.audio, one.text)
        elif words is not None and family.name == "seq2seq":
            # Attention does not see where sound begins.
            words = tuple(_trimmed(word, clip.audio, family.sample_rate) for word in words)
        found.append(words)
    return found


def aligned_words(family: CTC, audio: np.ndarray, text: str) -> tuple[Word, ...] | None:
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
    label = 0  # counted over all words
    places = {row: place for place, row in enumerate(spoken)}
    for row, word in enumerate(words):
        if row not in places:  # nothing that the model has a label for
            made.append(Word(word, reached, reached))
            continue
        first, behind = (int(ends[places[row]]) for ends in (path.word_starts, path.word_ends))
        reached = behind * seconds
        said = path.frames[first:behind], path.scores[first:behind]
        of_units = _unit_labels(word, tokenizer, labels[row].labels)
        units = tuple(_aligned_units(of_units, path, label, seconds))
        made.append(Word(word, first * seconds, reached, _of_labels(*said), units))
        label += len(labels[row].labels)
    return tuple(made)


def _unit_labels(
    word: str, tokenizer: WordTokenizer, labels: tuple[int, ...]
) -> list[tuple[str, int]]:
    """The units of a word with how many of its labels each has, in order; none where it is one
    unit, or labels stand for several at once."""
    spans = unit_spans(word)
    if len(spans) < 2:
        return []
    each = [(word[start:end], tokenizer.tokenize(word[start:end]).labels) for start, end in spans]
    is_said = all(own for _, own in each)
    joined = tuple(itertools.chain.from_iterable(own for _, own in each))
    return [(unit, len(own)) for unit, own in each] if is_said and joined == labels else []


def _aligned_units(
    units: Sequence[tuple[str, int]], path: Alignment, label: int, seconds: float
) -> Iterator[Word]:
    """Units with their times, the first of whose labels is ``label``, counted over all words."""
    for unit, count in units:
        at = np.flatnonzero((path.frames >= label) & (path.frames < label + count))
        score = _of_labels(path.frames[at], path.scores[at])
        yield Word(unit, int(at[0]) * seconds, (int(at[-1]) + 1) * seconds, score)
        label += count


def units_of(words: Iterable[Word]) -> Iterator[Word]:
    """The units of words, one after the other, each with its times and its log probability.

    Where a model does not tell those of a word's characters, each has an equal share.
    """
    for word in words:
        spans = unit_spans(word.text)
        if len(spans) < 2 or len(word.units) == len(spans):
            yield from word.units if len(word.units) == len(spans) else (word,)
            continue
        seconds, score = word.end_seconds - word.start_seconds, word.log_probability
        for start, end in spans:
            yield Word(
                word.text[start:end],
                word.start_seconds + seconds * start / len(word.text),
                word.start_seconds + seconds * end / len(word.text),
                None if score is None else score * (end - start) / len(word.text),
            )


def _of_labels(labels: np.ndarray, scores: np.ndarray) -> float:
    """Log probability of a word's labels: each at its likeliest frame, as in greedy decoding."""
    return sum(float(scores[labels == label].max()) for label in np.unique(labels) if label >= 0)


def _ctc(family: Family) -> CTC | None:
    from mynah.models.ctc.family import CTC

    return family if isinstance(family, CTC) else None


def _trimmed(word: Word, audio: np.ndarray, sample_rate: int) -> Word:
    """A word without the silence before and behind it."""
    frame = round(_FRAME_SECONDS * sample_rate)
    first = round(word.start_seconds * sample_rate)
    part = audio[first : round(word.end_seconds * sample_rate)]
    rows = part[: len(part) // frame * frame].reshape(-1, frame)
    if len(rows) < 2:
        return word
    levels = 10 * np.log10(np.square(rows).mean(axis=1) + 1e-12)
    loud = np.flatnonzero(levels > levels.max() - _QUIETER_DECIBELS)
    start = word.start_seconds + float(loud[0]) * frame / sample_rate
    end = word.start_seconds + float(loud[-1] + 1) * frame / sample_rate
    units = tuple(
        replace(
            one,
            start_seconds=min(max(one.start_seconds, start), end),
            end_seconds=min(max(one.end_seconds, start), end),
        )
        for one in word.units
    )
    return replace(word, start_seconds=start, end_seconds=end, units=units)
