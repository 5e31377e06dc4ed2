"""The words of a command without their mistakes, as it is printed to be pasted."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from mynah.config.hydra.overrides import parse_overrides
from mynah.config.schema.sweep import is_search_setting
from mynah.config.settings import find
from mynah.errors import ConfigError, ConfigErrors, UserError

_MULTIRUN = ("-m", "--multirun")


def corrected(arguments: Sequence[str], errors: Sequence[UserError]) -> list[str] | None:
    """The arguments without their mistakes; None where that is not known, or none is theirs."""
    tokens = list(arguments)
    changed = False
    for error in errors:
        if not isinstance(error, ConfigError):
            continue
        if error.argument is not None:
            tokens, did = _replaced(tokens, _words(error.argument), _words(error.instead))
            changed = changed or did
        elif error.instead and error.setting:
            tokens = _set(tokens, _words(error.instead))
            changed = True
        elif (error.where or "").startswith("command line"):
            return None
    if len(tokens) < len(arguments) and not any(map(_is_swept, tokens)):
        tokens = [token for token in tokens if token not in _MULTIRUN]  # what it was for is gone
    return tokens if changed else None


def _is_swept(token: str) -> bool:
    return is_search_setting(token) or token.startswith("hydra") or _first(token) != token


def first_value(token: str) -> str:
    """An argument with the first of its values, where it has several."""
    return _first(token)


def one_run(tokens: Sequence[str]) -> list[str]:
    """A sweep's arguments as those of one of its runs: each first value, and no search."""
    return [_first(token) for token in tokens if not is_search_setting(token)]


def shell(token: str) -> str:
    """A word as it is typed in a shell."""
    # A comma, brackets or a tilde inside a word need no quotes for a person's shell.
    if token[:1] != "~" and all(c.isalnum() or c in "_-./:@%+=,~" for c in token):
        return token
    return shlex.quote(token)


def _first(token: str) -> str:
    if "=" not in token or token.startswith("-"):
        return token
    try:
        (override,) = parse_overrides([token])
    except ConfigErrors:
        return token
    if not override.is_sweep_override():
        return token
    key = override.get_key_element()
    if override.is_interval_sweep():
        return f"{key}={override.value().start}"
    return f"{key}={next(iter(override.sweep_string_iterator()))}"


def _words(text: str | Sequence[str] | None) -> list[str]:
    return [text] if isinstance(text, str) else list(text or [])


def _replaced(tokens: list[str], old: Sequence[str], new: Sequence[str]) -> tuple[list[str], bool]:
    """The tokens with one run of them replaced, and whether it was there."""
    for start in range(len(tokens) - len(old) + 1):
        if tokens[start : start + len(old)] == list(old):
            before, after = tokens[:start], tokens[start + len(old) :]
            if len(new) < 2:
                return [*before, *new, *after], True
            # What else is set with it may have been typed as well.
            return _set([*before, new[0], *after], new[1:]), True
    return tokens, False


def _set(tokens: list[str], new: Sequence[str]) -> list[str]:
    """The tokens with each new one in the place of that which set the same, or behind all."""
    for word in new:
        places = [place for place, token in enumerate(tokens) if _key(token) == _key(word)]
        if places and _key(word) is not None:
            tokens = [*tokens[: places[-1]], word, *tokens[places[-1] + 1 :]]
        else:
            tokens = [*tokens, word]
    return tokens


def _key(token: str) -> str | None:
    """The setting that an argument gives in full; None: it is another argument."""
    key, equals, _ = token.partition("=")
    found = find(key.lstrip("+")) if equals else None
    return found.name if found is not None and not found.is_mapping else None
