"""Every setting by its dotted name, with its type, default and metadata."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any

from mynah.config.schema import Config, Nature
from mynah.config.schema.nature import DECIDES
from mynah.config.trainer_fields.disposition import GONE
from mynah.config.trainer_fields.natures import upstream_nature


@dataclass(frozen=True)
class Setting:
    """One leaf of the typed tree.

    Attributes:
        name: Dotted name, as ``training.learning_rate``.
        type: Its type as annotated.
        default: The schema's default.
        metadata: help, unit, minimum, maximum, choices, words (see ``schema.setting``), and
            ``upstream`` where only TrainingArguments defines it.
    """

    name: str
    type: Any
    default: Any
    metadata: typing.Mapping[str, Any]

    @property
    def section(self) -> str:
        """The dotted name above the leaf; empty at the root."""
        return self.name.rpartition(".")[0]

    @property
    def leaf(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def nature(self) -> Nature:
        """What it decides, and what else it is."""
        if self.metadata.get("upstream"):
            return upstream_nature(self.leaf)
        return typing.cast(Nature, self.metadata["nature"])

    @property
    def choices(self) -> tuple[str, ...] | None:
        """The values allowed, those of plug-ins among them; None: any of the type."""
        found = self.metadata.get("choices")
        return tuple(found()) if callable(found) else found

    @property
    def record(self) -> dict[str, Setting] | None:
        """Of a mapping whose values are settings themselves those settings, by their names."""
        record = self.metadata.get("record")
        return None if record is None else fields_of(record)

    @property
    def is_mapping(self) -> bool:
        """Whether it takes keys of its own below it (a dict, or a value of any type)."""
        return self.type is Any or typing.get_origin(without_none(self.type)) is dict


def without_none(annotation: Any) -> Any:
    """``int | None`` to ``int``; anything else as it is."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        rest = [part for part in typing.get_args(annotation) if part is not type(None)]
        return rest[0] if len(rest) == 1 else annotation
    return annotation


def is_list_of_texts(setting: Setting) -> bool:
    return bool(without_none(setting.type) == list[str])


def may_be_null(annotation: Any) -> bool:
    return annotation is Any or type(None) in typing.get_args(annotation)


def _default(found: dataclasses.Field[Any]) -> Any:
    if found.default_factory is not dataclasses.MISSING:
        return found.default_factory()
    return found.default


def _walk(cls: type, prefix: str) -> typing.Iterator[Setting]:
    hints = typing.get_type_hints(cls)
    for found in dataclasses.fields(cls):
        name = f"{prefix}{found.name}"
        annotation = hints.get(found.name, found.type)
        if dataclasses.is_dataclass(annotation):
            yield from _walk(typing.cast(type, annotation), f"{name}.")
        else:
            yield Setting(name, annotation, _default(found), found.metadata)


def fields_of(record: type) -> dict[str, Setting]:
    """The settings of a dataclass, by their names in it."""
    return {setting.name: setting for setting in _walk(record, "")}


@cache
def all_settings() -> dict[str, Setting]:
    """All settings in the schema's order, by dotted name."""
    return {setting.name: setting for setting in _walk(Config, "")}


@cache
def all_sections() -> frozenset[str]:
    """The dotted names that hold settings, as ``data`` and ``data.augmentation``."""
    sections = set()
    for setting in all_settings().values():
        parts = setting.section.split(".")
        sections |= {".".join(parts[: depth + 1]) for depth in range(len(parts))}
    return frozenset(sections - {""})


def in_section(section: str) -> tuple[str, ...]:
    """The settings in a section, nested ones too, by dotted name in the schema's order."""
    return tuple(name for name in all_settings() if name.startswith(f"{section}."))


@cache
def names(nature: Nature, section: str = "") -> tuple[str, ...]:
    """The settings of a nature, by dotted name in the schema's order.

    Args:
        nature: All of what they have to be.
        section: The section that they are in, nested ones too; empty: any.
    """
    below = f"{section}." if section else ""
    return tuple(
        name
        for name, setting in all_settings().items()
        if name.startswith(below) and nature in setting.nature
    )


