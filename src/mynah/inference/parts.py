"""Recordings transcribed in parts, each by a process that keeps its model."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mynah.inference.load import load
from mynah.inference.recognizer import Recognizer
from mynah.inference.transcription import Transcription
from mynah.ranks.spread import Spread

# Of audio in a part, which a process that is lost costs: so much that many parts come of it, and
# at least what is decoded in one batch.
_LEAST_SECONDS, _MOST_SECONDS, _MANY = 240.0, 1200.0, 64
_PART_RECORDINGS = 200


@dataclass(frozen=True)
class LoadedBy:
    """What a recognizer is loaded with.

    Attributes:
        model: A checkpoint, a folder or a hub name.
        settings: Settings of decoding.
        revision: Branch, tag or commit of a hub model.
        offline: Load nothing that is not on this machine.
        device: As torch names it; None: an accelerator where there is one.
        aligner: A CTC model that times words.
    """

    model: str
    settings: tuple[str, ...] = ()
    revision: str | None = None
    offline: bool = False
    device: str | None = None
    aligner: str | None = None

    def load(self) -> Recognizer:
        """The recognizer.

        Raises:
            UserError: There is none, or it cannot be loaded.
        """
        return load(
            self.model,
            settings=list(self.settings),
            revision=self.revision,
            offline=self.offline,
            device=self.device,
            aligner=self.aligner,
        )


@dataclass(frozen=True)
class Asked:
    """How recordings are transcribed; see :meth:`Recognizer.transcribe_many`."""

    context: str = ""
    channels: str | int = "mix"
    words: bool = False


@dataclass(frozen=True)
class PartOfRecordings:
    """Recordings that are transcribed together.

    Attributes:
        paths: Their files.
        model: What transcribes them.
        asked: How.
    """

    paths: tuple[Path, ...]
    model: LoadedBy
    asked: Asked

    def transcripts(self, recognizer: Recognizer) -> Iterator[Transcription]:
        """The transcripts, in their order."""
        return recognizer.transcribe_many(
            self.paths,
            context=self.asked.context,
            channels=self.asked.channels,
            words=self.asked.words,
        )


def transcribe_part(part: PartOfRecordings) -> list[Transcription]:
    """The transcripts of a part, in the order of its recordings."""
    return list(part.transcripts(_kept(part.model)))


@functools.lru_cache(maxsize=1)
def _kept(model: LoadedBy) -> Recognizer:
    return model.load()


def parts_of(
    paths: Sequence[Path], seconds: Sequence[float], model: LoadedBy, asked: Asked
) -> list[PartOfRecordings]:
    """Cut recordings into parts, in their order.

    Args:
        paths: Their files.
        seconds: How long each is.
        model: What transcribes them.
        asked: How.
    """
    most = min(max(sum(seconds) / _MANY, _LEAST_SECONDS), _MOST_SECONDS)
    found: list[list[Path]] = []
    length = 0.0
    for path, one in zip(paths, seconds, strict=True):
        full = found and (length + one > most or len(found[-1]) >= _PART_RECORDINGS)
        if not found or full:
            found.append([])
            length = 0.0
        found[-1].append(path)
        length += one
    return [PartOfRecordings(tuple(part), model, asked) for part in found]


def in_parts(spread: Spread, parts: Sequence[PartOfRecordings]) -> Iterator[Transcription]:
    """The transcripts of all parts, in the order of their recordings.

    Args:
        spread: Where parts are transcribed.
        parts: The parts.
    """
    early: dict[int, list[Transcription]] = {}
    following = 0
    for number, found in spread.each(transcribe_part, parts):
        early[number] = found
        while following in early:
            yield from early.pop(following)
            following += 1
