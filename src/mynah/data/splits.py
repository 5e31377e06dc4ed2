"""What a setting such as ``train.100[:500]`` means, and what is held out where nothing is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mynah.config.errors import UserError
from mynah.data.tables import write_whole

_SPECIFICATION = re.compile(
    r"^(?P<name>[^\[\]]+?)\s*(\[\s*(?P<start>-?\d+%?)?\s*:\s*(?P<stop>-?\d+%?)?\s*\])?$"
)


@dataclass(frozen=True)
class SplitSlice:
    """A split's name, and which of its rows are meant: ``start`` and ``stop`` are rows or,
    ending in %, shares, as in the hub's notation."""

    name: str
    start: str | None = None
    stop: str | None = None

    def rows(self, total: int) -> range:
        """The rows meant, of ``total``."""
        start = 0 if self.start is None else _position(self.start, total)
        stop = total if self.stop is None else _position(self.stop, total)
        return range(min(start, total), min(max(stop, start), total))

    @property
    def first_rows(self) -> int | None:
        """How many of the split's first rows are enough, None: all of them."""
        if self.stop is None or "%" in self.stop or self.stop.startswith("-"):
            return None
        if self.start is not None and ("%" in self.start or self.start.startswith("-")):
            return None
        return int(self.stop)

    def __str__(self) -> str:
        if self.start is None and self.stop is None:
            return self.name
        return f"{self.name}[{self.start or ''}:{self.stop or ''}]"


def parse(specification: str) -> list[SplitSlice]:
    """The slices of a setting: ``train``, ``train[:10%]``, ``train.100[5:20]``, ``a+b``.

    Raises:
        UserError: It is written otherwise.
    """
    slices = []
    for part in specification.split("+"):
        match = _SPECIFICATION.match(part.strip())
        if match is None:
            raise UserError(
                f"{specification!r} is no split.",
                where="data.train_splits, data.eval_splits",
                fix="Write a name, or a name with a slice: train, train[:500], train[90%:]",
            )
        slices.append(SplitSlice(match["name"], match["start"], match["stop"]))
    return slices


def _position(written: str, total: int) -> int:
    if written.endswith("%"):
        share = int(written[:-1])
        position = round(total * share / 100)
    else:
        position = int(written)
    return max(position + total, 0) if position < 0 else position


@dataclass(frozen=True)
class HeldOut:
    """What is kept from training where a corpus has no evaluation split.

    Attributes:
        by: ``"speaker"`` or ``"utterance"``.
        names: Speakers, or ids of utterances.
        frozen: Whether it was read from the file of an earlier run.
    """

    by: str
    names: frozenset[str]
    frozen: bool

    def has(self, utterance_id: str, speaker: str) -> bool:
        """Whether an utterance is held out."""
        return (speaker if self.by == "speaker" else utterance_id) in self.names


def hold_out(
    ids: Sequence[str], speakers: Sequence[str], *, fraction: float, file: Path
) -> HeldOut:
    """Choose whole speakers, or utterances where speakers are not known, and freeze the choice.

    The choice hangs on the names alone, and once made stays in ``file``: recordings that are
    added later go to training, unless they are of a speaker who is held out.

    Args:
        ids: Of all utterances.
        speakers: Of all utterances, "" where one is not known.
        fraction: Share of the utterances to hold out, at least.
        file: Where the choice is kept.
    """
    if file.is_file():
        try:
            read = json.loads(file.read_text(encoding="utf-8"))
            held = HeldOut(read["by"], frozenset(read["names"]), frozen=True)
        except (ValueError, KeyError, TypeError):
            held = None  # cut short: the choice is made again, and is the same for this corpus
        if held and any(map(held.has, ids, speakers)):
            return held
    by_speaker = all(speakers) and len(set(speakers)) > 1
    names = list(speakers) if by_speaker else list(ids)
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    order = sorted(counts, key=lambda name: hashlib.blake2b(name.encode()).digest())
    wanted, chosen, held_rows = fraction * len(ids), [], 0
    for name in order[:-1]:  # one is always left to learn from
        if held_rows >= wanted:
            break
        chosen.append(name)
        held_rows += counts[name]
    by = "speaker" if by_speaker else "utterance"
    content = json.dumps({"by": by, "names": sorted(chosen)}, indent=1)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, content.encode())
    return HeldOut(by, frozenset(chosen), frozen=False)
