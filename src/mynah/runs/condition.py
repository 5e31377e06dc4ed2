"""What runs are chosen by: a setting with a value, read as the setting is."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, get_origin

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mynah.config.mistakes.texts import takes_texts
from mynah.config.mistakes.yaml_file import load_yaml
from mynah.config.schema import Config
from mynah.config.settings import Setting, all_settings, may_be_null, nearest, without_none
from mynah.config.values import ValueMistake, value_mistake
from mynah.errors import UserError
from mynah.runs.listing import ListedRun

_ABSENT = object()


@dataclass(frozen=True)
class Condition:
    """A value that a setting is to have.

    Attributes:
        name: The setting's dotted name.
        value: The value, of the setting's type.
    """

    name: str
    value: object

    @classmethod
    def typed(cls, text: str) -> Condition:
        """A condition as it is typed, ``model.lora_r=8``.

        Raises:
            UserError: It is not ``key=value``, there is no such setting, or it is of another type.
        """
        name, equals, value = text.partition("=")
        if not equals:
            raise UserError(
                "A condition is a setting and its value.",
                where=f"--where {text}",
                fix="--where model.lora_r=8",
            )
        if name not in all_settings():
            near = nearest(name)
            raise UserError(
                f"There is no setting {name}.",
                where=f"--where {text}",
                fix=f"--where {near[0]}={value}" if near else "mynah config explain  lists them",
            )
        return cls(name, _read(all_settings()[name], value, text))

    def holds(self, run: ListedRun) -> bool:
        """Whether a run was made with it."""
        return bool(run.settings.get(self.name, _ABSENT) == self.value)


def _read(setting: Setting, text: str, typed: str) -> object:
    """A value as typed, of its setting's type.

    Raises:
        UserError: It is of another.
    """
    try:
        value = _loaded(setting, text)
        if value is None and may_be_null(setting.type):
            return None
        if get_origin(without_none(setting.type)) is list and not isinstance(value, list):
            value = [value]  # as on the command line
        tree = OmegaConf.structured(Config)
        OmegaConf.update(tree, setting.name, value, merge=False)
        found = OmegaConf.select(tree, setting.name)
        return OmegaConf.to_object(found) if OmegaConf.is_config(found) else found
    except (yaml.YAMLError, OmegaConfBaseException, ValueError, TypeError) as problem:
        mistake = value_mistake(setting, setting.name, text)
        what = mistake.what if mistake else f"This is not a value of {setting.name}."
        raise UserError(what, where=f"--where {typed}", fix=_fix(setting, mistake)) from problem


def _fix(setting: Setting, mistake: ValueMistake | None) -> str:
    """A condition that can be typed."""
    if mistake is None or mistake.instead is None:
        return f"mynah config explain --only {setting.name}  shows one"
    instead = f"--where {shlex.quote(f'{setting.name}={mistake.instead}')}"
    return f"{instead}  is its default" if mistake.is_default else instead


def _loaded(setting: Setting, text: str) -> Any:
    """As YAML has it; of a setting that takes texts 007 is one, and not 7."""
    if text == "null":
        return None
    if without_none(setting.type) is str and text[:1] not in ("'", '"'):
        return text
    return yaml.load(text, Loader=yaml.BaseLoader) if takes_texts(setting) else load_yaml(text)
