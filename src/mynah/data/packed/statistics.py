"""What a run asks of all rows before its first step, counted once, when they are packed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mynah.data.annotations import SIGNS, found_in
from mynah.data.scripts import SCRIPTS
from mynah.data.tables.shards import regular_texts

_LONGEST_SECONDS = 3600  # of the histogram: what is longer counts as this
_LEAST = 1e-9  # seconds, that a length counts as at least
_MOST_SPEAKERS = 200_000  # that are listed: 2 MB
# What is the most or the least of the rows, as filters look at them.
_EXTREMES = ("shortest", "longest", "wordiest", "slowest", "fastest")

Extreme = tuple[float, int, int]  # seconds, words and characters of a row


@dataclass(frozen=True)
class Statistics:
    """Counts over rows.

    Attributes:
        rows: How many.
        seconds: Of their audio together.
        durations: Rows by full seconds of their length.
        characters: How often each character is in the transcripts, in Unicode NFC with single
            spaces.
        first_with: The first row that has each character.
        longest_text: Characters of the longest transcript.
        scripts: Transcripts by script.
        languages: Rows by language, "" where one is not known.
        annotations: What looks like an annotation in the transcripts, in lower case.
        repeated_audio: Rows whose recording an earlier row has; None: nobody has looked.
        words: Of all transcripts.
        extremes: Seconds, words and characters of the row that is the shortest, the longest, the
            wordiest, the slowest and the fastest in characters a second: where filters keep these,
            they keep all. None: nobody has looked.
        odd: Rows that filters look at one by one: without a readable recording, without a
            transcript, without speech, or with a transcript that is not in NFC with single spaces.
        speakers: The speakers of each source; None where they are too many to list.
    """

    rows: int = 0
    seconds: float = 0.0
    durations: Mapping[int, int] = field(default_factory=dict)
    characters: Mapping[str, int] = field(default_factory=dict)
    first_with: Mapping[str, int] = field(default_factory=dict)
    longest_text: int = 0
    scripts: Mapping[str, int] = field(default_factory=dict)
    languages: Mapping[str, int] = field(default_factory=dict)
    annotations: Mapping[str, int] = field(default_factory=dict)
    repeated_audio: int | None = None
    words: int = 0
    extremes: Mapping[str, Extreme] | None = None
    odd: int = 0
    speakers: Mapping[str, Sequence[str]] | None = None

    @classmethod
    def of(cls, batches: Sequence[pa.RecordBatch]) -> Statistics:
        """Count rows with the columns of a prepared table."""
        return cls.joined([cls._of_batch(batch) for batch in batches])

    @classmethod
    def _of_batch(cls, batch: pa.RecordBatch) -> Statistics:
        stored = batch.column("text")
        texts = regular_texts(stored).to_pylist()
        characters = Counter("".join(texts))
        seconds = batch.column("duration_seconds").fill_null(0.0).to_numpy()
        lengths = np.minimum(seconds, _LONGEST_SECONDS).astype(np.int64)
        languages = pc.value_counts(pc.fill_null(batch.column("language"), "")).to_pylist()
        looked = stored.filter(pc.fill_null(pc.match_substring_regex(stored, SIGNS), False))
        scripts = batch.column("script").to_pylist()
        return cls(
            rows=batch.num_rows,
            seconds=float(seconds.sum()),
            durations=Counter(lengths.tolist()),
            characters=characters,
            first_with={
                one: next(row for row, text in enumerate(texts) if one in text)
                for one in characters
            },
            longest_text=max(map(len, texts), default=0),
            scripts=Counter(SCRIPTS[one] for one in scripts),
            languages={one["values"]: one["counts"] for one in languages},
            annotations=found_in(text for text in looked.to_pylist() if text),
            words=pc.sum(batch.column("words")).as_py() or 0,
            extremes=_extremes_of(batch, seconds),
            odd=_odd(batch),
            speakers=_speakers_of(batch),
        )

    @classmethod
    def joined(cls, parts: Iterable[Statistics]) -> Statistics:
        """Of rows one after the other."""
        rows, seconds, longest = 0, 0.0, 0
        first_with: dict[str, int] = {}
        names = ("durations", "characters", "scripts", "languages", "annotations")
        sums: dict[str, Counter[Any]] = {name: Counter() for name in names}
        parts = list(parts)
        for part in parts:
            for one, row in part.first_with.items():
                first_with.setdefault(one, rows + row)
            for name, counts in sums.items():
                counts.update(getattr(part, name))
            rows, seconds = rows + part.rows, seconds + part.seconds
            longest = max(longest, part.longest_text)
        return cls(
            rows=rows,
            seconds=seconds,
            durations=sums["durations"],
            characters=sums["characters"],
            first_with=first_with,
            longest_text=longest,
            scripts=sums["scripts"],
            languages=sums["languages"],
            annotations=sums["annotations"],
            words=sum(part.words for part in parts),
            extremes=_joined_extremes([part.extremes for part in parts]),
            odd=sum(part.odd for part in parts),
            speakers=_joined_speakers([part.speakers for part in parts]),
        )

    def as_json(self) -> dict[str, Any]:
        """As a JSON file holds it."""
        held = {name: dict(one) if isinstance(one, Mapping) else one for name, one in self._items()}
        return held | {"durations": sorted(self.durations.items())}

    @classmethod
    def of_json(cls, held: Mapping[str, Any]) -> Statistics:
        """What :meth:`as_json` gave.

        Raises:
            KeyError, TypeError, ValueError: It is something else.
        """
        durations = {int(seconds): int(rows) for seconds, rows in held["durations"]}
        return cls(**{**held, "durations": durations})

    def _items(self) -> Iterable[tuple[str, Any]]:
        return vars(self).items()


def _extremes_of(batch: pa.RecordBatch, seconds: np.ndarray) -> dict[str, Extreme]:
    if not batch.num_rows:
        return {}
    words, characters = (batch.column(name).to_numpy() for name in ("words", "characters"))
    rate = characters / np.maximum(seconds, _LEAST)
    places = (seconds.argmin(), seconds.argmax(), words.argmax(), rate.argmin(), rate.argmax())
    return {
        name: (float(seconds[row]), int(words[row]), int(characters[row]))
        for name, row in zip(_EXTREMES, places, strict=True)
    }


def _joined_extremes(
    parts: Sequence[Mapping[str, Extreme] | None],
) -> dict[str, Extreme] | None:
    if any(part is None for part in parts):
        return None
    measures: dict[str, Callable[[Extreme], float]] = {
        "shortest": lambda one: -one[0],
        "longest": lambda one: one[0],
        "wordiest": lambda one: one[1],
        "slowest": lambda one: -one[2] / max(one[0], _LEAST),
        "fastest": lambda one: one[2] / max(one[0], _LEAST),
    }
    there = [part for part in parts if part]
    return {
        name: max((part[name] for part in there), key=most)
        for name, most in measures.items()
        if there
    }


def _odd(batch: pa.RecordBatch) -> int:
    unlike = [
        pc.is_valid(batch.column("error")),
        pc.fill_null(batch.column("no_speech"), False),
        pc.equal(batch.column("characters"), 0),
        pc.invert(batch.column("regular")),
    ]
    odd = unlike[0]
    for one in unlike[1:]:
        odd = pc.or_(odd, one)
    return int(pc.sum(odd).as_py() or 0)


def _speakers_of(batch: pa.RecordBatch) -> dict[str, list[str]] | None:
    found: dict[str, list[str]] = {}
    pairs = pa.table(
        [pc.fill_null(batch.column(name), "") for name in ("source", "speaker")],
        names=["source", "speaker"],
    )
    for one in pairs.group_by(["source", "speaker"]).aggregate([]).to_pylist():
        found.setdefault(one["source"], []).append(one["speaker"])
    return _few(found)


def _joined_speakers(
    parts: Sequence[Mapping[str, Sequence[str]] | None],
) -> dict[str, list[str]] | None:
    found: dict[str, dict[str, None]] = {}
    for part in parts:
        if part is None:
            return None
        for source, names in part.items():
            found.setdefault(source, {}).update(dict.fromkeys(names))
    return _few({source: list(names) for source, names in found.items()})


def _few(speakers: dict[str, list[str]]) -> dict[str, list[str]] | None:
    return speakers if sum(map(len, speakers.values())) <= _MOST_SPEAKERS else None
