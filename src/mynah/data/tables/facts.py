"""What a run asks of all rows of a table before its first step, found without a row in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mynah.data.scripts import NO_TEXT
from mynah.data.tables.columns import StoredColumn, numbers
from mynah.data.tables.label_bounds import stored_label_bounds
from mynah.data.tables.shards import regular_texts

# What packed tables have beside the columns of others.
LABEL_BOUND, SENTENCE, AUDIO_DIGEST = "label_bound", "sentence", "audio_digest"

_ALL_ROWS = 300_000  # so many train a tokenizer all together; LibriSpeech has 281,000
_SAMPLED_ROWS = 20_000  # as many as data.tokenizer_rows takes of a stream
_STRETCH_ROWS = 10
_READ_ROWS = 1_000  # after which the memory of their texts is given back
_SEED = 0
_CODES = 0x110000  # of Unicode


class AllRows:
    """Some rows of a table.

    Args:
        table: All rows of some tables, one after the other.
        rows: Those that are meant, in their order; None: all.
        counted: The statistics of each table, where they were stored with it.
        release: Lets go of the memory of what was read of the table.
    """

    def __init__(
        self,
        table: pa.Table,
        rows: np.ndarray | None,
        counted: Sequence[Mapping[str, Any] | None],
        release: Callable[[], None],
    ) -> None:
        self._release = release
        self._table = table
        self._rows = rows
        self._counted = counted[0] if len(counted) == 1 else None

    def __len__(self) -> int:
        return self._table.num_rows if self._rows is None else len(self._rows)

    def distinct(self, column: str) -> set[str]:
        """The values of a column of texts, "" for none."""
        if column == "language" and self._rows is None and self._counted is not None:
            return set(self._counted["languages"])
        parts = [pc.unique(array) for array in self._arrays(column)]
        found = pc.unique(pa.chunked_array(parts, type=pa.string())).to_pylist()
        return {one or "" for one in found}

    def has(self, column: str) -> bool:
        """Whether every row has a value in a column of packed tables."""
        there = column in self._table.column_names
        return there and self._table.column(column).null_count == 0

    def where(self, column: str, test: Callable[[pa.Array], pa.Array]) -> np.ndarray:
        """bool [rows], whether a value is so; of no value it is not."""
        if self._table.column(column).null_count == self._table.num_rows:
            return np.zeros(len(self), dtype=bool)
        found = [test(array).to_numpy(zero_copy_only=False) for array in self._arrays(column)]
        return self._in_order(np.concatenate(found).astype(bool))

    def numbers(self, column: str) -> np.ndarray:
        """A column of numbers, [rows]."""
        found = numbers(self._table.column(column), release=self._release)
        return found if self._rows is None else found[self._rows]

    @property
    def speakers(self) -> Mapping[str, Sequence[str]] | None:
        """The speakers of each source, "" where one is not known; None where they are to be
        looked for."""
        return (
            None if self._rows is not None or not self._counted else self._counted.get("speakers")
        )

    @property
    def no_annotations(self) -> bool:
        """Whether it is known that nothing looks like an annotation in any transcript."""
        return self._counted is not None and not self._counted["annotations"]

    @property
    def one_script(self) -> bool:
        """Whether it is known that all letters of all transcripts are of one script."""
        if self._counted is None:
            return False
        return len(set(self._counted["scripts"]) - {"", NO_TEXT}) < 2

    @property
    def no_repeated_audio(self) -> bool:
        """Whether it is known that no recording is there twice."""
        return self._counted is not None and self._counted.get("repeated_audio") == 0

    @property
    def label_bounds(self) -> np.ndarray:
        """int64 [rows], of transcripts in Unicode NFC with single spaces."""
        if self.has(LABEL_BOUND):
            return self.numbers(LABEL_BOUND)
        found = [np.zeros(0, dtype=np.int64)]
        pairs = zip(self._arrays("text"), self._arrays("regular"), strict=True)
        for texts, regular in pairs:
            plain = texts.null_count == 0 and pc.all(regular).as_py() is not False
            found.append(stored_label_bounds(texts if plain else regular_texts(texts)))
        return self._in_order(np.concatenate(found))

    @cached_property
    def tokenizer_rows(self) -> np.ndarray | None:
        """Rows that a tokenizer is trained on: int64, ascending; None: all of them."""
        if len(self) <= _ALL_ROWS:
            return None
        # Stretches of rows: what lies between them is not read.
        stretches = np.random.default_rng(_SEED).permutation(len(self) // _STRETCH_ROWS)
        starts = np.sort(stretches[: _SAMPLED_ROWS // _STRETCH_ROWS]) * _STRETCH_ROWS
        sample = (starts[:, None] + np.arange(_STRETCH_ROWS)).reshape(-1)
        stored = sample if self._rows is None else self._rows[sample]
        texts = StoredColumn(self._table.column("text"))
        known: set[str] = set()
        for places in np.array_split(np.sort(stored), -(-len(stored) // _READ_ROWS)):
            known.update(*(text or "" for text in texts.take(places)))
            self._release()
        more = self._with_other_characters(known)
        return np.unique(np.concatenate([sample, more]))

    def _with_other_characters(self, known: set[str]) -> np.ndarray:
        """Rows that have each character which is not known."""
        if self._counted is None:
            return self._found_in_texts(known)
        first = {one: row for one, row in self._counted["first_with"].items() if one not in known}
        places = np.asarray(sorted(set(first.values())), dtype=np.int64)
        if self._rows is None:
            return places
        kept = np.flatnonzero(np.isin(self._rows, places))
        # A character's first row may have been left out, and another stayed.
        if len(kept) < len(places):
            return np.concatenate([kept, self._found_in_texts(known)])
        return kept

    def _found_in_texts(self, known: set[str]) -> np.ndarray:
        there = np.zeros(_CODES, dtype=bool)
        there[[ord(one) for one in known]] = True
        found: list[int] = []
        start = 0
        order = np.argsort(self._rows, kind="stable") if self._rows is not None else None
        for array in self._arrays("text"):
            for code in _codes_of(array, there):
                if there[code]:
                    continue
                row = pc.index(pc.match_substring(pc.fill_null(array, ""), chr(code)), True).as_py()
                there[[ord(one) for one in array[row].as_py()]] = True
                found.append(start + row if order is None else int(order[start + row]))
            start += len(array)
        return np.asarray(found, dtype=np.int64)

    def _arrays(self, column: str) -> Iterator[pa.Array]:
        """A column in the order of the table."""
        rows = None if self._rows is None else np.sort(self._rows)
        yield from StoredColumn(self._table.column(column)).arrays(rows)
        self._release()

    def _in_order(self, found: np.ndarray) -> np.ndarray:
        """What was found in the order of the table, in that of the rows."""
        if self._rows is None:
            return found
        made = np.empty_like(found)
        made[np.argsort(self._rows, kind="stable")] = found
        return made


def _codes_of(texts: pa.Array, known: np.ndarray) -> list[int]:
    """Characters of some texts that are not known, as numbers."""
    _, offsets, letters = texts.buffers()
    if letters is None or not len(texts):
        return []
    edges = np.frombuffer(offsets, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    content = memoryview(letters)[edges[0] : edges[-1]]
    codes = np.frombuffer(content, dtype=np.uint8)
    if len(codes) and codes.max() >= 128:  # beyond ASCII
        codes = np.frombuffer(str(content, "utf-8").encode("utf-32-le"), dtype="<u4")
    there = np.zeros(_CODES, dtype=bool)
    there[codes] = True
    return np.flatnonzero(there & ~known).tolist()
