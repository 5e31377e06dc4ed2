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
_ALSO_OTHERS = ("cv", "tr", "tt")  # Common Voice, Turkish and Tatar, beside the names of splits


def has_manifests(root: Path) -> bool:
    """Whether there is a file of cuts, or recordings and supervisions, at or in a folder."""
    return bool(_by_split(root))


def lhotse_manifests(root: Path) -> dict[str, list[Path]]:
    """The manifests of each split at or in a folder: one file of cuts, or recordings and
    supervisions; nothing where there are none.

    Raises:
        UserError: A split has several manifests of one kind.
    """
    splits = {}
    for split, kinds in _by_split(root).items():
        read = _read(kinds)
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
    """The files of each split that can be read, by their kind."""
    if root.is_file():
        match = _NAME.match(root.name)
        return {ONLY_SPLIT: {"cuts": [root]}} if match and match["kind"] == "cuts" else {}
    matches = [
        (path, match)
        for path in (sorted(root.iterdir()) if root.is_dir() else ())
        if path.is_file() and (match := _NAME.match(path.name))
    ]
    after = {match["after"] for _, match in matches} - {""}
    in_front = {_split_in(match["before"], clear=False) for _, match in matches} - {""}
    # Of several corpora, cv-de_cuts and cv-en_cuts, each has the same; train_cuts and cv_cuts not.
    first_words = {name: re.split(r"[-_.]", name)[0] for name in after | in_front}
    clear = len({usual_split(word) or name for name, word in first_words.items()}) < 2
    found: dict[str, dict[str, list[Path]]] = {}
    for path, match in matches:
        split = match["after"] or _split_in(match["before"], clear=clear) or ONLY_SPLIT
        found.setdefault(split, {}).setdefault(match["kind"], []).append(path)
    found = {split: kinds for split, kinds in found.items() if _read(kinds)}
    # The beginning of the only name tells no split, as in a folder of WebDataset.
    if len(found) == 1 and after.isdisjoint(found):
        (kinds,) = found.values()
        return {ONLY_SPLIT: kinds}
    return found


def _split_in(before: str, *, clear: bool) -> str:
    """The split that the beginning of a name ends in: ``train-clean-100`` in
    ``libri_train-clean-100``; "" where it is a corpus's name alone.

    Args:
        before: The beginning of a manifest's name.
        clear: Whether words that have other meanings tell none.
    """
    # The last of them: cv_train is Common Voice's training split.
    words = [word for word in reversed(list(_WORD.finditer(before))) if usual_split(word[0])]
    of_one_meaning = [word for word in words if word[0].lower() not in _ALSO_OTHERS]
    for word in of_one_meaning or ([] if clear else words):
        return before[word.start() :]
    return ""


def _read(kinds: dict[str, list[Path]]) -> tuple[str, ...]:
    """The kinds of a split's manifests that are read."""
    if "cuts" in kinds:
        return ("cuts",)
    pair = ("recordings", "supervisions")
    return pair if all(kind in kinds for kind in pair) else ()
