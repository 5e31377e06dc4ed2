"""Whether one value suits one setting: its type, its range, its choices."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import re
from functools import cache
from typing import Any, get_args, get_origin

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mynah.config.schema import Config
from mynah.config.settings import Setting, describe_values, may_be_null, without_none
from mynah.config.trainer_fields.disposition import refusal

_EXACT = 2**53  # whole numbers below it are numbers with a fraction too


@dataclasses.dataclass(frozen=True)
class ValueMistake:
    """What is wrong with a value.

    Attributes:
        what: One sentence.
        instead: The nearest value that is right, as it is typed on a command line; None: the
            setting is to be left out.
        name: The name that was meant, where it is the name that is wrong.
        is_default: Whether ``instead`` is the default, for nothing is near what was typed.
    """

    what: str
    instead: str | None
    name: str | None = None
    is_default: bool = False


@cache
def _scratch() -> Any:
    return OmegaConf.structured(Config)


def typed(value: Any) -> str:
    """A value as it is typed on the command line and in YAML."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # Exact, but without a fraction that is zero: 250 steps, not 250.0.
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    if isinstance(value, list):
        return f"[{', '.join(typed(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {typed(item)}' for key, item in value.items())}}}"
    return str(value)


def argument(name: str, value: Any) -> str:
    """``name=value`` in Hydra's grammar, its text quoted where it has to be."""
    return f"{name}={_quoted(value)}"


