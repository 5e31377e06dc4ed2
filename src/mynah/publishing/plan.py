"""What goes to the hub, and what stays here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mynah.checkpoints.publishing import README, publishable
from mynah.errors import UserError

_CONFIGS = "config.json"  # ends the names of files that may name places: adapter_config.json, …
_BASE = "base_model_name_or_path"
_NOTE = "_name_or_path"  # where transformers loaded weights from: a note, which it sets again


@dataclass(frozen=True)
class Plan:
    """The files of a checkpoint.

    Attributes:
        checkpoint: Its directory.
        files: What goes, relative to it, sorted.
        stays: What does not.
        cleaned: New content of files that note where their weights were loaded from, a place on
            this machine that nothing reads.
    """

    checkpoint: Path
    files: tuple[str, ...]
    stays: tuple[str, ...]
    cleaned: Mapping[str, bytes]

    @property
    def bytes(self) -> int:
        return sum((self.checkpoint / name).stat().st_size for name in self.files)


def make_plan(checkpoint: Path) -> Plan:
    """Sort the files of a checkpoint by the list of what may be published.

    Raises:
        UserError: There are no weights among them, or one of them names a place on this machine.
    """
    names = sorted(
        path.relative_to(checkpoint).as_posix()
        for path in checkpoint.rglob("*")
        if path.is_file() and not any(part.startswith(("checkpoint-", ".")) for part in
                                      path.relative_to(checkpoint).parts)
    )  # fmt: skip
    files = publishable(names)
    if not any(name.endswith(".safetensors") for name in files):
        raise UserError(
            "There are no weights in it that could be published.",
            where=str(checkpoint),
            fix="name a checkpoint that a training of Mynah wrote, or a merged one",
        )
    cleaned = {}
    for name in files:
        if (checkpoint / name).is_symlink():
            raise UserError("A link is not published.", where=str(checkpoint / name))
        if name.endswith(_CONFIGS) and (content := _cleaned(checkpoint, name)) is not None:
            cleaned[name] = content
    stays = [name for name in names if name not in files and name != README]
    return Plan(checkpoint, tuple(files), tuple(stays), cleaned)


def _cleaned(checkpoint: Path, name: str) -> bytes | None:
    """A configuration without notes of places on this machine; None: there are none in it.

    Raises:
        UserError: It cannot be read, or needs such a place.
    """
    try:
        content = json.loads((checkpoint / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise UserError("This file cannot be read.", where=str(checkpoint / name)) from None
    has_notes = any(key == _NOTE and _is_place(text) for key, text in _texts(content))
    if has_notes:
        content = _without_notes(content)
    for key, text in _texts(content):
        if _is_place(text):
            merging = key == _BASE
            raise UserError(
                f"{name} names a folder of this machine, which nobody else has.",
                where=f"{key}: {text}",
                fix=f"mynah merge {checkpoint} --to merged  folds it into its base; publish that"
                if merging
                else "train it from a name of the hub",
            )
    return json.dumps(content, indent=2, ensure_ascii=False).encode() if has_notes else None


def _without_notes(content: object) -> object:
    if isinstance(content, list):
        return [_without_notes(one) for one in content]
    if not isinstance(content, dict):
        return content
    return {
        name: ""
        if name == _NOTE and isinstance(one, str) and _is_place(one)
        else _without_notes(one)
        for name, one in content.items()
    }


def _texts(content: object, key: str = "") -> Iterator[tuple[str, str]]:
    """All texts of a JSON value, with the keys they are under."""
    if isinstance(content, str):
        yield key, content
    elif isinstance(content, list):
        for one in content:
            yield from _texts(one, key)
    elif isinstance(content, dict):
        for name, one in content.items():
            yield from _texts(one, str(name))


def _is_place(text: str) -> bool:
    """Whether a text is an absolute path: of this machine, or of the one that trained it."""
    if len(text) > 4096 or "\n" in text:
        return False
    is_windows = len(text) > 3 and text[1:3] in (":\\", ":/") and text[0].isalpha()
    return is_windows or (text.startswith(("/", "~/")) and text.count("/") > 1)
