"""The tokens of a Whisper by its ``tokenizer.json``, checked against its vocabulary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOKENIZER = "tokenizer.json"
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
_END, _START = "<|endoftext|>", "<|startoftranscript|>"
_TRANSLATE, _TRANSCRIBE = "<|translate|>", "<|transcribe|>"
_PREVIOUS, _NO_TIMES = "<|startofprev|>", "<|notimestamps|>"
_FIRST_MULTILINGUAL = 51865  # tokens; openai/whisper/model.py, is_multilingual


@dataclass(frozen=True)
class WhisperTokens:
    """What the tokens of a Whisper are called by.

    Attributes:
        ids: Of every token that the tokenizer names.
        special: Names of the special ones, by their id.
        multilingual: Whether its decoder is given a language and a task.
    """

    ids: Mapping[str, int]
    special: tuple[str, ...]
    multilingual: bool

    @property
    def end(self) -> int:
        return self.ids[_END]

    @property
    def start(self) -> int:
        return self.ids[_START]

    @property
    def previous(self) -> int:
        """Begins the text before a clip."""
        return self.ids[_PREVIOUS]

    @property
    def no_times(self) -> int:
        """Asks for a text without timestamps; the first of those stands behind it."""
        return self.ids[_NO_TIMES]

    @property
    def tasks(self) -> dict[str, int]:
        return {"transcribe": self.ids[_TRANSCRIBE], "translate": self.ids[_TRANSLATE]}

    @property
    def languages(self) -> dict[str, int]:
        """``<|en|>`` and the others: what stands between the start and the tasks."""
        between = range(self.ids[_START] + 1, self.ids[_TRANSLATE])
        return {name: self.ids[name] for name in self.special if self.ids[name] in between}


def read_tokens(folder: Path, vocabulary_size: int) -> WhisperTokens:
    """The tokens of a model.

    Args:
        folder: With ``tokenizer.json``, and ``vocabulary.json`` or ``vocabulary.txt``.
        vocabulary_size: Tokens that the model's embeddings have.

    Raises:
        ValueError: A file is missing or damaged, or they do not fit each other or the model; the
            text ends a sentence that begins with the folder's name.
    """
    path = folder / TOKENIZER
    if not path.is_file():
        raise ValueError(f"has no {TOKENIZER}")
    written = _json(path)
    try:
        added = {str(one["content"]): int(one["id"]) for one in written["added_tokens"]}
        ids = {str(text): int(at) for text, at in written["model"]["vocab"].items()} | added
        special = [str(one["content"]) for one in written["added_tokens"] if one["special"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError(f"has a {TOKENIZER} that is not a tokenizer's") from None
    needed = (_END, _START, _TRANSLATE, _TRANSCRIBE, _PREVIOUS, _NO_TIMES)
    if missing := [name for name in needed if name not in ids]:
        raise ValueError(f"has a {TOKENIZER} without {missing[0]}, which is not a Whisper's")
    _check_fit(folder, ids, vocabulary_size)
    return WhisperTokens(
        ids,
        tuple(sorted(special, key=ids.__getitem__)),
        multilingual=vocabulary_size >= _FIRST_MULTILINGUAL,
    )


def _check_fit(folder: Path, ids: Mapping[str, int], vocabulary_size: int) -> None:
    """Raise where tokenizer, vocabulary and model are not of one another."""
    if min(ids.values()) < 0:
        raise ValueError(f"has a {TOKENIZER} with a token below 0, which is not a tokenizer's")
    if max(ids.values()) >= vocabulary_size:
        raise ValueError(
            f"has a tokenizer of {max(ids.values()) + 1:,} tokens and a model of "
            f"{vocabulary_size:,}: they are of different models"
        )
    held = next((folder / name for name in _VOCABULARIES if (folder / name).is_file()), None)
    if held is None:
        return
    names = _names(held)
    if len(names) != vocabulary_size:
        raise ValueError(
            f"has {len(names):,} tokens in {held.name} and a model of {vocabulary_size:,}: "
            "they are of different models"
        )
    for name, at in ids.items():
        if names[at] != name:
            raise ValueError(
                f"calls token {at} {name!r} in {TOKENIZER} and {names[at]!r} in {held.name}: "
                "they are of different models"
            )


def _names(path: Path) -> list[str]:
    if path.suffix == ".json":
        found = _json(path)
        if not isinstance(found, list):
            raise ValueError(f"has a {path.name} that is not a list of tokens")
        return [str(one) for one in found]
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise ValueError(f"has a {path.name} that is not UTF-8") from None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(f"has a {path.name} that is not JSON") from None
