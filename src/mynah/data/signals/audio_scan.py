"""Every recording of a split measured once: in parallel, resumed, and never twice."""

from __future__ import annotations

import concurrent.futures
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mynah.console import progress
from mynah.data.signals.scan_cache import ScanCache
from mynah.data.signals.signal_facts import FACTS, SignalFacts, measure

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus

_AT_ONCE = 512  # recordings between two writings to the cache


@dataclass(frozen=True)
class AudioScan:
    """The signal facts of some rows of a split.

    Attributes:
        rows: Which rows were measured, ascending, [n].
        facts: A column a fact, float64 [n]; NaN where the audio cannot be read.
        errors: Why, by row.
        measured: How many had to be decoded; the others were known from an earlier scan.
    """

    rows: np.ndarray
    facts: dict[str, np.ndarray]
    errors: dict[int, str]
    measured: int

    def __len__(self) -> int:
        return len(self.rows)


def scan(corpus: Corpus, rows: np.ndarray, *, cache: Path, threads: int) -> AudioScan:
    """Measure recordings; those whose content was measured before are only looked up.

    Args:
        corpus: The split.
        rows: Which of its rows, ascending.
        cache: The folder of prepared tables; the measurements lie there in one file.
        threads: How many recordings are decoded at once; decoding leaves Python to others.

    Raises:
        UserError: The cache cannot be written.
    """
    facts = {name: np.full(len(rows), np.nan) for name in FACTS}
    errors: dict[int, str] = {}
    measured = 0
    with (
        ScanCache(cache) as known,
        progress(f"Listening to {corpus.name}", len(rows), "recordings") as done,
        concurrent.futures.ThreadPoolExecutor(threads) as pool,
    ):
        for start, block in _blocks(rows):
            keys = [corpus.digests[int(row)] for row in block]
            held = known.find(keys)
            missing = [position for position, key in enumerate(keys) if key not in held]
            made = pool.map(lambda position: _measured(corpus, int(block[position])), missing)  # noqa: B023
            new: dict[str, SignalFacts] = {}
            done(len(block) - len(missing))
            for position, result in zip(missing, made, strict=True):
                done()
                if isinstance(result, str):
                    errors[int(block[position])] = result
                    continue
                measured += 1
                held[keys[position]] = result
                if keys[position]:
                    new[keys[position]] = result
                else:  # nothing names its content: it is measured every time
                    _fill(facts, start + position, result)
            known.add(new)
            for position, key in enumerate(keys):
                if key and key in held:
                    _fill(facts, start + position, held[key])
    return AudioScan(np.asarray(rows), facts, errors, measured)


def chosen_rows(count: int, sample: int | None) -> np.ndarray:
    """All rows, or so many of them taken evenly: the same ones every time."""
    if sample is None or sample >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[:sample])


def _blocks(rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for start in itertools.count(0, _AT_ONCE):
        if start >= len(rows):
            return
        yield start, rows[start : start + _AT_ONCE]


def _fill(facts: dict[str, np.ndarray], position: int, found: SignalFacts) -> None:
    for name in FACTS:
        facts[name][position] = getattr(found, name)


def _measured(corpus: Corpus, row: int) -> SignalFacts | str:
    """The facts of one recording, or why there are none."""
    try:
        return measure(*corpus.read_as_recorded(row))
    except Exception as problem:
        return str(problem).splitlines()[0]