def _quoted(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(_quoted(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{_quoted(item)}' for key, item in value.items())}}}"
    if not isinstance(value, str):
        return typed(value)
    return value if _is_plain(value) else quote(value)


def _is_plain(text: str) -> bool:
    """Whether Hydra's grammar reads it as this very text without quotes."""
    if not re.fullmatch(r"[A-Za-z0-9_\-./:@%+]+", text):
        return False
    try:
        float(text)
    except ValueError:
        return text.lower() not in ("null", "true", "false")
    return False


def quote(text: str) -> str:
    """A text as a quoted value of Hydra's override grammar."""
    escaped = []
    backslashes = 0
    for character in text + '"':
        if character == "\\":
            backslashes += 1
            continue
        # Only backslashes before a quote are escapes in this grammar.
        escaped.append("\\" * (backslashes * 2 if character == '"' else backslashes))
        backslashes = 0
        escaped.append('\\"' if character == '"' else character)
    body = "".join(escaped)[: -len('\\"')]
    return f'"{body}"'


def is_reference(value: Any) -> bool:
    """Whether it is an interpolation, as ``${data.sample_rate}``, known only when resolved."""
    return isinstance(value, str) and "${" in value


def value_mistake(setting: Setting, name: str, value: Any) -> ValueMistake | None:
    """What is wrong with this value, or None.

    Args:
        setting: The setting.
        name: The dotted name; longer than the setting's where it lies inside a mapping.
        value: The value as read from YAML or the command line.
    """
    if is_reference(value):
        return None
    if setting.record is not None:
        return _record_mistake(setting, name, value)
    inside = name != setting.name
    refused = refusal(setting.leaf, value) if setting.section == "training" else None
    if refused:
        return ValueMistake(f"{setting.name} cannot be honoured: {refused}.", None)
    a_list = get_origin(without_none(setting.type)) is list
    listed = f"[{_quoted(value)}]" if a_list and isinstance(value, str) else None
    # A text too, but for None and no_shard, which turn it off.
    is_on = bool(value) and not str(value).lower().startswith("no")
    is_switch = without_none(setting.type) is bool
    truth = setting.metadata.get("instead") if is_switch and is_on else None
    wrong = ValueMistake(
        f"{name} takes {describe_values(setting)}, not {shown(value)}.",
        listed or truth or _suggestion(setting),
        is_default=not (listed or truth),
    )
    if not inside:
        if value is None:
            return None if may_be_null(setting.type) else wrong
        inner = without_none(setting.type)
        one_value = inner in (int, float, str) or setting.metadata.get("words")
        if one_value and isinstance(value, bool):
            return wrong
        if inner is int and isinstance(value, float):
            return _fraction_mistake(wrong, name, setting, value)
        if inner is float and type(value) is int and abs(value) < _EXACT:
            value = float(value)
        if _is_exactly(value, inner):
            return limits_mistake(setting, value)
    try:
        OmegaConf.update(_scratch(), name, value, merge=False, force_add=inside)
        converted = OmegaConf.select(_scratch(), name)
    except (OmegaConfBaseException, ValueError, TypeError):
        return wrong
    return (
        None
        if inside
        else limits_mistake(
            setting, OmegaConf.to_object(converted) if OmegaConf.is_config(converted) else converted
        )
    )


def _fraction_mistake(
    wrong: ValueMistake, name: str, setting: Setting, value: float
) -> ValueMistake:
    """Of a number with a fraction where none can be; 1e3 and 7.0 are near to a number without."""
    if not value.is_integer() or limits_mistake(setting, int(value)) is not None:
        return wrong
    what = f"{name} takes {describe_values(setting)}, not {value!r}."
    return dataclasses.replace(wrong, what=what, instead=str(int(value)), is_default=False)


def _is_exactly(value: Any, annotation: Any) -> bool:
    """Whether a value is of its type as it stands: a tree of all settings, which converts those
    that are not, takes as long to build as a third of a composition."""
    if get_origin(annotation) is list:
        (item,) = get_args(annotation)
        return type(value) is list and all(_is_exactly(one, item) for one in value)
    return annotation in (bool, int, float, str) and type(value) is annotation and value != "???"


def _record_mistake(setting: Setting, name: str, value: Any) -> ValueMistake | None:
    """What is wrong inside a mapping whose values are settings themselves, or None.

    Args:
        setting: The mapping, as ``data.mixture``.
        name: It, an entry of it, or a setting of an entry, as ``data.mixture.calls.weight``.
        value: Its value.
    """
    fields = setting.record or {}
    deep = name.removeprefix(setting.name).lstrip(".").split(".", 2) if name != setting.name else []
    if len(deep) < 2:
        if not isinstance(value, dict):
            return ValueMistake(
                f"{name} takes pairs, as {{name: value}}, not {shown(value)}.",
                "{}" if name == setting.name else None,
                is_default=True,
            )
        for key, below in value.items():
            if mistake := _record_mistake(setting, f"{name}.{key}", below):
                return dataclasses.replace(mistake, instead=None)  # it is not the full value
        return None
    entry, leaf = f"{setting.name}.{deep[0]}", deep[1]
    if leaf not in fields:
        near = difflib.get_close_matches(leaf, fields, n=1)
        nearest = f" Nearest: {near[0]}." if near else ""
        return ValueMistake(
            f"{entry} has no {leaf}.{nearest} It takes: {', '.join(fields)}.",
            None,
            f"{entry}.{near[0]}" if near else None,
        )
    if len(deep) > 2:  # inside a mapping of the entry's own
        return None
    field = dataclasses.replace(fields[leaf], name=f"{entry}.{leaf}")
    return leaf_mistake(setting.metadata["record"], field, value)


def leaf_mistake(record: type, field: Setting, value: object) -> ValueMistake | None:
    """What is wrong with the value of a field of a dataclass of settings, or None.

    Args:
        record: The dataclass.
        field: One of its fields; its name is the one that a person types, to the last part.
        value: Its value.
    """
    if is_reference(value):
        return None
    wrong = ValueMistake(
        f"{field.name} takes {describe_values(field)}, not {shown(value)}.",
        _suggestion(field),
        is_default=True,
    )
    if isinstance(value, bool) and without_none(field.type) in (int, float, str):
        return wrong
    try:
        tree = OmegaConf.structured(record)
        OmegaConf.set_readonly(tree, False)  # as that of a frozen dataclass is
        OmegaConf.update(tree, field.leaf, value, merge=False)
        converted = getattr(OmegaConf.to_object(tree), field.leaf)
    except (OmegaConfBaseException, ValueError, TypeError):
        return wrong
    return limits_mistake(field, converted)


def _plain_records(value: dict[str, Any]) -> dict[str, Any]:
    """Entries that were written in Python as dataclasses, as the pairs that YAML gives."""
    return {
        name: entry if isinstance(entry, dict) else dataclasses.asdict(entry)
        for name, entry in value.items()
    }


def shown(value: Any) -> str:
    """A value for a message; a text in quotes, so that it is not taken for what it looks like."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else typed(value)


def _suggestion(setting: Setting) -> str:
    default = setting.default
    if default is None:
        return "null"
    return _quoted(default)


def limits_mistake(setting: Setting, value: Any) -> ValueMistake | None:
    """What is wrong with the range or the choice of a value of the right type, or None."""
    if value is None:
        return None
    if setting.record is not None:
        return _record_mistake(setting, setting.name, _plain_records(value))
    words = setting.metadata.get("words")
    if words and isinstance(value, str) and value not in words:
        return ValueMistake(
            f"{setting.name} takes {describe_values(setting)}, not {shown(value)}.", words[0]
        )
    choices = setting.choices
    if choices and isinstance(value, list):
        return _list_mistake(setting, value, choices)
    if choices and value not in choices:
        close = difflib.get_close_matches(str(value), choices, n=1, cutoff=0.5)
        known = setting.default is None or setting.default in choices
        return ValueMistake(
            f"{setting.name} takes one of {', '.join(choices)}, not {shown(value)}.",
            close[0] if close else typed(setting.default if known else choices[0]),
            is_default=not close,
        )
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return ValueMistake(
            f"{setting.name} is {value}: not a number.", _suggestion(setting), is_default=True
        )
    instead = setting.metadata.get("instead")

    def nearest(bound: float) -> str | None:
        return typed(bound) if instead is None else instead or None

    low, high = setting.metadata.get("minimum"), setting.metadata.get("maximum")
    unit = f" {setting.metadata['unit']}" if setting.metadata.get("unit") else ""
    if low is not None and value < low:
        bound = (
            f"from {typed(low)} to {typed(high)}{unit}"
            if high is not None
            else f"at least {typed(low)}{unit}"
        )
        return ValueMistake(f"{setting.name} is {bound}, not {typed(value)}.", nearest(low))
    if high is not None and value > high:
        bound = (
            f"from {typed(low)} to {typed(high)}{unit}"
            if low is not None
            else f"at most {typed(high)}{unit}"
        )
        return ValueMistake(f"{setting.name} is {bound}, not {typed(value)}.", nearest(high))
    return None


def _list_mistake(
    setting: Setting, values: list[Any], choices: tuple[str, ...]
) -> ValueMistake | None:
    """What is wrong with a list of choices, or None: each may stand in it once."""
    wrong = [value for value in values if value not in choices]
    if not wrong:
        once = list(dict.fromkeys(values))
        if values and once == values:
            return None
        what = f"names {shown(_first_twice(values))} twice" if values else "names nothing"
        return ValueMistake(f"{setting.name} {what}.", _quoted(once) if once else "null")
    right = []
    for value in values:
        close = [value] if value in choices else difflib.get_close_matches(str(value), choices, n=1)
        right += [name for name in close if name not in right]
    return ValueMistake(
        f"{setting.name} takes names among {', '.join(choices)}, not {shown(wrong[0])}.",
        _quoted(right) if right else _suggestion(setting),
        is_default=not right,
    )


def _first_twice(values: list[Any]) -> Any:
    return next(value for position, value in enumerate(values) if value in values[:position])
