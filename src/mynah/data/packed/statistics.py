"""What a run asks of all rows before its first step, counted once, when they are packed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mynah.data.annotations import SIGNS, found_in
from mynah.data.scripts import SCRIPTS
from mynah.data.tables.shards import regular_texts

_LONGEST_SECONDS = 3600  # of the histogram: what is longer counts as this


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
        )

    @classmethod
    def joined(cls, parts: Iterable[Statistics]) -> Statistics:
        """Of rows one after the other."""
        rows, seconds, longest = 0, 0.0, 0
        first_with: dict[str, int] = {}
        names = ("durations", "characters", "scripts", "languages", "annotations")
        sums: dict[str, Counter[Any]] = {name: Counter() for name in names}
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
