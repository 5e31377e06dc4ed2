"""Which rows of some tables become a corpus: limits, and what was chosen, kept in the cache."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mynah.data.pieces import Piece
from mynah.data.tables import table
from mynah.data.tables.columns import index_type
from mynah.files import write_json, write_text

_SEED = 0  # of max_train_samples and the like: the same rows in every run
_VERSION = 1  # of how rows are chosen


@dataclass(frozen=True)
class Stretch:
    """Some rows of one table.

    Attributes:
        name: What it is called in reports, as ``"train.100[:500]"``.
        piece: The table, and how its rows are seen.
        rows: int64, its rows that are meant; None: all.
    """

    name: str
    piece: Piece
    rows: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.piece.table) if self.rows is None else len(self.rows)


@dataclass(frozen=True)
class Chosen:
    """What was chosen of some stretches.

    Attributes:
        rows: int64, rows of all pieces' tables one after the other; None: all of them.
        repeats: How often each is sampled in an epoch on average; None: once.
        account: What ``data.json`` says of it.
        dropped_file: Every row that was left out, a JSON object a line.
    """

    rows: np.ndarray | None
    repeats: np.ndarray | None
    account: dict[str, Any]
    dropped_file: Path


def joined_rows(stretches: Sequence[Stretch]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of all stretches, counted over their tables one after the other, and the stretch
    that each belongs to: int [rows] of as few bytes as can number them, int32 [rows]."""
    rows, numbers, start = [], [], 0
    kind = index_type(sum(len(stretch.piece.table) for stretch in stretches))
    for number, stretch in enumerate(stretches):
        total = len(stretch.piece.table)
        mine = np.arange(total, dtype=kind) if stretch.rows is None else stretch.rows
        rows.append((mine + start).astype(kind, copy=False))
        numbers.append(np.broadcast_to(np.int32(number), len(mine)))  # takes no memory
        start += total
    if len(stretches) == 1:
        return rows[0], numbers[0]
    return np.concatenate(rows), np.concatenate(numbers)


def within_limits(
    kept: np.ndarray,
    seconds: np.ndarray,
    *,
    samples: int | None = None,
    hours: float | None = None,
) -> np.ndarray:
    """Of some rows those that limits leave, spread evenly, always the same, in their order.

    Args:
        kept: Rows, ascending.
        seconds: Their lengths, [rows].
        samples: How many are left at most.
        hours: How much audio is left at most; one row is always left.
    """
    if (samples is None or samples >= len(kept)) and hours is None:
        return kept
    order = np.random.default_rng(_SEED).permutation(len(kept))
    count = len(kept) if samples is None else min(samples, len(kept))
    if hours is not None:
        fitting = int(np.searchsorted(np.cumsum(seconds[order]), hours * 3600, side="right"))
        count = min(count, max(fitting, 1))
    return kept[np.sort(order[:count])]


def view_directory(cache: Path, made_of: Any) -> Path:
    """Where a choice is kept that was made from this."""
    content = json.dumps([_VERSION, table.FORMAT_VERSION, made_of], sort_keys=True, default=str)
    return cache / "views" / hashlib.blake2b(content.encode(), digest_size=12).hexdigest()


def read_view(directory: Path) -> Chosen | None:
    """What was chosen before; None where that is not there or cannot be read."""
    try:
        account = json.loads((directory / "account.json").read_text(encoding="utf-8"))
        arrays = []
        for name in ("rows", "repeats"):
            file = directory / f"{name}.npy"
            arrays.append(np.load(file, mmap_mode="r") if account["files"][name] else None)
            if arrays[-1] is not None and len(arrays[-1]) != account["files"][name]:
                return None
        dropped = directory / "dropped.jsonl"
        if dropped.stat().st_size != account["files"]["dropped"]:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    del account["files"]
    return Chosen(arrays[0], arrays[1], account, dropped)


def write_view(
    directory: Path,
    rows: np.ndarray | None,
    repeats: np.ndarray | None,
    account: dict[str, Any],
    dropped: Iterable[dict[str, Any]],
) -> Chosen:
    """Keep a choice; it is there in full or not at all."""
    staging = directory.with_name(directory.name + ".partial")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    for name, array in (("rows", rows), ("repeats", repeats)):
        if array is not None:
            np.save(staging / f"{name}.npy", array)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in dropped)
    write_text(staging / "dropped.jsonl", lines)
    files = {
        "rows": 0 if rows is None else len(rows),
        "repeats": 0 if repeats is None else len(repeats),
        "dropped": (staging / "dropped.jsonl").stat().st_size,
    }
    write_json(staging / "account.json", {**account, "files": files})
    shutil.rmtree(directory, ignore_errors=True)
    staging.rename(directory)
    return Chosen(rows, repeats, account, directory / "dropped.jsonl")