@cache
def leaves(nature: Nature, section: str) -> tuple[str, ...]:
    """The settings of a nature that stand in a section itself, by their own names."""
    found = (all_settings()[name] for name in names(nature, section))
    return tuple(setting.leaf for setting in found if setting.section == section)


@cache
def deciding_only(natures: Nature, section: str) -> tuple[str, ...]:
    """The settings in a section, nested ones too, that decide nothing but this."""
    return tuple(
        name
        for name, setting in all_settings().items()
        if name.startswith(f"{section}.") and setting.nature & DECIDES in natures
    )


def entry_names(mapping: str, nature: Nature) -> tuple[str, ...]:
    """The settings of a nature in each entry of a mapping of settings, as ``data.mixture``."""
    record = all_settings()[mapping].record or {}
    return tuple(name for name, setting in record.items() if nature in setting.nature)


def with_value(section: Any, name: str, value: object) -> Any:
    """A copy of a dataclass in which the setting at a dotted name has another value."""
    first, _, rest = name.partition(".")
    changed = with_value(getattr(section, first), rest, value) if rest else value
    return dataclasses.replace(section, **{first: changed})


def value_of(config: Config, name: str) -> Any:
    """The value of a setting by its dotted name."""
    found: Any = config
    for part in name.split("."):
        found = getattr(found, part)
    return found


def find(name: str) -> Setting | None:
    """The setting of this dotted name, or the mapping that this name lies inside of."""
    settings = all_settings()
    if name in settings:
        return settings[name]
    parent = name
    while "." in parent:
        parent = parent.rpartition(".")[0]
        if parent in settings:
            return settings[parent] if settings[parent].is_mapping else None
    return None


def nearest(name: str) -> list[str]:
    """Known settings and sections that a mistyped dotted name may have meant, best first."""
    known = [*all_settings(), *sorted(all_sections())]
    section, _, leaf = name.rpartition(".")
    same_leaf = [other for other in known if other.rpartition(".")[2] == leaf]
    if same_leaf:
        return sorted(same_leaf, key=lambda other: other.count("."))[:3]
    beside = [other for other in known if other.rpartition(".")[0] == section]
    # Leaves are compared, not full names: a shared section would make anything look alike.
    close: list[str] = []
    for others, cutoff in ((beside, 0.65), (known, 0.75)):
        leaves = {other.rpartition(".")[2]: other for other in reversed(others)}
        matches = difflib.get_close_matches(leaf, leaves, n=2, cutoff=cutoff)
        close += [leaves[match] for match in matches]
    if not close and section and section not in all_sections():
        return [
            other for better in nearest_sections(section) for other in nearest(f"{better}.{leaf}")
        ]
    return list(dict.fromkeys(close))[:3]


def nearest_sections(section: str) -> list[str]:
    """Known sections that a mistyped one may have meant, best first."""
    return difflib.get_close_matches(section, sorted(all_sections()), n=1, cutoff=0.6)


def gone(name: str) -> str | None:
    """Why a ``training.*`` name no longer exists in TrainingArguments, or None."""
    section, _, leaf = name.rpartition(".")
    return GONE[leaf].reason if section in ("training", "") and leaf in GONE else None


_PLAIN_TYPES = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
}
_PLURALS = {int: "whole numbers", float: "numbers", bool: "true or false", str: "texts"}


def describe_values(setting: Setting) -> str:
    """What a setting takes in a person's words, as "a whole number, `auto` or null"."""
    words = setting.metadata.get("words")
    if not words:
        return describe_type(setting.type)
    (number,) = (kind for kind in typing.get_args(setting.type) if kind in (int, float))
    named = ", ".join(f"`{word}`" for word in words)
    return f"{_PLAIN_TYPES[number]}, {named} or null"


def describe_type(annotation: Any) -> str:
    """A type in a person's words, as "a whole number or null"."""
    inner = without_none(annotation)
    origin = typing.get_origin(inner)
    if inner in _PLAIN_TYPES:
        words = _PLAIN_TYPES[inner]
    elif origin is list:
        words = f"a list of {_PLURALS[typing.get_args(inner)[0]]}, as [a, b]"
    elif origin is dict:
        words = "pairs, as {name: value}"
    else:
        return "a value"
    return f"{words} or null" if may_be_null(annotation) else words
