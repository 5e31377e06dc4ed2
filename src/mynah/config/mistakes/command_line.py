"""Every mistake of a command line and of the files it selects, found before Hydra composes.

Hydra stops at the first mistake, and names neither file nor line. Here the arguments and the
files are read side by side with the schema, and all that is wrong is collected.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from mynah.config import settings
from mynah.config.hydra.config_files import EXPERIMENTS, GroupChoice
from mynah.config.hydra.literal_paths import is_literal, literal
from mynah.config.mistakes.files import FileExamination, gone_instead
from mynah.config.mistakes.texts import changed_in_argument, quoted_numbers, takes_texts
from mynah.config.schema import Nature
from mynah.config.values import is_reference, quote, value_mistake
from mynah.config.values import typed as as_typed
from mynah.errors import ConfigError

_CHECKPOINTS = ("eval_checkpoint", "resume_from_checkpoint")


class Examination(FileExamination):
    """Reads the arguments and the files that they select, and collects what is wrong."""

    def examine(self, overrides: Sequence[Any]) -> list[str]:
        """Examine parsed overrides and all files they select.

        Args:
            overrides: Hydra's ``Override`` objects, none of them a sweep.

        Returns:
            The arguments to hand to Hydra: it wants ``++`` before keys inside a mapping.
        """
        self.root()
        base = dict(self.choices)
        added: list[tuple[str, str]] = []
        arguments = []
        on_command_line: set[str] = set()
        for override in overrides:
            key = override.key_or_group
            if key.partition(".")[0].partition("/")[0] == "hydra":
                arguments.append(override.input_line)
            elif key in self.groups and not isinstance(plain_value(override), dict):
                added += self._group_argument(override, base, on_command_line)
                arguments.append(override.input_line)
            else:
                arguments.append(self._key_argument(override))
        for group, option in added:
            self.file(f"{group}/{option}", on_command_line)
        for group, choice in self.choices.items():
            if choice.option is not None:
                self.file(f"{group}/{choice.option}", on_command_line)
        return arguments

    def _group_argument(
        self, override: Any, base: dict[str, GroupChoice], on_command_line: set[str]
    ) -> list[tuple[str, str]]:
        group, typed = override.key_or_group, override.input_line
        value = plain_value(override)
        options = value if isinstance(value, list) else [value]

        def wrong(what: str, instead: str | None) -> list[tuple[str, str]]:
            self.errors.append(_argument_error(what, typed, instead))
            return []

        if override.is_delete():
            if group not in base:
                return wrong(f"No {group} is chosen that could be removed.", None)
            self.choices[group] = GroupChoice(None, chosen=True)
            on_command_line.add(group)
            return []
        prefix = "" if group in base else "+"
        for option in options:
            if not isinstance(option, str):
                known = ", ".join(self.files.options(group))
                return wrong(f"{group} takes the name of one of its files: {known}.", None)
            if self.files.find(f"{group}/{option}") is None:
                what, near = self.no_option(group, option)
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
            self.choices[group] = GroupChoice(options[-1], chosen=True)
            on_command_line.add(group)
            return []
        return [(group, option) for option in options]

    def _key_argument(self, override: Any) -> str:
        """Check one ``key=value``; returns the argument as Hydra takes it."""
        name: str = override.key_or_group
        typed: str = override.input_line
        value = plain_value(override)
        found = settings.find(name)
        if override.is_delete():
            if found is None or name == found.name:
                default = f"{name}={as_typed(found.default)}" if found else None
                what = (
                    f"{name} cannot be removed, only set."
                    if found
                    else f"There is no setting {name}."
                )
                self.errors.append(_argument_error(what, typed, default))
            return typed
        if name in settings.all_sections():
            if isinstance(value, dict):
                for leaf, leaf_value in yaml_leaves(value, name):
                    self._value(leaf, leaf_value, typed, None)
            else:
                self.errors.append(self._section_argument(name, typed))
            return typed
        if found is None:
            self.errors.append(self._unknown_argument(name, typed, value))
            return typed
        key, _, written = typed.partition("=")
        if is_reference(value) and _is_place(found) and is_literal(value):
            value, typed = literal(value), f"{key}={quote(literal(value))}"
        if takes_texts(found) and changed_in_argument(value, written):
            # As typed: to Hydra, 007 is 7.
            typed = f"{key}={quoted_numbers(written)}"
            if isinstance(value, int | float):
                value = written
        if name == found.name and isinstance(value, str) and settings.is_list_of_texts(found):
            # One name stands for a list of one, as data.eval_splits=test.
            self._value(name, [value], typed, name)
            return f"{key}=[{typed.partition('=')[2]}]"
        self._value(name, value, typed, name)
        if override.is_add() or (
            found.is_mapping and (name != found.name or isinstance(value, dict))
        ):
            return f"++{typed.lstrip('+')}"
        return typed

    def _value(self, name: str, value: Any, typed: str, replace: str | None) -> None:
        found = settings.find(name)
        if found is None:
            unknown = self._unknown_argument(name, typed, value)
            unknown.argument = unknown.instead = None  # it is one of several in the argument
            self.errors.append(unknown)
        elif mistake := value_mistake(found, name, value):
            # Without an argument that nothing is near to, the group's or experiment's value counts.
            near = None if mistake.is_default else mistake.instead
            instead = f"{replace}={near}" if replace and near else None
            if mistake.name is not None and _section(mistake.name) == _section(name):
                instead = f"{mistake.name}={typed.partition('=')[2]}"
            if name == "training.resume_from_checkpoint":
                instead = f"resume_from_checkpoint={typed.partition('=')[2]}"
            remove = replace is not None and near is None
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
                f"{name} is gone: {reason}.", typed, gone_instead(name, value), remove=True
            )
        if "." not in name:
            close = difflib.get_close_matches(name, self.groups, n=1, cutoff=0.6)
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


def _section(name: str) -> str:
    return name.rpartition(".")[0]


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


def yaml_leaves(value: dict[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of every setting in nested values."""
    for key, below in value.items():
        name = f"{prefix}.{key}"
        found = settings.find(name)
        if isinstance(below, dict) and not (found and found.is_mapping):
            yield from yaml_leaves(below, name)
        else:
            yield name, below


def plain_value(override: Any) -> Any:
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


def _is_place(found: settings.Setting) -> bool:
    """Whether a setting names a file or a folder."""
    return bool(found.nature & (Nature.PATH | Nature.NAME)) or found.name in _CHECKPOINTS
