"""What a model is given to transcribe, and what it makes of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mynah.models.text.units import joined_texts

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Clip:
    """An utterance to transcribe.

    Attributes:
        audio: float32 [samples], at :attr:`~mynah.models.family.Family.sample_rate` hertz.
        language: ISO 639-1 code of what is spoken; "" where it is not known. A model that is
            conditioned on no language makes the same of any.
        context: Names and terms that may occur; "" where there are none. A model that takes
            none makes the same of any.
    """

    audio: np.ndarray
    language: str = ""
    context: str = ""


@dataclass(frozen=True)
class Word:
    """A word of a transcript, with when it is spoken by the frames of the model's encoder.

    Attributes:
        text: The word as the transcript has it.
        start_seconds: Where the first frame of its first token begins, from the clip's start.
        end_seconds: Where the last frame of its last token ends.
        log_probability: Natural logarithm of the probability of its tokens; None where that is
            not kept.
        units: Where a script without spaces makes one word of many characters, each of these
            (:func:`mynah.models.text.units.units`); none where that is not known.
    """

    text: str
    start_seconds: float
    end_seconds: float
    log_probability: float | None = None
    units: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Transcript:
    """What a model makes of one clip.

    Attributes:
        text: As the model writes it, without space at its ends; "" where it writes nothing, and
            of a clip that is too short for its encoder.
        tokens: Ids of the tokens that the text is decoded from, in order: without blanks,
            prompt, times, end and padding.
        log_probability: Natural logarithm of the probability of the steps that decoding took:
            of the best label of each frame (CTC), of each label or blank with its duration
            (transducers), of each token and the end (decoders, after what their generation
            config rules out). The same for any batching up to rounding. None where decoding
            does not follow one path, as a beam search, or does not keep it.
        words: When each word of the text is spoken; None where the family does not know, or the
            tokenizer's pieces do not show where words begin.
        language: ISO 639-1 code of the language that the model was conditioned on: the clip's
            own, that of the settings, or the one that it identified. None where it is
            conditioned on none.
        is_cut: Whether it has as many tokens as a transcript may have, and no end.
    """

    text: str
    tokens: tuple[int, ...] = ()
    log_probability: float | None = None
    words: tuple[Word, ...] | None = None
    language: str | None = None
    is_cut: bool = False


_NAMED = 3  # transcripts that a notice names


def cut_notice(named: Sequence[str]) -> str:
    """What is said of transcripts that were cut, in a sentence.

    Args:
        named: What each is of, one at least.
    """
    one = len(named) == 1
    count = "1 transcript is" if one else f"{len(named):,} transcripts are"
    return (
        f"{count} cut off at the most tokens allowed, and {'its' if one else 'their'} end is "
        f"missing: {', '.join(named[:_NAMED])}{' and more' if len(named) > _NAMED else ''}. Raise "
        "model.generation_max_length, as far as the decoder holds."
    )


def joined(transcripts: Sequence[Transcript]) -> Transcript:
    """The transcript of a clip from those of its pieces, in order, which have no word times."""
    scores = [one.log_probability for one in transcripts]
    known = [score for score in scores if score is not None]
    return Transcript(
        text=joined_texts(one.text for one in transcripts),
        tokens=tuple(itertools.chain.from_iterable(one.tokens for one in transcripts)),
        log_probability=sum(known) if transcripts and len(known) == len(scores) else None,
        language=transcripts[0].language if transcripts else None,
        is_cut=any(one.is_cut for one in transcripts),
    )
