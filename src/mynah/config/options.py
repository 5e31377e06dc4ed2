"""Settings that a plug-in brings: ``data.options``, ``model.options``, ``evaluation.options``.

In the schema each is a mapping. What takes it declares a dataclass, its class attribute
``Options``, and once it is loaded what was given is checked by that, as any other setting::

    @dataclass
    class TrnOptions:
        encoding: str = option("utf-8", "How the transcripts are encoded.")
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from omegaconf import OmegaConf

from mynah.config.schema.nature import Nature
from mynah.config.schema.setting import setting
from mynah.config.settings import fields_of
from mynah.config.values import argument, leaf_mistake
from mynah.errors import ConfigError, ConfigErrors, UserError

_T = TypeVar("_T")


def option(
    default: Any,
    help: str,
    *,
    unit: str | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | Callable[[], tuple[str, ...]] | None = None,
) -> Any:
    """A field of a dataclass of options; see ``mynah.config.schema.setting.setting``.

    What an option decides is what the mapping that it stands in decides.
    """
    return setting(
        default,
        help,
        nature=Nature(0),
        unit=unit,
        minimum=minimum,
        maximum=maximum,
        choices=choices,
    )


@dataclass(frozen=True)
class OptionMistake:
    """What is wrong with an option.

    Attributes:
        what: One sentence.
        name: Its dotted name, as ``data.options.encoding``.
        instead: The argument that is right, as it is typed; None: it is to be left out.
    """

    what: str
    name: str
    instead: str | None


def option_mistakes(
    setting: str, given: Mapping[str, object], options: type | None, owner: str
) -> list[OptionMistake]:
    """All that is wrong with options.

    Args:
        setting: The mapping that they were given in, as ``data.options``.
        given: They.
        options: The dataclass of what takes them; None: it takes none.
        owner: What takes them, as ``"the corpus format trn"``.
    """
    if options is None:
        return [
            OptionMistake(f"There is no setting {name}: {owner} has no options.", name, None)
            for name in (f"{setting}.{key}" for key in given)
        ]
    fields = fields_of(options)
    mistakes = []
    for key, value in given.items():
        name = f"{setting}.{key}"
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            nearest = f" Nearest: {setting}.{near[0]}." if near else ""
            what = f"There is no setting {name}.{nearest} Options of {owner}: {', '.join(fields)}."
            instead = argument(f"{setting}.{near[0]}", value) if near else None
            mistakes.append(OptionMistake(what, name, instead))
            continue
        field = dataclasses.replace(fields[key], name=name)
        if found := leaf_mistake(options, field, value):
            instead = f"{name}={found.instead}" if found.instead is not None else None
            mistakes.append(OptionMistake(found.what, name, instead))
    return mistakes


def check_given(
    setting: str, given: Mapping[str, object], options: type | None, owner: str
) -> None:
    """Check options where no layer is known that set them.

    The arguments are those of :func:`option_mistakes`.

    Raises:
        ConfigErrors: There is no such option, or a value does not suit it.
    """
    errors: list[UserError] = [
        ConfigError(
            mistake.what,
            where=argument(mistake.name, given[mistake.name.removeprefix(f"{setting}.")]),
            fix=mistake.instead or f"remove {mistake.name}",
            setting=setting,
        )
        for mistake in option_mistakes(setting, given, options, owner)
    ]
    if errors:
        raise ConfigErrors(errors)


def typed_options(given: Mapping[str, object], options: type[_T]) -> _T:
    """Options, which were checked before, as their dataclass.

    Args:
        given: What a mapping of options holds, as ``config.data.options``.
        options: The dataclass.
    """
    tree = OmegaConf.structured(options)
    OmegaConf.set_readonly(tree, False)  # as that of a frozen dataclass is
    for name, value in given.items():
        OmegaConf.update(tree, name, value, merge=False)
    return cast(_T, OmegaConf.to_object(tree))
