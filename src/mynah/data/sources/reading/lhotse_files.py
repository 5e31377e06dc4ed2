"""Which files of a folder are Lhotse's manifests, and which split each is of, by their names.

cuts_train.jsonl.gz    librispeech_recordings_dev-clean.jsonl.gz    train_cuts.jsonl.gz
"""

from __future__ import annotations

import re
from pathlib import Path

from mynah.data.sources.reading.source import ONLY_SPLIT, usual_split
from mynah.errors import UserError

_NAME = re.compile(
    r"^(?P<before>.*?)[-_.]?(?P<kind>cuts|recordings|supervisions)[-_.]?(?P<after>.*?)"
    r"\.jsonl(\.gz)?$"
)
_WORD = re.compile(r"[^-_.]+")


def has_manifests(root: Path) -> bool:
    """Whether there is a file of cuts, or recordings and supervisions, at or in a folder."""
    return any(map(_read, _by_split(root).values()))


def lhotse_manifests(root: Path) -> dict[str, list[Path]]:
    """The manifests of each split at or in a folder: one file of cuts, or recordings and
    supervisions; nothing where there are none.

    Raises:
        UserError: A split has several manifests of one kind.
    """
    splits = {}
    for split, kinds in _by_split(root).items():
        if not (read := _read(kinds)):
            continue
        for kind in read:
            if len(kinds[kind]) > 1:
                names = ", ".join(path.name for path in kinds[kind])
                raise UserError(
                    f"Several manifests are the {kind} of the split {split}, by their names: "
                    f"{names}.",
                    where=str(root),
                    fix="leave one of each kind and split there, as cuts_train.jsonl.gz; another "
                    "corpus goes into a folder of its own: data.path=FOLDER",
                )
        splits[split] = [kinds[kind][0] for kind in read]
    return splits


def _by_split(root: Path) -> dict[str, dict[str, list[Path]]]:
    """The files of each split by their kind."""
    if root.is_file():
        match = _NAME.match(root.name)
        return {ONLY_SPLIT: {"cuts": [root]}} if match and match["kind"] == "cuts" else {}
    found: dict[str, dict[str, list[Path]]] = {}
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        match = _NAME.match(path.name)
        if match and path.is_file():
            split = match["after"] or _split_in(match["before"])
            found.setdefault(split, {}).setdefault(match["kind"], []).append(path)
    return found


def _split_in(before: str) -> str:
    """The split that the beginning of a name ends in: ``train-clean-100`` in
    ``libri_train-clean-100``; :data:`ONLY_SPLIT` where it is a corpus's name alone."""
    # The last of them: cv_train is Common Voice's training split.
    for word in reversed(list(_WORD.finditer(before))):
        if usual_split(word[0]):
            return before[word.start() :]
    return ONLY_SPLIT


def _read(kinds: dict[str, list[Path]]) -> tuple[str, ...]:
    """The kinds of a split's manifests that are read."""
    if "cuts" in kinds:
        return ("cuts",)
    pair = ("recordings", "supervisions")
    return pair if all(kind in kinds for kind in pair) else ()
