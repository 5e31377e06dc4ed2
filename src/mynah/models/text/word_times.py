"""When each word of a transcript is spoken, from the encoder frames of its tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mynah.models.features.frontends import Frontend, frame_samples
from mynah.models.text.tokenizers import pieces_of, text_of
from mynah.models.text.units import unit_spans
from mynah.models.transcript import Transcript, Word


@dataclass(frozen=True)
class Path:
    """What a model reads off an utterance's encoder frames, step by step.

    Attributes:
        tokens: Token ids in order, without blanks.
        spans: Of each token the first of its frames, and the one behind its last.
        log_probability: Natural logarithm of the probability of all steps, blanks among them.
        token_log_probabilities: The same of each token: of its likeliest frame, where it has
            several.
    """

    tokens: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    log_probability: float
    token_log_probabilities: tuple[float, ...]


class PathWriter:
    """Writes the transcripts of paths.

    Args:
        tokenizer: Of the model.
        frontend: Of the model: it knows how long a frame is.
        timed: Whether the frames of a token are those in which it is spoken.
    """

    def __init__(self, tokenizer: Any, frontend: Frontend, *, timed: bool) -> None:
        self._tokenizer = tokenizer
        self._frontend = frontend
        self._timed = timed
        self._pieces: Mapping[int, str] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pieces": None}  # as large as the vocabulary

    def write(self, path: Path, *, language: str | None = None) -> Transcript:
        """The transcript of one clip, whose model is conditioned on ``language``."""
        text = text_of(self._tokenizer, path.tokens)
        words = None
        if self._timed:
            if self._pieces is None:
                self._pieces = pieces_of(self._tokenizer)
            seconds = frame_samples(self._frontend) / self._frontend.sample_rate
            words = timed_words(text, path, self._pieces, seconds)
        return Transcript(text, path.tokens, path.log_probability, words, language)


def timed_words(
    text: str, path: Path, pieces: Mapping[int, str], frame_seconds: float
) -> tuple[Word, ...] | None:
    """The words of a transcript with their times.

    Args:
        text: What the tokenizer makes of the path's tokens.
        path: The tokens and their frames.
        pieces: The characters of each token, where a space begins another word.
        frame_seconds: Seconds from one frame to the next.

    Returns:
        None where the pieces do not add up to the words of the text, as those of a tokenizer of
        bytes, or one that puts punctuation together.
    """
    found: list[Word] = []
    # Of each word's characters: the frames of its token, and an equal share of the token's score.
    characters: list[list[tuple[int, int, float]]] = []
    inside = False
    steps = zip(path.tokens, path.spans, path.token_log_probabilities, strict=True)
    for token, (first, behind), score in steps:
        begun = False  # whether the token stands in this word already
        piece = pieces.get(token, "")
        share = score / max(1, len("".join(piece.split())))
        for character in piece:
            if character.isspace():
                inside = begun = False
            elif inside:
                word = found[-1]
                found[-1] = Word(
                    word.text + character,
                    word.start_seconds,
                    behind * frame_seconds,
                    (word.log_probability or 0.0) + (0.0 if begun else score),
                )
                characters[-1].append((first, behind, share))
                begun = True
            else:
                characters.append([(first, behind, share)])
                found.append(Word(character, first * frame_seconds, behind * frame_seconds, score))
                inside = begun = True
    written = text.split()
    if [word.text.lower() for word in found] != [word.lower() for word in written]:
        return None
    return tuple(
        replace(word, text=shown, units=_units(shown, of_word, frame_seconds))
        for word, shown, of_word in zip(found, written, characters, strict=True)
    )


def _units(
    text: str, characters: Sequence[tuple[int, int, float]], frame_seconds: float
) -> tuple[Word, ...]:
    """The units of a word by the frames and scores of its characters; none where it is one."""
    spans = unit_spans(text)
    if len(spans) < 2 or len(characters) != len(text):
        return ()
    return tuple(
        Word(
            text[start:end],
            characters[start][0] * frame_seconds,
            characters[end - 1][1] * frame_seconds,
            sum(score for _, _, score in characters[start:end]),
        )
        for start, end in spans
    )
