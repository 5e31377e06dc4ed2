"""HTML and SVG that cannot be broken out of: every text is escaped unless it was made here."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

from mynah.console import visible

_VOID = frozenset({"meta", "br", "hr", "img", "input", "col"})


class Markup(str):
    """Text that is markup already. Only this module and constants of the package make it."""

    __slots__ = ()


def escape(value: Any) -> Markup:
    """A value as text of an element; its control characters are made visible."""
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(visible(str(value)), quote=True))


def tag(name: str, /, *children: Any, **attributes: Any) -> Markup:
    """An element; attributes are escaped, and so is a child that is no :class:`Markup`.

    Children may be nested iterables; None is left out. An attribute is written with dashes
    for its underscores and without a trailing one (``class_``); True stands for its name
    alone, None and False leave it out.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Iterable[Any]) -> Markup:
    """Children one after the other, escaped where they are plain text."""
    parts = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Iterable) and not isinstance(child, str):
            parts.append(join(child))
        else:
            parts.append(escape(child))
    return Markup("".join(parts))


def _attribute(key: str, value: Any) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    return f' {name}="{html.escape(visible(str(value)), quote=True)}"'
