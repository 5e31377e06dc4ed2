"""Every mistake of a command line and of the files it selects, found before Hydra composes.

Hydra stops at the first mistake, and names neither file nor line. Here the arguments and the
files are read side by side with the schema, and all that is wrong is collected.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mynah.config import settings
from mynah.config.config_files import EXPERIMENTS, Choice, ConfigFiles
from mynah.config.errors import ConfigError
from mynah.config.search_path import display_path
from mynah.config.values import shown, value_mistake
from mynah.config.yaml_file import Entry, YamlFile


class Examination:
    """Reads the files that the arguments select and collects what is wrong.

    Args:
        files: Where configuration is found.
        config_name: The root file's name, usually ``config``.

    Attributes:
        errors: The mistakes, in the order of the command line and then of the files.
        choices: The option of every group, by group.
    """

    def __init__(self, files: ConfigFiles, config_name: str = "config") -> None:
        self.files = files
        self.config_name = config_name
        self.errors: list[ConfigError] = []
        self.choices: dict[str, Choice] = {}
        self._groups = files.groups()
        self._examined: set[tuple[Path, str]] = set()

    def examine(self, overrides: Sequence[Any]) -> list[str]:
        """Examine parsed overrides and all files they select.

        Args:
            overrides: Hydra's ``Override`` objects, none of them a sweep.

        Returns:
            The arguments to hand to Hydra: it wants ``++`` before keys inside a mapping.
        """
        self._root()
        base = dict(self.choices)
        added: list[tuple[str, str]] = []
        arguments = []
        on_command_line: set[str] = set()
        for override in overrides:
            key = override.key_or_group
            if key.partition(".")[0].partition("/")[0] == "hydra":
                arguments.append(override.input_line)
            elif key in self._groups and not isinstance(_value(override), dict):
                added += self._group_argument(override, base, on_command_line)
                arguments.append(override.input_line)
            else:
                arguments.append(self._key_argument(override))
        for group, option in added:
            self._file(f"{group}/{option}", on_command_line)
        for group, choice in self.choices.items():
            if choice.option is not None:
                self._file(f"{group}/{choice.option}", on_command_line)
        return arguments

    def examine_file(self, path: Path, package: str) -> None:
        """Examine a further file that Hydra's defaults list turned out to hold."""
        self._content(path, package)

    # The files

    def _root(self) -> None:
        path = self.files.find(self.config_name)
        if path is None:
            self.errors.append(
                ConfigError(
                    f"There is no {self.config_name}.yaml.",
                    where=", ".join(display_path(found) for found in self.files.directories),
                )
            )
            return
        read = self._content(path, "")
        for item, _line in read.defaults:
            if isinstance(item, dict):
                for key, option in item.items():
                    group = str(key).rpartition(" ")[2].lstrip("/")
                    if group in self._groups:
                        self.choices[group] = Choice(option, chosen=False)

    def _file(self, config_path: str, on_command_line: set[str]) -> None:
        """Examine a group's file: its header, its defaults list, its settings."""
        path = self.files.find(config_path)
        if path is None:
            return  # reported where it was asked for
        read = self.files.read(path)
        group = config_path.rpartition("/")[0].replace("/", ".")
        package = read.package
        in_experiments = config_path.split("/")[0] == EXPERIMENTS
        if package is None and in_experiments and not read.errors:
            if (path, "") not in self._examined:
                self.errors.append(
                    ConfigError(
                        "The experiment lacks `# @package _global_`, so that its settings would "
                        f"land under `{group}`.",
                        where=f"{read.at(1)}",
                        fix="write  # @package _global_  as its first line",
                    )
                )
            package = "_global_"
        if package is None:
            package = group
        self._content(path, "" if package == "_global_" else package)
        for item, line in read.defaults:
            self._default_item(read, config_path, item, line, on_command_line)

    def _default_item(
        self, read: YamlFile, config_path: str, item: Any, line: int, on_command_line: set[str]
    ) -> None:
        if isinstance(item, str):
            if item == "_self_" or "$" in item:
                return
            parent = config_path.rpartition("/")[0]
            target = item[1:] if item.startswith("/") else f"{parent}/{item}"
            if self.files.find(target) is None:
                self._missing_option(
                    target.rpartition("/")[0], target.rpartition("/")[2], read, line
                )
            else:
                self._file(target, on_command_line)
            return
        if not isinstance(item, dict) or len(item) != 1:
            return
        (key, option), *_ = item.items()
        words = str(key).split()
        group = words[-1].partition("@")[0]
        name = group.lstrip("/")
        if name.split("/")[0] == "hydra" or not isinstance(option, str) or "$" in option:
            return
        if (
            name in self._groups
            and name != EXPERIMENTS
            and ("override" not in words or "/" not in group)
        ):
            self.errors.append(
                ConfigError(
                    f"`{key}: {option}` does not reach the group {name}.",
                    where=read.at(line),
                    fix=f"write  - override /{name}: {option}",
                )
            )
        if name not in self._groups:
            close = difflib.get_close_matches(name, self._groups, n=1)
            near = f"; nearest: {close[0]}" if close else ""
            self.errors.append(
                ConfigError(
                    f"There is no group {name}{near}.",
                    where=read.at(line),
                    fix=f"the groups are {', '.join(self._groups)}",
                )
            )
        elif self.files.find(f"{name}/{option}") is None:
            self._missing_option(name, option, read, line)
        elif name == EXPERIMENTS:
            self._file(f"{name}/{option}", on_command_line)
        elif name not in on_command_line:
            self.choices[name] = Choice(option, chosen=True)

    def _missing_option(self, group: str, option: str, read: YamlFile, line: int) -> None:
        what, nearest = self._no_option(group, option)
        fix = f"write {nearest}" if nearest else "name a file that is there"
        self.errors.append(ConfigError(what, where=read.at(line), fix=fix))

    def _no_option(self, group: str, option: str) -> tuple[str, str | None]:
        options = self.files.options(group)
        close = difflib.get_close_matches(option, options, n=1, cutoff=0.4)
        kind = "experiment" if group == EXPERIMENTS else group
        near = f" Nearest: {close[0]}." if close else ""
        known = ", ".join(options) or "none"
        return f"There is no {kind} {option}.{near} There are: {known}.", close[
            0
        ] if close else None

    def _content(self, path: Path, package: str) -> YamlFile:
        read = self.files.read(path)
        if (path, package) not in self._examined:
            self._examined.add((path, package))
            self.errors += read.errors
            self._entries(read, read.entries, f"{package}." if package else "")
        return read

    def _entries(self, read: YamlFile, entries: Sequence[Entry], prefix: str) -> None:
        for entry in entries:
            name = f"{prefix}{entry.key}"
            if name.partition(".")[0] == "hydra":
                continue
            found = settings.find(name)
            if name in settings.all_sections():
                if entry.entries is not None:
                    self._entries(read, entry.entries, f"{name}.")
                elif not isinstance(entry.value, str) or "${" not in entry.value:
                    self.errors.append(self._no_mapping(read, entry, name))
            elif found is None:
                self.errors.append(self._unknown_in_file(read, entry, name, prefix))
            elif mistake := value_mistake(found, name, entry.value):
                self.errors.append(
                    ConfigError(
                        mistake.what,
                        where=read.at(entry.line),
                        fix=f"write  {entry.key}: {mistake.instead}"
                        if mistake.instead is not None
                        else "remove the line",
                        setting=name,
                    )
                )

    def _no_mapping(self, read: YamlFile, entry: Entry, name: str) -> ConfigError:
        if entry.value is None:
            what, fix = (
                f"`{name}:` has nothing below it.",
                "indent its settings below it, or remove it",
            )
        elif name in self._groups and entry.value in self.files.options(name):
            what = f"A group is chosen in the defaults list, not by `{name}: {entry.value}`."
            fix = f"write  - override /{name}: {entry.value}  below `defaults:`"
        else:
            what = f"{name} is a group of settings, not {shown(entry.value)}."
            fix = f"write its settings below `{name}:`"
        return ConfigError(what, where=read.at(entry.line), fix=fix)

    def _unknown_in_file(self, read: YamlFile, entry: Entry, name: str, prefix: str) -> ConfigError:
        where = read.at(entry.line)
        if reason := settings.gone(name):
            instead = _gone_instead(name, entry.value)
            fix = (
                f"write  {instead.partition('.')[2].replace('=', ': ')}" if instead else "remove it"
            )
            return ConfigError(f"{name} is gone: {reason}.", where=where, fix=fix)
        if prefix and entry.key == prefix[:-1]:
            return ConfigError(
                f"`{entry.key}:` is one level too many: the file's folder says it already.",
                where=where,
                fix=f"remove the line `{entry.key}:` and move what is below it to the left",
            )
        if "." in entry.key and settings.find(name):
            first, _, rest = entry.key.partition(".")
            return ConfigError(
                f"`{entry.key}` must be nested in YAML.",
                where=where,
                fix=f"write  {first}:  and below it, indented,  {rest}: {shown(entry.value)}",
            )
        near = settings.nearest(name)
        if not near:
            return ConfigError(
                f"There is no setting {name}.",
                where=where,
                fix="mynah config explain lists them all",
            )
        section, _, leaf = near[0].rpartition(".")
        place = "" if f"{section}." == prefix or not section else f" below `{section}:`"
        return ConfigError(
            f"There is no setting {name}. Nearest: {', '.join(near)}.",
            where=where,
            fix=f"write  {leaf}:{place}",
        )

    # The command line

    def _group_argument(
        self, override: Any, base: dict[str, Choice], on_command_line: set[str]
    ) -> list[tuple[str, str]]:
        group, typed = override.key_or_group, override.input_line
        value = _value(override)
        options = value if isinstance(value, list) else [value]

        def wrong(what: str, instead: str | None) -> list[tuple[str, str]]:
            self.errors.append(_argument_error(what, typed, instead))
            return []

        if override.is_delete():
            if group not in base:
                return wrong(f"No {group} is chosen that could be removed.", None)
            self.choices[group] = Choice(None, chosen=True)
            on_command_line.add(group)
            return []
        prefix = "" if group in base else "+"
        for option in options:
            if not isinstance(option, str):
                known = ", ".join(self.files.options(group))
                return wrong(f"{group} takes the name of one of its files: {known}.", None)
            if self.files.find(f"{group}/{option}") is None:
                what, near = self._no_option(group, option)
                return wrong(what, f"{prefix}{group}={near}" if near else None)
        written = typed.partition("=")[2]
        if group in base and override.is_add():
            return wrong(
                f"A {group} is chosen already: it is replaced, not added.", f"{group}={written}"
            )
        if override.is_force_add() or (group not in base and not override.is_add()):
            what = (
                "An experiment is" if group == EXPERIMENTS else f"{group} is not chosen yet: it is"
            )
            return wrong(f"{what} added, with one + before it.", f"{prefix}{group}={written}")
        if group in base:
            self.choices[group] = Choice(options[-1], chosen=True)
            on_command_line.add(group)
            return []
        return [(group, option) for option in options]

    def _key_argument(self, override: Any) -> str:
        """Check one ``key=value``; returns the argument as Hydra takes it."""
        name, typed = override.key_or_group, override.input_line
        value = _value(override)
        found = settings.find(name)
        if override.is_delete():
            if found is None or name == found.name:
                default = f"{name}={_default(found)}" if found else None
                what = (
                    f"{name} cannot be removed, only set."
                    if found
                    else f"There is no setting {name}."
                )
                self.errors.append(_argument_error(what, typed, default))
            return typed
        if name in settings.all_sections():
            if isinstance(value, dict):
                for leaf, leaf_value in _leaves(value, name):
                    self._value(leaf, leaf_value, typed, None)
            else:
                self.errors.append(self._section_argument(name, typed))
            return typed
        if found is None:
            self.errors.append(self._unknown_argument(name, typed, value))
            return typed
        self._value(name, value, typed, name)
        if override.is_add() or (found.is_mapping and name != found.name):
            return f"++{typed.lstrip('+')}"
        return typed

    def _value(self, name: str, value: Any, typed: str, replace: str | None) -> None:
        found = settings.find(name)
        if found is None:
            self.errors.append(self._unknown_argument(name, typed, value))
        elif mistake := value_mistake(found, name, value):
            instead = f"{replace}={mistake.instead}" if replace and mistake.instead else None
            if name == "training.resume_from_checkpoint":
                instead = f"resume_from_checkpoint={typed.partition('=')[2]}"
            remove = replace is not None and mistake.instead is None
            self.errors.append(
                _argument_error(mistake.what, typed, instead, remove=remove, setting=name)
            )

    def _section_argument(self, name: str, typed: str) -> ConfigError:
        inside = [s for s in settings.all_settings() if s.startswith(f"{name}.")]
        some = ", ".join(inside[:3])
        return _argument_error(f"{name} is a group of settings, as {some}.", typed, None)

    def _unknown_argument(self, name: str, typed: str, value: Any) -> ConfigError:
        written = typed.partition("=")[2]
        if reason := settings.gone(name):
            return _argument_error(
                f"{name} is gone: {reason}.", typed, _gone_instead(name, value), remove=True
            )
        if "." not in name:
            close = difflib.get_close_matches(name, self._groups, n=1, cutoff=0.6)
            if close:
                plus = "" if close[0] in self.choices else "+"
                return _argument_error(
                    f"There is no group or setting {name}. Nearest: {close[0]}.",
                    typed,
                    f"{plus}{close[0]}={written}",
                )
        near = settings.nearest(name)
        if not near:
            return _argument_error(f"There is no setting {name}.", typed, None)
        return _argument_error(
            f"There is no setting {name}. Nearest: {', '.join(near)}.",
            typed,
            f"{near[0]}={written}",
        )


def _argument_error(
    what: str, typed: str, instead: str | None, *, remove: bool = False, setting: str | None = None
) -> ConfigError:
    return ConfigError(
        what,
        where=f"command line: {typed}",
        argument=typed if instead or remove else None,
        instead=instead,
        setting=setting,
    )


def _gone_instead(name: str, value: Any) -> str | None:
    instead = settings.GONE[name.rpartition(".")[2]].instead
    return instead.format(value=value) if instead else None


def _default(found: settings.Setting) -> str:
    from mynah.config.values import typed

    return typed(found.default)


def _leaves(value: dict[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, below in value.items():
        name = f"{prefix}.{key}"
        found = settings.find(name)
        if isinstance(below, dict) and not (found and found.is_mapping):
            yield from _leaves(below, name)
        else:
            yield name, below


def _value(override: Any) -> Any:
    """An override's value as plain objects; quoted texts without their quotes."""
    from hydra.core.override_parser.types import QuotedString

    def plain(value: Any) -> Any:
        if isinstance(value, QuotedString):
            return value.text
        if isinstance(value, list):
            return [plain(item) for item in value]
        if isinstance(value, dict):
            return {str(plain(key)): plain(item) for key, item in value.items()}
        return value

    return plain(override.value())
