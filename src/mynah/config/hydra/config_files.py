"""The configuration files that can be found: groups, their options, what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mynah.config.mistakes.yaml_file import YamlFile, read_yaml

EXPERIMENTS = "experiments"


@dataclass(frozen=True)
class GroupChoice:
    """A group's option, and whether a person chose it (command line, experiment)."""

    option: str | None
    chosen: bool


class ConfigFiles:
    """The configuration files that can be found.

    Args:
        directories: Where they are searched; the first that has a file wins.
    """

    def __init__(self, directories: Sequence[Path]) -> None:
        self.directories = list(directories)
        self._read: dict[Path, YamlFile] = {}

    def find(self, config_path: str) -> Path | None:
        """The file of ``group/option``, or None."""
        name = config_path if config_path.endswith(".yaml") else f"{config_path}.yaml"
        for directory in self.directories:
            if (directory / name).is_file():
                return directory / name
        return None

    def read(self, path: Path) -> YamlFile:
        """A file, read once."""
        if path not in self._read:
            self._read[path] = read_yaml(path)
        return self._read[path]

    def groups(self) -> list[str]:
        """The names of all groups, without Hydra's own."""
        found = {
            below.name
            for directory in self.directories
            for below in directory.iterdir()
            if below.is_dir() and any(below.rglob("*.yaml"))
        }
        return sorted(found - {"hydra"})

    def options(self, group: str) -> list[str]:
        """The options of a group, as they are typed."""
        found = {
            path.relative_to(directory / group).with_suffix("").as_posix()
            for directory in self.directories
            for path in (directory / group).rglob("*.yaml")
        }
        return sorted(found)
