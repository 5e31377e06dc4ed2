"""Arguments in Hydra's grammar, and what is said of those that are not in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mynah.config.hydra.config_files import EXPERIMENTS, ConfigFiles
from mynah.config.hydra.search_path import config_directories
from mynah.config.settings import find, is_list_of_texts, without_none
from mynah.config.values import quote
from mynah.errors import RENAME, ConfigError, ConfigErrors, is_utf_8


def parse_overrides(overrides: Sequence[str]) -> list[Any]:
    """Hydra's ``Override`` objects.

    Raises:
        ConfigErrors: Some are not in its grammar.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    parsed, errors = [], []
    for text in overrides:
        if not is_utf_8(text):
            errors.append(_not_utf_8(text))
            continue
        try:
            parsed.append(parser.parse_override(text))
        except HydraException as problem:
            quoted = _quoted(text)
            if quoted is None:
                errors.append(_unparsed(text, problem))
            else:
                parsed.append(parser.parse_override(quoted))
    if errors:
        raise ConfigErrors(errors)
    return parsed


def _not_utf_8(text: str) -> ConfigError:
    return ConfigError(
        "A name on the command line is not UTF-8, and no settings can hold it.",
        where=f"command line: {text}",
        fix=RENAME,
    )


def _quoted(text: str) -> str | None:
    """An argument with its value in quotes, where that can only mean what was typed.

    Hydra's grammar has no letters beyond ASCII, as a folder's name may have.
    """
    key, _, value = text.partition("=")
    found = find(key.lstrip("+"))
    is_text = found is not None and without_none(found.type) is str
    if not is_text or not value or re.search(r"[\"'\\,()\[\]{}$]", value):
        return None
    return f"{key}={quote(value)}"


# What was meant as several values: of texts, and of what is none.
_SEVERAL = re.compile(r"\s*(interval|tag|range|choice)\s*[(\[]", re.IGNORECASE)
_CALL = re.compile(r"\s*\w+\s*[(\[]", re.ASCII)
_FORMS = (
    "several values are typed a,b,c or choice(a,b,c), range(a,b,step), interval(a,b) or "
    "tag(log,interval(a,b)), in quotes for the shell"
)


def _unparsed(text: str, problem: Exception) -> ConfigError:
    files = ConfigFiles(config_directories())
    if text in files.options(EXPERIMENTS):
        return ConfigError(
            f"`{text}` has no `=`; there is an experiment of that name.",
            where=f"command line: {text}",
            argument=text,
            instead=f"+{EXPERIMENTS}={text}",
        )
    if "=" not in text and not text.startswith("~"):
        return ConfigError(
            "An argument is a `key=value`, and this has no `=`.",
            where=f"command line: {text}",
            fix="write it as key=value, without spaces around the `=`",
        )
    key, _, value = text.partition("=")
    name = key.lstrip("+")
    found = find(name)
    if found is not None and value:
        is_text = without_none(found.type) is str or is_list_of_texts(found)
        several = (_SEVERAL if is_text else _CALL).match(value) is not None
        right = _quoted_items(value) if is_list_of_texts(found) else quote(value)
        return ConfigError(
            f"The value of {name} cannot be read as it is typed.",
            where=f"command line: {text}",
            fix=_FORMS if several else None,
            argument=None if several else text,
            instead=None if several else f"{key}={right}",
        )
    return ConfigError(
        f"The argument cannot be read: {str(problem).splitlines()[0]}.",
        where=f"command line: {text}",
        fix="write it as key=value, and quote values with spaces or brackets",
    )


_IN_QUOTES = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)


def _quoted_items(value: str) -> str:
    """A list of texts as typed, each item in quotes; with its brackets, where it has some.

    A comma within brackets of an item's own, as in ``(a,b)``, or within its quotes separates
    nothing; where brackets do not close, those within quotes alone do not.
    """
    in_brackets = value.startswith("[") and value.endswith("]")
    inner = value[1:-1] if in_brackets else value
    items = _split(inner, nested=True)
    if items is None:
        items = _split(inner, nested=False) or []
    stripped = [item.strip() for item in items]
    quoted = [item if _IN_QUOTES.fullmatch(item) else quote(item) for item in stripped if item]
    return f"[{','.join(quoted)}]" if in_brackets else ",".join(quoted)


def _split(inner: str, *, nested: bool) -> list[str] | None:
    """Split at commas; None where ``nested`` brackets do not close."""
    items, depth, mark = [""], 0, ""
    for character in inner:
        if mark:
            escaped = items[-1].endswith("\\")
            mark = "" if character == mark and not escaped else mark
        elif character in "'\"" and not items[-1].strip():
            mark = character
        elif character in "([{" and nested:
            depth += 1
        elif character in ")]}" and nested:
            depth -= 1
        elif character == "," and depth == 0:
            items.append("")
            continue
        if depth < 0:
            return None
        items[-1] += character
    return None if depth else items
