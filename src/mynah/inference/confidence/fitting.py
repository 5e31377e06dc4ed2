"""The calibration of a model, fitted on an evaluation split and stored in its checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mynah import console, distributed
from mynah.checkpoints.commit import add_file
from mynah.evaluation.decoding.decode import without_a_trace
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.metrics.edits import align_words
from mynah.evaluation.normalize import Normalizer, get_normalizer
from mynah.inference.confidence.calibration import CALIBRATION_FILE, Calibration, ScoredWord, fit
from mynah.models.text.units import units
from mynah.models.transcript import Clip, Transcript
from mynah.segmentation.aligning.word_times import units_of, words_with_times
from mynah.stopping.polling import poll

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus
    from mynah.models.family import Family

_MOST_UTTERANCES = 200
_BATCH = 8
_DECODED_AGAIN = ("ctc", "transducer")  # cheaper than to find their path in the text


def store_calibration(
    family: Family,
    corpus: Corpus,
    hypotheses: Sequence[Hypothesis],
    normalizer: str,
    folders: Sequence[Path],
) -> None:
    """Fit the confidences of a model's words, and write them into its checkpoints.

    Args:
        family: The model, decoding as it was measured.
        corpus: What it was measured on.
        hypotheses: What it recognized there, one a row.
        normalizer: What counts as the same word.
        folders: Checkpoints of the model.
    """
    if not distributed.is_first_rank():
        return
    found = calibrated(family, corpus, hypotheses, normalizer)
    if found is None:
        return
    for folder in folders:
        add_file(folder, CALIBRATION_FILE, found.to_json())
    if found.error is not None:
        console.say(
            f"Confidences of words: fitted on {found.words:,} words of {corpus.name}, expected "
            f"calibration error {found.error:.3f} on speakers left out"
        )


def calibrated(
    family: Family, corpus: Corpus, hypotheses: Sequence[Hypothesis], normalizer: str
) -> Calibration | None:
    """The calibration of a model; None where it gives no probability of its words, or says too
    little."""
    return fit(list(scored_words(family, corpus, hypotheses, normalizer)))


def scored_words(
    family: Family, corpus: Corpus, hypotheses: Sequence[Hypothesis], normalizer: str
) -> Iterator[ScoredWord]:
    """The words that a model wrote of a corpus, some hundred utterances of it.

    Args:
        family: The model, decoding as it was measured.
        corpus: What it was measured on.
        hypotheses: What it recognized there, one a row.
        normalizer: What counts as the same word.
    """
    most = min(_MOST_UTTERANCES, len(corpus))
    rows = np.unique(np.linspace(0, len(corpus) - 1, most).round().astype(int)).tolist()
    same = get_normalizer(normalizer)
    for first in range(0, len(rows), _BATCH):
        poll()
        batch = [row for row in rows[first : first + _BATCH] if hypotheses[row].error is None]
        clips = [
            Clip(corpus.read_audio(row), corpus.languages[row], corpus.contexts[row])
            for row in batch
        ]
        with without_a_trace(family.model):
            if family.name in _DECODED_AGAIN:
                transcripts = family.transcribe(clips)
            else:
                transcripts = [
                    Transcript(hypotheses[row].text, language=corpus.languages[row] or None)
                    for row in batch
                ]
            timed = words_with_times(family, clips, transcripts)
        for row, found in zip(batch, timed, strict=True):
            if found is None:
                continue
            words, one = list(units_of(found)), hypotheses[row]
            right = words_right([word.text for word in words], one.reference, same, one.language)
            for word, is_right in zip(words, right, strict=True):
                if is_right is not None and word.log_probability is not None:
                    yield ScoredWord(word.log_probability, is_right, one.speaker or one.id)


def words_right(
    words: Sequence[str], reference: str, normalizer: Normalizer, language: str = ""
) -> list[bool | None]:
    """Whether each word is that of the reference at its place, in the alignment that is counted.

    Args:
        words: As the model wrote them.
        reference: As the corpus has it.
        normalizer: What counts as the same word.
        language: ISO 639-1 code.

    Returns:
        None for what the normaliser leaves nothing of.
    """
    pieces = [units(normalizer(word, language)) for word in words]
    written = [piece for of_word in pieces for piece in of_word]
    steps = align_words(units(normalizer(reference, language)), written)
    right = iter([step.operation == "equal" for step in steps if step.hypothesis])
    of_pieces = [[next(right) for _ in of_word] for of_word in pieces]
    return [all(of_word) if of_word else None for of_word in of_pieces]
