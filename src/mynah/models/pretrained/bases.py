"""The pretrained weights that a checkpoint builds on: found again, and known to be the same."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from mynah.errors import UserError
from mynah.models.lora import quantization
from mynah.models.pretrained import hub, weight_files
from mynah.models.pretrained.part import PretrainedName, PretrainedPart
from mynah.storage import cache
from mynah.storage.address import is_address, masked


def recorded(name: str, revision: str | None, *, offline: bool, setting: str) -> PretrainedPart:
    """The weights that a checkpoint remembers by name and revision, found again.

    Args:
        name: A hub name or a folder.
        revision: The commit they were loaded at, or of a folder the ``sha256:`` digest of its
            weights; None or ``"local"`` where nothing was recorded.
        offline: Use nothing that is not on this machine.
        setting: The file that says so, for messages.

    Raises:
        UserError: The folder is gone, or holds other weights; or the name is not to be had at
            that commit.
    """
    digest = revision if (revision or "").startswith(weight_files.DIGEST_PREFIX) else None
    commit = None if digest or revision == "local" else revision
    if is_address(name):
        name = str(_fetched_before(name, setting))
    asked = PretrainedName(name=name, revision=commit, offline=offline, setting=setting)
    folder = Path(name)
    if not asked.is_folder and (digest or folder.is_absolute()):
        raise UserError(
            f"The checkpoint builds on the weights in {name}, and that folder is not there.",
            where=setting,
            fix=f"Put the folder back, or link it to where it lies now: ln -s NEW_PLACE {name}",
        )
    part = hub.resolve(asked)
    if digest is None or not part.is_folder:
        return part
    found = weight_files.digest(part.folder)
    if found != digest:
        raise UserError(
            f"The checkpoint builds on other weights than those in {name}: they had the digest "
            f"{_short(digest)}, and it is {_short(found or 'none')} now.",
            where=setting,
            fix="Put the weights back that it was trained on, or let the name be a link to the "
            "folder that holds them.",
        )
    return part


def _fetched_before(address: str, setting: str) -> Path:
    """What this machine fetched of an address: one that a checkpoint names is not contacted, for
    the checkpoint may be anybody's.

    Raises:
        UserError: It never did.
    """
    found = cache.kept(address)
    if found is None:
        raise UserError(
            f"The checkpoint builds on the weights in {masked(address)}, which are not fetched "
            "from where a checkpoint says.",
            where=setting,
            fix="if you trust that place, fetch them once: mynah prefetch "
            f"model.pretrained={masked(address)}",
        )
    return found


def _short(digest: str) -> str:
    return digest.removeprefix(weight_files.DIGEST_PREFIX)[:12]


def check_bases(directory: Path, *, offline: bool) -> None:
    """Find out whether what a checkpoint builds on is there, before anything is loaded.

    Args:
        directory: A checkpoint, an adapter or not.
        offline: Use nothing that is not on this machine.

    Raises:
        UserError: It is not, or not the same.
    """
    for base in bases_of(directory, offline=offline):
        hub.model_type(base)
        weight_files.check_weights(base)


def bases_of(directory: Path, *, offline: bool) -> list[PretrainedPart]:
    """The weights that a checkpoint builds on; none where it holds all of its own.

    Args:
        directory: A checkpoint, an adapter or not.
        offline: Use nothing that is not on this machine.

    Raises:
        UserError: A folder among them is gone, or holds other weights.
    """
    return [
        recorded(name, revision, offline=offline, setting=str(file))
        for name, revision, file in _remembered(directory)
    ]


def _remembered(directory: Path) -> list[tuple[str, str | None, Path]]:
    """Names and revisions of the weights that a checkpoint does not hold, and where it says so."""
    adapter = directory / "adapter_config.json"
    if weight_files.adapter_alone(directory):
        written = _read(adapter)
        return [(written["base_model_name_or_path"], written.get("revision"), adapter)]
    config = directory / "config.json"
    written = _read(config) if config.is_file() else {}
    held = written.get("saved_parts") or []
    bases: dict[str, Any] = written.get("bases") or {}
    return [(name, at, config) for part, (name, at) in bases.items() if part not in held]


def base_of(directory: Path, *, offline: bool) -> PretrainedPart:
    """The weights that an adapter was trained on, held in four bits where they were.

    Raises:
        UserError: They are not to be had, or are others.
    """
    ((name, revision, file),) = _remembered(directory)
    part = recorded(name, revision, offline=offline, setting=str(file))
    config = directory / "config.json"
    asked = _read(config).get(quantization.QUANTIZATION_RECORD) if config.is_file() else None
    return dataclasses.replace(part, quantization=quantization.quantization_here(asked))


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise UserError(
            "This file is damaged: it is not JSON.",
            where=str(file),
            fix="Use another checkpoint, or copy this one again from where it is intact.",
        ) from None
