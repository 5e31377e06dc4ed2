"""A Whisper of CTranslate2 as a folder that transformers loads, converted once and kept."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from mynah import files
from mynah.errors import UserError
from mynah.models.pretrained import weight_files
from mynah.models.pretrained.ctranslate2.model_file import Variable, read_model_file
from mynah.models.pretrained.ctranslate2.whisper_files import (
    EXTRACTOR,
    SETTINGS,
    model_files,
    read_whisper_settings,
)
from mynah.models.pretrained.ctranslate2.whisper_tensors import whisper_tensors
from mynah.models.pretrained.ctranslate2.whisper_tokens import TOKENIZER, read_tokens

CONVERTED_MODEL = "model.bin"
_LAYOUT = 1  # of what is written: with another number, what is kept is made again
_READ = (CONVERTED_MODEL, TOKENIZER, SETTINGS, EXTRACTOR, "vocabulary.json", "vocabulary.txt")
_SAFETENSORS = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
_WIDEST_FIRST = tuple(_SAFETENSORS)
_ALIGNED = 8  # bytes of a safetensors file's first number, and what its header is filled to


def is_ctranslate2(folder: Path) -> bool:
    """Whether a folder holds a model of CTranslate2, and none of transformers."""
    if not (folder / CONVERTED_MODEL).is_file():
        return False
    return "model_type" not in files.read_json(folder / SETTINGS)


def converted(folder: Path, *, setting: str) -> Path:
    """The folder with a Whisper of CTranslate2 in transformers' layout, written where it is not.

    It lies in ``models`` of Mynah's cache, under the digest of what it is made from.

    Args:
        folder: With ``model.bin``, ``config.json`` and ``tokenizer.json``.
        setting: What named it, for messages.

    Raises:
        UserError: It is damaged, quantized to integers, of another version or architecture, or
            its files do not fit each other; or the cache cannot be written to.
    """
    try:
        digest = _digest(folder)
    except OSError as error:
        raise _unreadable(folder, error, setting) from None
    place = files.user_cache() / "models" / f"whisper-{digest[:16]}"
    if weight_files.are_intact(place):
        return place
    made = _tensors_and_files(folder, setting)
    try:
        _write(place, folder, *made)
    except OSError as error:
        raise UserError(
            f"The converted copy of {folder} cannot be written: {error.strerror}.",
            where=str(place),
            fix="Free some space there, or let MYNAH_CACHE name another folder.",
        ) from None
    return place


def _digest(folder: Path) -> str:
    """Of all that a converted copy depends on."""
    sums = [str(_LAYOUT)]
    sums += [
        f"{name} {weight_files.sha256_of(folder / name)}"
        for name in _READ
        if (folder / name).is_file()
    ]
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()


def _tensors_and_files(
    folder: Path, setting: str
) -> tuple[dict[str, Variable], dict[str, dict[str, object]]]:
    named = folder / CONVERTED_MODEL
    try:
        sizes, tensors = whisper_tensors(read_model_file(named))
        named = folder
        tokens = read_tokens(folder, sizes.vocabulary)
        settings = read_whisper_settings(folder, sizes)
    except ValueError as problem:
        raise UserError(
            f"{named} {problem}.",
            where=setting,
            fix="Name a folder with a Whisper as faster-whisper's converter writes it: model.bin "
            "in float16, bfloat16 or float32, config.json and tokenizer.json.",
        ) from None
    except OSError as error:
        raise _unreadable(folder, error, setting) from None
    held = {one.dtype for one in tensors.values()}
    dtype = next(one for one in _WIDEST_FIRST if one in held)
    return tensors, model_files(sizes, tokens, settings, dtype)


def _unreadable(folder: Path, error: OSError, setting: str) -> UserError:
    return UserError(
        f"{folder} cannot be read: {error.strerror}.", where=setting, fix="Copy it again."
    )


def _write(
    place: Path,
    folder: Path,
    tensors: Mapping[str, Variable],
    written: Mapping[str, Mapping[str, object]],
) -> None:
    """Write the copy beside its place, and give it the name when all of it is on the disk."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".{place.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}")
    beside.mkdir()
    try:
        _write_weights(beside / weight_files.SINGLE, tensors)
        for name, content in written.items():
            text = json.dumps(content, indent=2, ensure_ascii=False)
            (beside / name).write_text(f"{text}\n", encoding="utf-8")
        shutil.copyfile(folder / TOKENIZER, beside / TOKENIZER)
        for path in beside.iterdir():
            files.sync(path)
        if place.exists():  # damaged, or another process was faster
            if weight_files.are_intact(place):
                return
            shutil.rmtree(place)
        beside.rename(place)
        files.sync_directory(place.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write_weights(path: Path, tensors: Mapping[str, Variable]) -> None:
    """A safetensors file, from bytes that may lie on the disk.

    https://github.com/huggingface/safetensors, format; the library would hold all of it in memory.
    """
    order = sorted(tensors, key=lambda name: (_WIDEST_FIRST.index(tensors[name].dtype), name))
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name in order:
        one = tensors[name]
        header[name] = {
            "dtype": _SAFETENSORS[one.dtype],
            "shape": one.shape,
            "data_offsets": [at, at + len(one.data)],
        }
        at += len(one.data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % _ALIGNED)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(_ALIGNED, "little") + text)
        for name in order:
            file.write(tensors[name].data)
