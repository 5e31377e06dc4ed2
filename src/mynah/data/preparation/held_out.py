"""What is kept from training where a corpus has no evaluation split, frozen in a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mynah.data.corpus import Corpus
from mynah.data.tables.beside import RECORDING as PACKED_RECORDING
from mynah.data.tables.table import locked
from mynah.files import write_json

_MOST_HELD_OUT = 1 / 3  # of a corpus, unless a larger fraction is asked for
# What keeps a speaker apart is the speaker; where none is known, a recording that was cut into
# utterances; else the utterance is all there is.
SPEAKER, RECORDING, UTTERANCE = "speaker", "recording", "utterance"


@dataclass(frozen=True)
class HeldOut:
    """A choice of what is held out.

    Attributes:
        by: ``"speaker"``, ``"recording"`` or ``"utterance"``; ``"speaker or recording"`` and
            ``"speaker or utterance"`` where only some speakers are known.
        names: Speakers, files of recordings, or ids of utterances.
        root: The corpus's folder: recordings are named from there.
        frozen: Whether it was read from the file of an earlier run.
    """

    by: str
    names: frozenset[str]
    root: str
    frozen: bool

    def rows(self, corpus: Corpus) -> np.ndarray:
        """bool [rows], whether an utterance is held out."""
        found = [pc.is_in(array, self._values) for array in _groups(corpus, self.by, self.root)]
        return np.concatenate([array.to_numpy(zero_copy_only=False) for array in found])

    @cached_property
    def _values(self) -> pa.Array:
        return pa.array(sorted(self.names), type=pa.string())


def hold_out(
    corpus: Corpus, *, fraction: float, file: Path, root: str = "", lock: Path | None = None
) -> HeldOut:
    """Choose all of a speaker, else of a recording, else utterances, and freeze the choice.

    The choice hangs on the names alone, and once made stays in ``file``: recordings that are
    added later go to training, unless they are of a speaker who is held out. Speakers of whom
    each has much of the corpus are not held out: it is then recordings, or utterances.

    Args:
        corpus: All utterances, rows ascending.
        fraction: Share of the utterances to hold out, at least.
        file: Where the choice is kept.
        root: The corpus's folder.
        lock: What a process takes while it chooses; None: ``file``.
    """
    with locked(lock or file):
        held = _read(file, root)
        if held is not None and held.rows(corpus).any():
            return held
        for by in _what_is_known(corpus):
            chosen = _chosen(corpus, by, root, fraction, last=by == UTTERANCE)
            if chosen is not None:
                break
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {"by": by, "names": chosen}, indent=1)
        return HeldOut(by, frozenset(chosen or ()), root, frozen=False)


def _chosen(corpus: Corpus, by: str, root: str, fraction: float, *, last: bool) -> list[str] | None:
    """Names of a share of the corpus; None where no choice of them is near it."""
    names = pa.chunked_array(_groups(corpus, by, root), type=pa.string())
    counts = dict(
        zip(*(pc.value_counts(names).field(part).to_pylist() for part in (0, 1)), strict=True)
    )
    order = sorted(counts, key=lambda name: hashlib.blake2b(name.encode()).digest())
    wanted = fraction * len(corpus)
    most = max(_MOST_HELD_OUT, 2 * fraction) * len(corpus)
    chosen, held_rows = _first_of(order, counts, wanted, len(corpus))
    if held_rows <= most or last:
        return chosen
    fitting, held_rows = _first_of(order, counts, wanted, most)
    return fitting if held_rows >= wanted / 2 else None


def _first_of(
    order: list[str], counts: Mapping[str, int], wanted: float, most: float
) -> tuple[list[str], int]:
    """Names in an order until there are rows enough, without those that make them too many."""
    chosen: list[str] = []
    held_rows = 0
    for name in order[:-1]:  # one is always left to learn from
        if held_rows >= wanted:
            break
        if held_rows + counts[name] <= most:
            chosen.append(name)
            held_rows += counts[name]
    return sorted(chosen), held_rows


def _read(file: Path, root: str) -> HeldOut | None:
    """An earlier choice; None where there is none, or it was cut short: it is made again then,
    and is the same for the same corpus."""
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
        return HeldOut(read["by"], frozenset(read["names"]), root, frozen=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _what_is_known(corpus: Corpus) -> list[str]:
    """What can be held out together, the best first."""
    speakers = pc.unique(pa.chunked_array(_groups(corpus, SPEAKER, ""), type=pa.string()))
    known = len(speakers.filter(pc.not_equal(speakers, "")))
    files = pa.chunked_array(_groups(corpus, RECORDING, ""), type=pa.string())
    # Of one long recording that was cut into utterances nothing could be held out in full.
    rest = [RECORDING, UTTERANCE] if 1 < len(pc.unique(files)) < len(files) else [UTTERANCE]
    if known == len(speakers) > 1:
        return [SPEAKER, *rest]
    return [f"{SPEAKER} or {rest[0]}", *rest] if known and len(speakers) > 1 else rest


def _groups(corpus: Corpus, by: str, root: str) -> Iterator[pa.Array]:
    """For each utterance the name of what it is held out with."""
    columns = ("id", "speaker", "audio", "byte_offset", PACKED_RECORDING)
    for held in zip(*(corpus.arrays(name) for name in columns), strict=True):
        ids, speakers, audio, offset, packed = held
        found = ids
        if by.endswith(RECORDING):
            path = pc.struct_field(audio, "path")
            inside = pc.or_(pc.is_valid(pc.struct_field(audio, "bytes")), pc.is_valid(offset))
            found = pc.if_else(pc.or_(inside, pc.is_null(path)), ids, _below(path, root))
            found = pc.if_else(pc.is_valid(packed), packed, found)
        if by.startswith(SPEAKER):
            speakers = pc.fill_null(speakers, "")
            if by == SPEAKER:
                found = speakers
            else:
                found = pc.if_else(pc.equal(speakers, ""), found, speakers)
        yield found


def _below(paths: pa.Array, root: str) -> pa.Array:
    """Paths from the corpus's folder on, so that a choice is the same wherever it lies."""
    if not root:
        return paths
    inside = pc.starts_with(paths, root)
    return pc.if_else(inside, pc.utf8_slice_codeunits(paths, len(root)), paths)
