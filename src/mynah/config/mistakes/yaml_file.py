"""A YAML file with the line of every key, its mistakes collected instead of raised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from omegaconf._utils import get_yaml_loader

from mynah.config.mistakes.texts import changed_in_yaml
from mynah.errors import ConfigError
from mynah.files import display_path

_HEADER = re.compile(r"^#\s*@(\w+)\s+(\S+)\s*$")


@dataclass
class YamlEntry:
    """One key of a mapping.

    Attributes:
        key: The key as written.
        line: Its line, from 1.
        value: Its value; a mapping's as a dict.
        entries: The keys below it where the value is a mapping, else None.
        changed: Numbers in it that would not be what is written if they were texts, as ``007``.
    """

    key: str
    line: int
    value: Any
    entries: list[YamlEntry] | None = None
    changed: tuple[str, ...] = ()

    def leaves(self, prefix: str = "") -> Iterator[tuple[str, YamlEntry]]:
        """(dotted name, entry) of everything below that is not a mapping with content."""
        name = f"{prefix}{self.key}"
        if self.entries:
            for entry in self.entries:
                yield from entry.leaves(f"{name}.")
        else:
            yield name, self


@dataclass
class YamlFile:
    """What a configuration file holds.

    Attributes:
        path: Where it lies.
        package: Where its ``# @package`` puts it, or None without one.
        entries: Its keys without ``defaults``.
        defaults: The items of its defaults list with their lines.
        errors: What is wrong with it as YAML; the rest is empty where it cannot be read.
    """

    path: Path
    package: str | None = None
    entries: list[YamlEntry] = field(default_factory=list)
    defaults: list[tuple[Any, int]] = field(default_factory=list)
    errors: list[ConfigError] = field(default_factory=list)

    def at(self, line: int) -> str:
        """The place of a line, as a person would type it."""
        return f"{self._shown}:{line}"

    @cached_property
    def _shown(self) -> str:
        return display_path(self.path)


@cache
def yaml_loader() -> Any:
    """OmegaConf's loader, but ``no``, ``yes``, ``on`` and ``off`` stay texts.

    YAML 1.1 makes booleans of them, so that ``eval_strategy: no`` would become false; on the
    command line they are texts, and a setting that is a boolean understands them all the same.
    """

    class Loader(get_yaml_loader()):  # type: ignore[misc]
        pass

    boolean = "tag:yaml.org,2002:bool"
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != boolean]
        for first, resolvers in Loader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver(
        boolean, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
    )
    return Loader


@cache
def _fast_loader() -> Any:
    """:func:`yaml_loader` on libyaml's parser, ten times as fast; itself where that is not there.

    Its messages are others, so what it refuses is read again with the loader that has ours.
    """
    loader = yaml_loader()
    if not yaml.__with_libyaml__:
        return loader

    class FastLoader(yaml.cyaml.CParser, loader):  # type: ignore[misc, valid-type]
        def __init__(self, text: str) -> None:
            yaml.cyaml.CParser.__init__(self, text)
            yaml.constructor.SafeConstructor.__init__(self)
            yaml.resolver.Resolver.__init__(self)

    return FastLoader


def load_yaml(text: str) -> Any:
    """A YAML text as plain objects.

    Raises:
        yaml.YAMLError: It is not YAML, or has a key twice.
    """
    try:
        return yaml.load(text, Loader=_fast_loader())
    except yaml.YAMLError:
        return yaml.load(text, Loader=yaml_loader())


def read_header(text: str) -> dict[str, str | None]:
    """The ``# @key value`` lines among the comments that a YAML file starts with.

    Hydra stops at the first comment of another kind, so that a file whose first line is its
    own path loses its ``# @package``; here every comment before the first content counts.
    """
    header: dict[str, str | None] = {"package": None}
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            break
        match = _HEADER.match(stripped)
        if match:
            header[match[1]] = match[2]
    return header


class _Reader:
    def __init__(self, made: YamlFile, loader: Any) -> None:
        self.made = made
        self.loader = loader

    def entries(self, node: yaml.MappingNode, prefix: str = "") -> list[YamlEntry]:
        self.loader.flatten_mapping(node)  # merge keys, as `<<: *base`
        seen: dict[str, int] = {}
        found = []
        for key_node, value_node in node.value:
            key = str(self.loader.construct_object(key_node))
            line = key_node.start_mark.line + 1
            if key in seen:
                self.made.errors.append(
                    ConfigError(
                        f"`{prefix}{key}` is written twice, in line {seen[key]} "
                        f"and in line {line}.",
                        where=self.made.at(line),
                        fix="keep one of them",
                    )
                )
                continue
            seen[key] = line
            changed = tuple(changed_in_yaml(value_node, self.loader))
            if isinstance(value_node, yaml.MappingNode):
                below = self.entries(value_node, f"{prefix}{key}.")
                values = {entry.key: entry.value for entry in below}
                found.append(YamlEntry(key, line, values, below, changed))
            else:
                value = self.loader.construct_object(value_node, deep=True)
                found.append(YamlEntry(key, line, value, changed=changed))
        return found


def read_yaml(path: Path) -> YamlFile:
    """Read a file, its mistakes as YAML in ``errors``."""
    made = YamlFile(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        made.errors.append(
            ConfigError(
                f"The file cannot be read: {problem}.",
                where=display_path(path),
                fix="it must be a YAML file in UTF-8",
            )
        )
        return made
    made.package = read_header(text)["package"]
    loader = None
    try:
        loader, node = _composed(text)
        if node is None:
            return made
        if not isinstance(node, yaml.MappingNode):
            made.errors.append(
                ConfigError(
                    "The file holds no `key: value` lines.",
                    where=made.at(node.start_mark.line + 1),
                    fix="write settings as `key: value`, one a line",
                )
            )
            return made
        entries = _Reader(made, loader).entries(node)
        made.defaults = _defaults(node, loader)
    except yaml.reader.ReaderError as problem:
        made.errors.append(_character_error(made, problem, text))
        return made
    except yaml.MarkedYAMLError as problem:
        made.errors.append(_syntax_error(made, problem, text))
        return made
    finally:
        if loader is not None:
            loader.dispose()
    made.entries = [entry for entry in entries if entry.key != "defaults"]
    return made


def _composed(text: str) -> tuple[Any, yaml.Node | None]:
    """A text's root, and the loader that makes objects of its nodes.

    Raises:
        yaml.YAMLError: It is not YAML.
    """
    try:
        loader = _fast_loader()(text)
        return loader, loader.get_single_node()
    except yaml.YAMLError:
        loader = yaml_loader()(text)
        return loader, loader.get_single_node()


def _defaults(node: yaml.MappingNode, loader: Any) -> list[tuple[Any, int]]:
    for key_node, value_node in node.value:
        if key_node.value == "defaults" and isinstance(value_node, yaml.SequenceNode):
            return [
                (loader.construct_object(item, deep=True), item.start_mark.line + 1)
                for item in value_node.value
            ]
    return []


def _character_error(made: YamlFile, problem: yaml.reader.ReaderError, text: str) -> ConfigError:
    """Of a character that YAML has no place for, as a bell, or the zeros of UTF-16."""
    number = text.count("\n", 0, problem.position) + 1
    found = ord(text[problem.position])
    return ConfigError(
        f"The file is not valid YAML: it has a character that is not allowed, U+{found:04X}.",
        where=made.at(number),
        fix="remove the character" if found else "save the file as UTF-8: UTF-16 has such zeros",
    )


def _syntax_error(made: YamlFile, problem: yaml.MarkedYAMLError, text: str) -> ConfigError:
    mark = problem.problem_mark or problem.context_mark
    number = (mark.line if mark else 0) + 1
    lines = text.splitlines()
    number = min(number, max(len(lines), 1))
    line = lines[number - 1] if lines else ""
    message = str(problem.problem or problem.context)
    if "\t" in line:
        fix = "indent with spaces: YAML takes no tabs"
    elif "mapping values" in message:
        fix = "check the indentation, and quote a text that holds `: `"
    elif "could not find expected ':'" in message or "expected <block end>" in message:
        fix = "check the indentation of this line and the one before, and write `key: value`"
    else:
        fix = "check brackets, quotes and indentation of this line and the one before"
    return ConfigError(
        f"The file is not valid YAML: {message}.",
        where=f"{made.at(number)}: {line.strip()}",
        fix=fix,
    )
