"""Texts that look like numbers: ``007`` unquoted is the number 7 to YAML, and to Hydra.

A setting that takes texts gets what was typed, or its line is refused; never another text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from mynah.config.settings import Setting, without_none

_NUMBER = re.compile(r"(?<![\w.'\"+-])[+-]?\.?\d[\w.:+-]*(?![\w.'\"])")


def takes_texts(setting: Setting) -> bool:
    """Whether a setting is a text, a list of texts, or texts by name."""
    return without_none(setting.type) in (str, list[str], dict[str, str])


def changed_in_yaml(node: yaml.Node, loader: Any) -> Iterator[str]:
    """Scalars as they are written that would become another text, as ``007``.

    Args:
        node: A value's, or a key's.
        loader: What reads it.
    """
    if isinstance(node, yaml.ScalarNode):
        read = loader.construct_object(node)
        if _is_number(read) and str(read) != node.value:
            yield node.value
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from changed_in_yaml(item, loader)
    elif isinstance(node, yaml.MappingNode):
        for pair in node.value:
            for part in pair:
                yield from changed_in_yaml(part, loader)


def changed_in_argument(value: Any, written: str) -> bool:
    """Whether a number in an argument's value would become another text than was typed.

    Args:
        value: As Hydra reads it.
        written: As typed.
    """
    typed = _NUMBER.findall(written)
    return any(str(number) not in typed for number in _numbers(value))


def quoted_numbers(written: str) -> str:
    """A value as typed, each number in it as a text."""
    return _NUMBER.sub(lambda match: f"'{match[0]}'", written)


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif _is_number(value):
        yield value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
