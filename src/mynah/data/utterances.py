"""What a training asks of its data: the same of a table and of a stream."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

if TYPE_CHECKING:
    import numpy as np

# What a row is asked for by: its number in a table; of a stream the row itself.
Asked = TypeVar("Asked", contravariant=True)


@dataclass(frozen=True)
class Utterance:
    """One row, without its audio."""

    id: str
    text: str
    duration_seconds: float
    speaker: str
    language: str
    source: str
    no_speech: bool = False
    context: str = ""


class TrainingData(Protocol[Asked]):
    """What a training reads: a corpus by row numbers, or a stream by its rows themselves.

    Attributes:
        name: The split's name.
        sample_rate: Hertz of what :meth:`read_audio` gives.
        fingerprint: Of the content; a resumed training must have the same.
        tokenizer_texts: Transcripts that a tokenizer is trained on.
        size: How many rows there are; None of a stream, whose rows nobody has counted.
    """

    @property
    def name(self) -> str: ...

    @property
    def sample_rate(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def tokenizer_texts(self) -> Iterable[str]: ...

    @property
    def size(self) -> int | None: ...

    def __getitem__(self, row: Asked, /) -> Utterance: ...

    def read_audio(self, row: Asked, /) -> np.ndarray:
        """Mono float32 [samples].

        Raises:
            AudioError: It cannot be read.
        """

    def head(self, *, seed: int) -> Utterances:
        """What a run is judged by before it trains: all rows of a table, the first of a stream.

        Raises:
            UserError: Of a stream: a shard cannot be read, or there is no usable row.
        """


class Utterances(TrainingData[int], Protocol):
    """Rows that have been counted, by number: a corpus, or the first rows of a stream.

    Attributes:
        ids: Ids, one a row.
        texts: Transcripts, one a row.
        distinct_languages: ISO 639-1 codes of the rows, "" where one is not known.
        durations: float64 [rows], seconds.
        text_lengths: int32 [rows], characters of the transcripts.
        repeats: float64 [rows], how often a row comes in an epoch on average; None: once.
    """

    @property
    def texts(self) -> Sequence[str]: ...

    @property
    def ids(self) -> Sequence[str]: ...

    @property
    def distinct_languages(self) -> set[str]: ...

    @property
    def durations(self) -> np.ndarray: ...

    @property
    def text_lengths(self) -> np.ndarray: ...

    @property
    def repeats(self) -> np.ndarray | None: ...

    def __len__(self) -> int: ...

    def release(self) -> None:
        """Let go of the memory of what was read of all rows."""

    def label_bounds(self) -> np.ndarray:
        """int64 [rows], at most so many frames does CTC need for a transcript."""

    def select(self, rows: Sequence[int] | np.ndarray, /) -> Self:
        """Some rows, in the order given."""
