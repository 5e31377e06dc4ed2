"""A split that is ready to be read: Arrow tables, memory-mapped, and which of their rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from mynah.data import characters
from mynah.data.audio.files import AudioError
from mynah.data.pieces import Piece, Pieces, fingerprint_of
from mynah.data.tables import beside
from mynah.data.tables.columns import Column, StoredColumn, index_type, numbers
from mynah.data.tables.facts import AllRows
from mynah.data.tables.label_bounds import label_bounds_of
from mynah.data.tables.stored_audio import AUDIO_COLUMNS, StoredAudio
from mynah.data.tables.table import Table
from mynah.data.utterances import Utterance

Read = TypeVar("Read")
_READ_ROWS = 1_000


class Corpus:
    """The utterances of one split, in a fixed order.

    Nothing is held in memory but numbers: texts, ids and the like are sequences that read
    where they are asked. It can be pickled into workers: they map the same files.

    Attributes:
        name: The split's name.
        sample_rate: Hertz of what ``read_audio`` gives.
        fingerprint: Of the content: ids, transcripts and audio, in their order; not of where
            it lies.
        repeats: float64 [rows], how often a row is sampled in an epoch on average; None: once.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        *,
        name: str,
        sample_rate: int,
        rows: np.ndarray | None = None,
        repeats: np.ndarray | None = None,
        fingerprint: str | None = None,
    ) -> None:
        """
        Args:
            pieces: Tables, one after the other.
            name: The split's name.
            sample_rate: Hertz to give audio at.
            rows: Which rows of all pieces are meant, in their order; None: all.
            repeats: How often each is sampled in an epoch on average, [rows].
            fingerprint: Where it is known already.
        """
        self.name = name
        self.sample_rate = sample_rate
        self.repeats = repeats
        self._pieces = Pieces(pieces)
        self._rows = rows
        self.fingerprint = fingerprint or fingerprint_of(
            self._pieces, rows, repeats=repeats, sample_rate=sample_rate
        )

    @classmethod
    def of_table(cls, table: Table, *, name: str, sample_rate: int) -> Corpus:
        """All rows of one table, as they are."""
        return cls([Piece(table)], name=name, sample_rate=sample_rate)

    def __getstate__(self) -> dict[str, Any]:
        # What can be read again from the tables is not sent to workers.
        sent = ("name", "sample_rate", "repeats", "fingerprint", "_pieces", "_rows")
        return {name: getattr(self, name) for name in sent}

    def __len__(self) -> int:
        return self._table.num_rows if self._rows is None else len(self._rows)

    @property
    def size(self) -> int:
        """How many utterances there are."""
        return len(self)

    def head(self, *, seed: int) -> Corpus:
        """What a run is judged by before it trains: all of them."""
        return self

    def __repr__(self) -> str:
        return f"Corpus({self.name!r}, {len(self):,} utterances, {self.hours:.2f} hours)"

    @cached_property
    def ids(self) -> Column:
        """Ids, unique in the split."""
        return self._texts_of("id", lambda piece, held: piece.prefix + held)

    @cached_property
    def texts(self) -> Column:
        """Transcripts, under the text policy in a training split; "" where none is spoken."""
        if self._cased_by_language:
            languages = self.languages
            return self._texts_at(
                "text",
                lambda piece, held, row: (
                    piece.policy.apply(held, languages.stored(row)) if piece.policy else held
                ),
            )
        return self._texts_of(
            "text", lambda piece, held: piece.policy.apply(held) if piece.policy else held
        )

    @cached_property
    def speakers(self) -> Column:
        """Speakers, "" where one is not known."""
        return self._texts_of("speaker", lambda piece, held: held)

    @cached_property
    def languages(self) -> Column:
        """ISO 639-1 codes, "" where one is not known."""
        return self._texts_of("language", lambda piece, held: piece.language or held)

    @cached_property
    def contexts(self) -> Column:
        """Names and terms that may be said, "" where none are given."""
        return self._texts_of("context", lambda piece, held: held)

    @cached_property
    def sources(self) -> Column:
        """Where utterances come from."""
        return self._texts_of("source", lambda piece, held: piece.source or held)

    @cached_property
    def columns(self) -> Column:
        """What else the corpus says of utterances: objects of JSON, "" where that is nothing."""
        return self._texts_of(beside.COLUMNS_NAME, lambda piece, held: held)

    @cached_property
    def digests(self) -> Column:
        """Of the recordings' content, "" where it was not looked at: equal for equal ones."""
        return self._texts_of("digest", lambda piece, held: held)

    @cached_property
    def durations(self) -> np.ndarray:
        """float64 [rows], seconds; 0 where the audio cannot be read."""
        return self.numbers("duration_seconds").astype(np.float64, copy=False)

    @cached_property
    def channels(self) -> np.ndarray:
        """int32 [rows], which channel of its file an utterance is on; -1: all are mixed."""
        return self.numbers("channel", missing=-1)

    @cached_property
    def no_speech(self) -> np.ndarray:
        """bool [rows], whether an utterance is known to hold no speech."""
        return self.numbers("no_speech").astype(bool, copy=False)

    @cached_property
    def text_lengths(self) -> np.ndarray:
        """int32 [rows], characters of the transcripts as they are stored."""
        return self.numbers("characters")

    @cached_property
    def hours(self) -> float:
        """Hours of audio."""
        return float(self.durations.sum()) / 3600

    def __getitem__(self, row: int) -> Utterance:
        stored = self._stored_row(row)
        return Utterance(
            id=self.ids.stored(stored),
            text=self.texts.stored(stored),
            # Of this row alone: the columns are 9 bytes a row in every process.
            duration_seconds=float(self._column("duration_seconds")[stored] or 0.0),
            speaker=self.speakers.stored(stored),
            language=self.languages.stored(stored),
            source=self.sources.stored(stored),
            no_speech=bool(self._column("no_speech")[stored]),
            context=self.contexts.stored(stored),
        )

    def read_audio(self, row: int) -> np.ndarray:
        """The utterance: mono float32 [samples] at ``sample_rate``.

        Raises:
            AudioError: It cannot be read.
        """
        return self._read(row, lambda stored: stored.read(self.sample_rate))

    def read_as_recorded(self, row: int) -> tuple[np.ndarray, int]:
        """The utterance as its file has it: mono float32 [samples], and the file's hertz.

        Raises:
            AudioError: It cannot be read.
        """

        def as_recorded(stored: StoredAudio) -> tuple[np.ndarray, int]:
            rate = stored.sample_rate()
            return stored.read(rate), rate

        return self._read(row, as_recorded)

    def _read(self, row: int, reading: Callable[[StoredAudio], Read]) -> Read:
        stored = self.stored_audio(row)
        try:
            return reading(stored)
        except (ValueError, OSError, TypeError) as problem:
            raise AudioError(
                f"The audio of utterance {self.ids[row]} cannot be read: {problem}.",
                where=stored.path or f"{self.name}, row {row}",
                fix="Fix or remove the file, then run again.",
            ) from problem

    def stored_audio(self, row: int) -> StoredAudio:
        """Where the audio of an utterance lies."""
        folder = self._pieces.at(self._stored_row(row)).table.folder
        return StoredAudio.of(self._held(row, AUDIO_COLUMNS), folder)

    def audio_file(self, row: int) -> Path | None:
        """The file that holds the utterance, where it is one of its own on this machine."""
        return self.stored_audio(row).own_file

    def error(self, row: int) -> str:
        """Why an utterance could not be read when it was prepared; "" where it could."""
        return self._held(row, ("error",))["error"] or ""

    def recording(self, row: int) -> str:
        """The file or shard that holds the utterance; "" where its bytes are in the table."""
        return self.stored_audio(row).path or ""

    def arrays(self, column: str) -> Iterator[pa.Array]:
        """A column of the tables as it is stored, piece by piece, in the order of the tables:
        for what is counted over all rows."""
        yield from self._column(column).arrays(self._ascending)
        self._pieces.release()

    def numbers(self, column: str, missing: float = 0) -> np.ndarray:
        """A column of numbers or truth values, [rows]; ``missing`` where there is none."""
        found = numbers(self._table.column(column), missing, release=self._pieces.release)
        return found if self._rows is None else found[self._rows]

    def with_texts(self, texts: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows as they are stored, but for their transcripts, for a table of their own.

        Args:
            texts: One a row.
        """
        stored = self._table if self._rows is None else self._table.take(pa.array(self._rows))
        at = stored.column_names.index("text")
        yield from stored.set_column(at, "text", pa.array(texts, pa.string())).to_batches()

    def joined(self, other: Piece, share: float) -> Corpus:
        """These rows, as often as before, and those of another table behind them.

        Args:
            other: All of its rows are taken.
            share: Of an epoch's audio that is the other's.
        """
        rows = np.arange(len(self)) if self._rows is None else self._rows
        start = self._table.num_rows
        more = np.arange(start, start + len(other.table))
        hours = float(numbers(other.table.arrow.column("duration_seconds")).sum()) / 3600
        of_own = np.ones(len(self)) if self.repeats is None else self.repeats
        each = np.full(len(other.table), share / (1 - share) * self.hours / hours)
        return Corpus(
            [*self._pieces, other],
            name=self.name,
            sample_rate=self.sample_rate,
            rows=np.concatenate([rows, more]).astype(index_type(start + len(other.table))),
            repeats=np.concatenate([of_own, each]),
        )

    def select(self, rows: Sequence[int] | np.ndarray) -> Corpus:
        """Some rows, in the order given."""
        chosen = np.asarray(rows, dtype=np.int64).reshape(-1)
        digest = hashlib.blake2b(self.fingerprint.encode(), digest_size=16)
        digest.update(np.ascontiguousarray(chosen).data)
        return Corpus(
            self._pieces,
            name=self.name,
            sample_rate=self.sample_rate,
            rows=(chosen if self._rows is None else self._rows[chosen]).astype(
                index_type(self._table.num_rows)
            ),
            repeats=None if self.repeats is None else self.repeats[chosen],
            fingerprint=digest.hexdigest(),
        )

    def release(self) -> None:
        """Let go of the memory of what was read of all rows: it is read again where it is asked."""
        for name in ("durations", "text_lengths"):
            self.__dict__.pop(name, None)
        self._pieces.release()

    @property
    def tokenizer_texts(self) -> Sequence[str]:
        """What a tokenizer is trained on: all transcripts, or of more than 300,000 a fixed sample
        of 20,000 and one with each character that is in none of those."""
        rows = self.all_rows.tokenizer_rows
        return self.texts if rows is None else self.select(rows).read_texts()

    def read_texts(self) -> list[str]:
        """All transcripts, read so that no more memory than theirs is held."""
        found: list[str] = []
        for start in range(0, len(self), _READ_ROWS):
            found += self.texts[start : start + _READ_ROWS]
            self.release()
        return found

    @property
    def distinct_languages(self) -> set[str]:
        """The languages of the rows, "" among them where one is not known."""
        named = {piece.language for piece in self._pieces}
        if len(named) > 1:
            return set(self.languages)
        return {one for one in named if one is not None} or self.all_rows.distinct("language")

    def label_bounds(self) -> np.ndarray:
        """int64 [rows], at most so many frames does CTC need for a transcript, whatever the
        tokenizer (:func:`mynah.data.tables.label_bounds.label_bounds`)."""
        if not self._pieces.are_plain:
            return label_bounds_of(self.texts)
        return self.all_rows.label_bounds

    @cached_property
    def all_rows(self) -> AllRows:
        """What is asked of all rows together."""
        return AllRows(self._table, self._rows, self._pieces.statistics, self._pieces.release)

    @cached_property
    def _ascending(self) -> np.ndarray | None:
        rows = self._rows
        if rows is None or (rows[1:] >= rows[:-1]).all():
            return rows
        return np.sort(rows)

    @property
    def _table(self) -> pa.Table:
        return self._pieces.table

    @cached_property
    def _stored(self) -> dict[str, StoredColumn]:
        return {}

    def _column(self, name: str) -> StoredColumn:
        if name not in self._stored:
            self._stored[name] = StoredColumn(self._held_column(name))
        return self._stored[name]

    def _held_column(self, name: str) -> pa.ChunkedArray:
        if name in beside.OPTIONAL and name not in self._table.column_names:
            sizes = [len(chunk) for chunk in self._table.column("id").chunks]
            return pa.chunked_array([pa.nulls(size, pa.string()) for size in sizes], pa.string())
        return self._table.column(name)

    @cached_property
    def _cased_by_language(self) -> bool:
        """Whether some transcript is put into the lower case of a language with its own."""
        if not any(piece.policy is not None and piece.policy.lower for piece in self._pieces):
            return False
        there = self.all_rows.distinct("language") | {piece.language for piece in self._pieces}
        return any(one and characters.has_own_case(one) for one in there)

    def _texts_of(self, name: str, seen: Callable[[Piece, str], str]) -> Column:
        return self._texts_at(name, lambda piece, held, row: seen(piece, held))

    def _texts_at(self, name: str, seen: Callable[[Piece, str, int], str]) -> Column:
        """A column of texts as ``seen(piece, stored value, stored row)`` gives them."""
        if len(self._pieces) == 1:
            only = self._pieces[0]

            def shown(held: str | None, row: int) -> str:
                return seen(only, held or "", row)
        else:

            def shown(held: str | None, row: int) -> str:
                return seen(self._pieces.at(row), held or "", row)

        return Column(self._column(name), self._rows, shown)

    def _stored_row(self, row: int) -> int:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        row = int(row) % len(self)
        return row if self._rows is None else int(self._rows[row])

    def _held(self, row: int, columns: Sequence[str]) -> dict[str, Any]:
        stored = self._stored_row(row)
        return {name: self._column(name)[stored] for name in columns}
