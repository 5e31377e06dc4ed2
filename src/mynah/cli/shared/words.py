"""The words that may stand where a command line is being typed."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping, Sequence

from mynah.cli.shared.commands import Command
from mynah.config.hydra.config_files import EXPERIMENTS, ConfigFiles
from mynah.config.hydra.search_path import config_directories
from mynah.config.settings import Setting, all_sections, all_settings, without_none

_TAKES_SETTINGS = (
    "train", "eval", "prefetch", "data prepare", "data inspect", "data augment", "data pack",
)  # fmt: skip
_HYDRA_FLAGS = ("--cfg", "--config-dir", "--help", "--info", "--multirun", "--resolve")


def candidates(typed: Sequence[str]) -> list[str]:
    """The words that the last of some may become, sorted.

    Args:
        typed: What is typed after ``mynah``; the last is being typed, and may be "".

    Returns:
        Whole words, those that a value follows ending in ``=``; none where a path is meant.
    """
    from mynah.cli.main import COMMANDS

    *before, word = typed or [""]
    commands: Mapping[str, Command] = COMMANDS
    name = ""
    while before and before[0] in commands:
        command, *before = before
        name = f"{name} {command}".strip()
        module = importlib.import_module(commands[command].module)
        commands = getattr(module, "ACTIONS", {})
    if commands:
        return _beginning(word, commands) if not before else []
    found: Iterable[str]
    if word.startswith("-"):
        found = _flags(module) or (_HYDRA_FLAGS if name in ("train", "eval") else ())
    elif name == "config" and not before:
        found = ("explain", "diff")
    elif name == "completion" and not before:
        found = ("bash", "zsh", "fish")
    elif name == "eval" and not word and not before:
        found = ()  # a checkpoint's path
    elif name in _TAKES_SETTINGS or (name == "config" and before[0] == "explain"):
        found = _settings(word)
    else:
        found = ()
    return _beginning(word, found)


def _beginning(word: str, words: Iterable[str]) -> list[str]:
    return sorted(found for found in words if found.startswith(word))


def _flags(module: object) -> list[str]:
    """The flags of a command that argparse reads; none of one that Hydra does."""
    parser = getattr(module, "parser", None)
    return [] if parser is None else re.findall(r"(?<=\[)--[\w-]+", parser().format_usage())


def _settings(word: str) -> list[str]:
    """Settings, groups and experiments; behind a ``=`` what they take.

    A section at a time: ``training.`` is offered before what is in it.
    """
    files = ConfigFiles(config_directories())
    name, equals, _ = word.partition("=")
    if equals:
        group = name.lstrip("+")
        if group in files.groups():
            return [f"{name}={option}" for option in files.options(group)]
        setting = all_settings().get(group)
        return [f"{name}={value}" for value in _values(setting)] if setting else []
    groups = [f"+{g}=" if g == EXPERIMENTS else f"{g}=" for g in files.groups()]
    if word.startswith("+"):
        return groups
    sections = {f"{section}." for section in all_sections() if section}
    inside = word.rpartition(".")[0]
    found = [f"{one}=" for one in all_settings()] + sorted(sections)
    if not inside:
        found += groups
    return [one for one in found if one.rstrip(".=").rpartition(".")[0] == inside]


def _values(setting: Setting) -> list[str]:
    """The values of a setting that has few."""
    if without_none(setting.type) is bool:
        return ["true", "false"]
    return [*(setting.choices or ()), *(setting.metadata.get("words") or ())]
