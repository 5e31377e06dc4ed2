"""What is kept from training where a corpus has no evaluation split, frozen in a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mynah.data.corpus import Corpus
from mynah.data.tables.table import locked
from mynah.files import write_json

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


def hold_out(corpus: Corpus, *, fraction: float, file: Path, root: str = "") -> HeldOut:
    """Choose all of a speaker, else of a recording, else utterances, and freeze the choice.

    The choice hangs on the names alone, and once made stays in ``file``: recordings that are
    added later go to training, unless they are of a speaker who is held out.

    Args:
        corpus: All utterances, rows ascending.
        fraction: Share of the utterances to hold out, at least.
        file: Where the choice is kept.
        root: The corpus's folder.
    """
    with locked(file):
        held = _read(file, root)
        if held is not None and held.rows(corpus).any():
            return held
        by = _what_is_known(corpus)
        names = pa.chunked_array(_groups(corpus, by, root), type=pa.string())
        counts = dict(
            zip(*(pc.value_counts(names).field(part).to_pylist() for part in (0, 1)), strict=True)
        )
        order = sorted(counts, key=lambda name: hashlib.blake2b(name.encode()).digest())
        wanted, chosen, held_rows = fraction * len(corpus), [], 0
        for name in order[:-1]:  # one is always left to learn from
            if held_rows >= wanted:
                break
            chosen.append(name)
            held_rows += counts[name]
        write_json(file, {"by": by, "names": sorted(chosen)}, indent=1)
        return HeldOut(by, frozenset(chosen), root, frozen=False)


def _read(file: Path, root: str) -> HeldOut | None:
    """An earlier choice; None where there is none, or it was cut short: it is made again then,
    and is the same for the same corpus."""
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
        return HeldOut(read["by"], frozenset(read["names"]), root, frozen=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _what_is_known(corpus: Corpus) -> str:
    speakers = pc.unique(pa.chunked_array(_groups(corpus, SPEAKER, ""), type=pa.string()))
    known = len(speakers.filter(pc.not_equal(speakers, "")))
    if known == len(speakers) > 1:
        return SPEAKER
    files = pa.chunked_array(_groups(corpus, RECORDING, ""), type=pa.string())
    # Of one long recording that was cut into utterances nothing could be held out in full.
    rest = RECORDING if 1 < len(pc.unique(files)) < len(files) else UTTERANCE
    return f"{SPEAKER} or {rest}" if known and len(speakers) > 1 else rest


def _groups(corpus: Corpus, by: str, root: str) -> Iterator[pa.Array]:
    """For each utterance the name of what it is held out with."""
    columns = ("id", "speaker", "audio", "byte_offset")
    for held in zip(*(corpus.arrays(name) for name in columns), strict=True):
        ids, speakers, audio, offset = held
        found = ids
        if by.endswith(RECORDING):
            path = pc.struct_field(audio, "path")
            inside = pc.or_(pc.is_valid(pc.struct_field(audio, "bytes")), pc.is_valid(offset))
            found = pc.if_else(pc.or_(inside, pc.is_null(path)), ids, _below(path, root))
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
