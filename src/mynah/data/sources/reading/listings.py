"""Which listings of a folder are read, where it holds several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mynah.data.sources.reading import metadata
from mynah.data.sources.reading.source import ONLY_SPLIT, usual_split

_NAMES = ("metadata", "manifest", "transcripts", "validated")


@dataclass(frozen=True)
class Listings:
    """The listings of a folder.

    Attributes:
        files: Those that are read. One of a split that is measured comes before any that may
            have its rows among others.
        left_out: Those that are there as well.
        by_rest: Whether the last of ``files`` names rows of the others too, which are theirs.
    """

    files: tuple[Path, ...]
    left_out: tuple[Path, ...] = ()
    by_rest: bool = False


def listings(root: Path) -> Listings:
    """The listings at the root of a folder, else in the folders below it, or one named after each
    split; none where there are none."""
    for folders in ([root], sorted(path for path in root.iterdir() if path.is_dir())):
        files = [
            path
            for folder in folders
            for path in sorted(folder.iterdir())
            if path.is_file() and path.suffix.lower() in metadata.LISTING_SUFFIXES
        ]
        by_split = [path for path in files if usual_split(path.stem)]
        named = [path for path in files if path.stem.lower() in _NAMES]
        if named:
            return _of_named(named, by_split)
        if by_split:
            kept = _first_of_each(by_split)
            return Listings(kept, _others(by_split, kept))
        if folders == [root] and len(files) == 1:
            return Listings(tuple(files))
    return Listings(())


def _of_named(named: Sequence[Path], by_split: Sequence[Path]) -> Listings:
    """Of listings of a folder, and listings named after splits beside them: a row of a split that
    is measured is never one to train on because another listing has it too."""
    first = _first_of_folder(named)
    beside = [path for path in by_split if path.parent in {one.parent for one in first}]
    splits = _first_of_each(beside)
    everything = [*named, *beside]
    if any(usual_split(path.stem) == ONLY_SPLIT for path in splits):
        kept = (*splits, *(path for path in first if path.parent not in {s.parent for s in splits}))
        return Listings(kept, _others(everything, kept))
    kept = (*splits, *first)
    return Listings(kept, _others(everything, kept), by_rest=bool(splits))


def _first_of_folder(paths: Iterable[Path]) -> list[Path]:
    first: dict[Path, Path] = {}
    for path in sorted(paths, key=_rank):
        first.setdefault(path.parent, path)
    return list(first.values())


def _first_of_each(paths: Sequence[Path]) -> tuple[Path, ...]:
    """One listing of each split: the same one in another format would list its rows again."""
    first: dict[tuple[Path, str], Path] = {}
    for path in sorted(paths, key=_rank):
        first.setdefault((path.parent, path.stem), path)
    return tuple(path for path in paths if path in first.values())


def _rank(path: Path) -> int:
    return metadata.LISTING_SUFFIXES.index(path.suffix.lower())


def _others(there: Sequence[Path], kept: Sequence[Path]) -> tuple[Path, ...]:
    return tuple(path for path in there if path not in kept)
