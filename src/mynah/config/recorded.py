"""The settings that a run or a checkpoint recorded, read as data.

A checkpoint may be anybody's. What its ``config.yaml`` holds is text and numbers: nothing of it
is resolved, so that ``${oc.env:HOME}`` in it stays the letters that it is, and a file that would
take up the machine's memory or time is refused.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import yaml

from mynah.config.hydra.compose import from_mapping
from mynah.config.mistakes.yaml_file import load_yaml, yaml_loader
from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.files import display_path

_MAX_BYTES = 4 * 2**20  # of a configuration; ours have some 20 KB
_MAX_NODES = 200_000  # keys and values, each counted as often as it is referred to
_MAX_DEPTH = 100
# Stands for the sign that OmegaConf resolves: private characters, which no setting has.
_NODE = re.compile(r"\$\{\.*[a-z_]+(\.[a-z_]+)*\}")  # another setting, and no resolver
_SIGN, _INERT = "${", "\ue000\uf8ff\ue000{"


def read_recorded(path: Path, *, composed: bool = False) -> Config:
    """A ``Config`` from a run's or a checkpoint's config.yaml.

    Args:
        path: The file.
        composed: It is Hydra's own record, in which one setting may stand for another, as
            ``${.eval_steps}``; those alone are looked up.

    Raises:
        UserError: The file cannot be read, is damaged, or does not fit this version's settings.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _damaged(path, f"it has more than {_MAX_BYTES / 2**20:g} MiB")
        text = path.read_text(encoding="utf-8")
        _check_size(path, text)
        content = load_yaml(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as problem:
        raise _damaged(path, _first_line(problem)) from problem
    if content is not None and not isinstance(content, dict):
        raise _damaged(path, "it holds no settings")
    inert = _inert(content or {}, keep=_NODE if composed else None)
    restored: Config = _restored(from_mapping(inert, display_path(path)))
    return restored


def _check_size(path: Path, text: str) -> None:
    """Raise where a text that is short becomes endless once its references are followed."""
    node = yaml.compose(text, Loader=yaml_loader())
    sizes: dict[int, int] = {}

    def size(one: yaml.Node, depth: int) -> int:
        if depth > _MAX_DEPTH:
            raise _damaged(path, f"it is nested more than {_MAX_DEPTH} deep, or holds itself")
        if id(one) not in sizes:
            below: list[yaml.Node] = []
            if isinstance(one, yaml.SequenceNode):
                below = list(one.value)
            elif isinstance(one, yaml.MappingNode):
                below = [part for pair in one.value for part in pair]
            sizes[id(one)] = 1 + sum(size(part, depth + 1) for part in below)
        return sizes[id(one)]

    if node is not None and size(node, 0) > _MAX_NODES:
        raise _damaged(path, f"it stands for more than {_MAX_NODES:,} values")


def _inert(value: Any, keep: re.Pattern[str] | None) -> Any:
    """Plain values in which nothing is a reference, but for texts that ``keep`` matches."""
    if isinstance(value, str):
        return value if keep and keep.fullmatch(value) else value.replace(_SIGN, _INERT)
    if isinstance(value, dict):
        return {_inert(key, keep): _inert(below, keep) for key, below in value.items()}
    if isinstance(value, list):
        return [_inert(below, keep) for below in value]
    return value


def _restored(value: Any) -> Any:
    """Settings whose texts are again what the file has."""
    if isinstance(value, str):
        return value.replace(_INERT, _SIGN)
    if isinstance(value, dict):
        return {_restored(key): _restored(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_restored(below) for below in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        changes = {field.name: _restored(getattr(value, field.name)) for field in fields}
        return dataclasses.replace(value, **changes)
    return value


def _first_line(problem: BaseException) -> str:
    lines = str(problem).splitlines()
    return lines[0].rstrip(".") if lines else type(problem).__name__


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(
        f"The recorded settings cannot be read: {reason}.",
        where=display_path(path),
        fix="the file is damaged or was edited; use another checkpoint, or copy it again",
    )
