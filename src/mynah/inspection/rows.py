"""What the table of a split tells of its rows, gathered block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mynah.console import progress
from mynah.inspection.words.text_counts import TextColumns, TextCounts, measure_texts, text_array

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus

BLOCK_ROWS = 20_000


@dataclass(frozen=True)
class Names:
    """A column of few different values.

    Attributes:
        names: The values, each once.
        codes: Which of them a row has, [rows].
    """

    names: list[str]
    codes: np.ndarray

    def __getitem__(self, row: int) -> str:
        return self.names[int(self.codes[row])]

    @property
    def known(self) -> list[str]:
        """The values that occur, but the empty one."""
        return [name for name in self.names if name]


@dataclass(frozen=True)
class Rows:
    """What is known of each utterance of a split without its audio: numbers, [rows] each.

    Attributes:
        durations: Seconds; 0 where the audio cannot be read.
        texts: What the transcripts measure.
        counts: What the transcripts of each language hold.
        digests: Equal for recordings with the same content; 0 where that is not known.
        channels: Which channel of its file an utterance is on; -1: all are mixed.
        no_speech: Whether it is known to hold no speech.
    """

    durations: np.ndarray
    texts: TextColumns
    counts: dict[str, TextCounts] = field(repr=False)
    speakers: Names
    languages: Names
    sources: Names
    digests: np.ndarray
    channels: np.ndarray
    no_speech: np.ndarray

    def __len__(self) -> int:
        return len(self.durations)

    @property
    def characters_a_second(self) -> np.ndarray:
        """Of the transcript over the full recording, [rows]; NaN where either is missing."""
        return self._a_second(self.texts.characters)

    @property
    def words_a_second(self) -> np.ndarray:
        """The same of words."""
        return self._a_second(self.texts.words)

    def all_counts(self) -> TextCounts:
        """The counts of all languages together."""
        merged = TextCounts()
        for counts in self.counts.values():
            merged.merge(counts)
        return merged

    def _a_second(self, lengths: np.ndarray) -> np.ndarray:
        spoken = (self.durations > 0) & (lengths > 0)
        rates = np.full(len(self), np.nan)
        rates[spoken] = lengths[spoken] / self.durations[spoken]
        return rates


def gather_rows(corpus: Corpus) -> Rows:
    """Go through the table of a split once; no audio is read."""
    texts: list[TextColumns] = []
    counts: dict[str, TextCounts] = {}
    columns = {name: _Encoder() for name in ("speakers", "languages", "sources")}
    digests = np.zeros(len(corpus), dtype=np.int64)
    with progress(f"Reading the transcripts of {corpus.name}", len(corpus), "rows") as done:
        for start in range(0, len(corpus), BLOCK_ROWS):
            block = slice(start, min(start + BLOCK_ROWS, len(corpus)))
            transcripts = text_array(corpus.texts[block])
            texts.append(measure_texts(transcripts))
            for name, encoder in columns.items():
                encoder.add(getattr(corpus, name)[block])
            languages = columns["languages"]
            for code in np.unique(languages.last):
                language = languages.names[int(code)]
                mine = transcripts.filter(pa.array(languages.last == code))
                counts.setdefault(language, TextCounts()).add(mine)
            digests[block] = [hash(d) if d else 0 for d in corpus.digests[block]]
            done(block.stop - block.start)
    return Rows(
        durations=corpus.durations,
        texts=_joined(texts),
        counts=counts,
        speakers=columns["speakers"].finished(),
        languages=columns["languages"].finished(),
        sources=columns["sources"].finished(),
        digests=digests,
        channels=np.asarray(corpus.channels),
        no_speech=np.asarray(corpus.no_speech),
    )


class _Encoder:
    """Names to numbers, the same number for the same name in every block."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._codes: list[np.ndarray] = []

    @property
    def last(self) -> np.ndarray:
        """The codes of the newest block."""
        return self._codes[-1]

    def add(self, values: Sequence[str]) -> None:
        encoded = pc.dictionary_encode(text_array(values))
        for name in encoded.dictionary.to_pylist():
            if name not in self._numbers:
                self._numbers[name] = len(self.names)
                self.names.append(name)
        numbers = np.array(
            [self._numbers[name] for name in encoded.dictionary.to_pylist()], dtype=np.int32
        )
        self._codes.append(numbers[encoded.indices.to_numpy(zero_copy_only=False)])

    def finished(self) -> Names:
        return Names(self.names, np.concatenate(self._codes))


def _joined(blocks: Sequence[TextColumns]) -> TextColumns:
    return TextColumns(
        *(
            np.concatenate([getattr(block, name) for block in blocks])
            for name in TextColumns.__dataclass_fields__
        )
    )
