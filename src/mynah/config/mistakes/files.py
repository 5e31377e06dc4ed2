"""The mistakes of configuration files: headers, defaults lists, keys, values."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mynah.config import settings
from mynah.config.hydra.config_files import EXPERIMENTS, ConfigFiles, GroupChoice
from mynah.config.mistakes.texts import takes_texts
from mynah.config.mistakes.way_out import way_out
from mynah.config.mistakes.yaml_file import YamlEntry, YamlFile
from mynah.config.trainer_fields.disposition import GONE
from mynah.config.values import shown, typed, value_mistake
from mynah.errors import ConfigError
from mynah.files import display_path


class FileExamination:
    """Reads configuration files and collects what is wrong with them.

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
        self.choices: dict[str, GroupChoice] = {}
        self.groups = files.groups()
        self._examined: set[tuple[Path, str]] = set()

    def examine_file(self, path: Path, package: str) -> None:
        """Examine a further file that Hydra's defaults list turned out to hold."""
        self._content(path, package)

    def root(self) -> None:
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
                    if group in self.groups:
                        self.choices[group] = GroupChoice(option, chosen=False)

    def file(self, config_path: str, on_command_line: set[str]) -> None:
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
                self.file(target, on_command_line)
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
            name in self.groups
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
        if name not in self.groups:
            close = difflib.get_close_matches(name, self.groups, n=1)
            near = f"; nearest: {close[0]}" if close else ""
            self.errors.append(
                ConfigError(
                    f"There is no group {name}{near}.",
                    where=read.at(line),
                    fix=f"the groups are {', '.join(self.groups)}",
                )
            )
        elif self.files.find(f"{name}/{option}") is None:
            self._missing_option(name, option, read, line)
        elif name == EXPERIMENTS:
            self.file(f"{name}/{option}", on_command_line)
        elif name not in on_command_line:
            self.choices[name] = GroupChoice(option, chosen=True)

    def _missing_option(self, group: str, option: str, read: YamlFile, line: int) -> None:
        what, nearest = self.no_option(group, option)
        fix = f"write {nearest}" if nearest else "name a file that is there"
        self.errors.append(ConfigError(what, where=read.at(line), fix=fix))

    def no_option(self, group: str, option: str) -> tuple[str, str | None]:
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

    def _entries(self, read: YamlFile, entries: Sequence[YamlEntry], prefix: str) -> None:
        for entry in entries:
            name = f"{prefix}{entry.key}"
            if name.partition(".")[0] == "hydra":
                continue
            found = settings.find(name)
            if "." in entry.key and found is not None and name == found.name:
                self.errors.append(self._unknown_in_file(read, entry, name, prefix))
            elif name in settings.all_sections():
                if entry.entries is not None:
                    self._entries(read, entry.entries, f"{name}.")
                elif not isinstance(entry.value, str) or "${" not in entry.value:
                    self.errors.append(self._no_mapping(read, entry, name))
            elif found is None:
                self.errors.append(self._unknown_in_file(read, entry, name, prefix))
            elif entry.changed and takes_texts(found):
                self.errors.append(_no_text(read, entry, name))
            elif mistake := value_mistake(found, name, entry.value):
                fix = way_out(mistake, found, entry.key, f" {entry.key}: {mistake.instead}")
                if mistake.name is not None:
                    fix = f"write  {mistake.name.rpartition('.')[2]}:"
                self.errors.append(
                    ConfigError(
                        mistake.what,
                        where=read.at(entry.line),
                        fix=fix,
                        setting=name,
                    )
                )

    def _no_mapping(self, read: YamlFile, entry: YamlEntry, name: str) -> ConfigError:
        if entry.value is None:
            what, fix = (
                f"`{name}:` has nothing below it.",
                "indent its settings below it, or remove it",
            )
        elif name in self.groups and entry.value in self.files.options(name):
            what = f"A group is chosen in the defaults list, not by `{name}: {entry.value}`."
            fix = f"write  - override /{name}: {entry.value}  below `defaults:`"
        else:
            what = f"{name} is a group of settings, not {shown(entry.value)}."
            fix = f"write its settings below `{name}:`"
        return ConfigError(what, where=read.at(entry.line), fix=fix)

    def _unknown_in_file(
        self, read: YamlFile, entry: YamlEntry, name: str, prefix: str
    ) -> ConfigError:
        where = read.at(entry.line)
        if reason := settings.gone(name):
            instead = gone_instead(name, entry.value)
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
            fix=f"write  {leaf}:{'' if entry.entries else ' ' + typed(entry.value)}{place}",
        )


def _no_text(read: YamlFile, entry: YamlEntry, name: str) -> ConfigError:
    first = entry.changed[0]
    return ConfigError(
        f"{name} takes text, and YAML reads {', '.join(entry.changed)} as numbers that are "
        "written otherwise.",
        where=read.at(entry.line),
        fix=f"put quotes around each, as '{first}'",
        setting=name,
    )


def gone_instead(name: str, value: Any) -> str | None:
    """What says the same as a name that is gone, as ``key=value``, or None."""
    instead = GONE[name.rpartition(".")[2]].instead
    return instead.format(value=typed(value)) if instead else None
