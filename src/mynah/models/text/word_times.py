"""When each word of a transcript is spoken, from the encoder frames of its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mynah.models.features.frontends import Frontend, frame_samples
from mynah.models.text.tokenizers import pieces_of, text_of
from mynah.models.transcript import Transcript, Word


@dataclass(frozen=True)
class Path:
    """What a model reads off an utterance's encoder frames, step by step.

    Attributes:
        tokens: Token ids in order, without blanks.
        spans: Of each token the first of its frames, and the one behind its last.
        log_probability: Natural logarithm of the probability of all steps, blanks among them.
    """

    tokens: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    log_probability: float


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
    found: list[tuple[str, int, int]] = []
    inside = False
    for token, (first, behind) in zip(path.tokens, path.spans, strict=True):
        for character in pieces.get(token, ""):
            if character.isspace():
                inside = False
            elif inside:
                letters, start, _ = found[-1]
                found[-1] = letters + character, start, behind
            else:
                found.append((character, first, behind))
                inside = True
    written = text.split()
    if [letters.lower() for letters, _, _ in found] != [word.lower() for word in written]:
        return None
    return tuple(
        Word(word, start * frame_seconds, end * frame_seconds)
        for word, (_, start, end) in zip(written, found, strict=True)
    )
