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
        return ConfigError(
            f"The value of {name} cannot be read as it is typed.",
            where=f"command line: {text}",
            fix=_FORMS if several else None,
            argument=None if several else text,
            instead=None if several else f"{key}={quote(value)}",
        )
    return ConfigError(
        f"The argument cannot be read: {str(problem).splitlines()[0]}.",
        where=f"command line: {text}",
        fix="write it as key=value, and quote values with spaces or brackets",
    )
