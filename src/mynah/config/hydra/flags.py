"""Hydra's flags among the arguments; what looks like one and is none gets a message."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence

from mynah.config import settings
from mynah.config.hydra.config_files import EXPERIMENTS, ConfigFiles
from mynah.config.hydra.search_path import config_directories
from mynah.errors import ConfigError, ConfigErrors, UserError

# Hydra's flags that are followed by a value.
WITH_VALUE = (
    *("--cfg", "-c", "--package", "-p", "--info", "-i", "--experimental-rerun"),
    *("--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"),
)


def parse_flags(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Separate Hydra's flags from the overrides.

    Args:
        arguments: As typed, without the program's name.

    Returns:
        The flags as Hydra's parser gives them, and the overrides in their order.

    Raises:
        ConfigErrors: Something looks like a flag and is none, or a flag's value is wrong.
    """
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()

    def fail(message: str) -> None:
        raise ConfigErrors(
            [ConfigError(f"The flags cannot be read: {message}.", fix="--hydra-help lists them")]
        )

    parser.error = fail  # type: ignore[method-assign, assignment]
    known = parser._option_string_actions
    flags: list[str] = []
    overrides: list[str] = []
    errors: list[UserError] = []
    rest = list(arguments)
    while rest:
        token = rest.pop(0)
        name = token.partition("=")[0]
        if not token.startswith("-") or token == "-":
            overrides.append(token)
        elif name in known:
            flags.append(token)
            # What --info shows may be left out: an override behind it is none of its words.
            optional = name in ("--info", "-i")
            if name in WITH_VALUE and "=" not in token and rest:
                is_override = "=" in rest[0] or rest[0][:1] in ("+", "~")
                if not (rest[0].startswith("-") or (optional and is_override)):
                    flags.append(rest.pop(0))
        else:
            value = None
            if "=" not in token and rest and "=" not in rest[0] and rest[0][:2] != "--":
                value = rest.pop(0)
            errors.append(_unknown_flag(token, value))
    if errors:
        raise ConfigErrors(errors)
    return parser.parse_args([*overrides, *flags]), overrides


def _unknown_flag(token: str, separate: str | None) -> ConfigError:
    name, equals, joined = token.lstrip("-").partition("=")
    value = joined if equals else separate
    words = [token] if separate is None else [token, separate]
    instead = _setting_for(name, "true" if value is None else value)
    what = f"{token.partition('=')[0]} is not a flag"
    return ConfigError(
        f"{what}: settings are written key=value." if instead else f"{what}.",
        where=f"command line: {' '.join(words)}",
        fix=None if instead else "--help shows how settings are written",
        argument=words if instead else None,
        instead=instead,
    )


def _setting_for(name: str, value: str) -> str | None:
    """The argument that ``--name value`` was meant to be."""
    files = ConfigFiles(config_directories())
    groups = files.groups()
    guesses = [name, name.replace("-", "_")]
    for guess in guesses:
        if guess in groups:
            return f"+{guess}={value}" if guess == EXPERIMENTS else f"{guess}={value}"
        if guess in settings.all_settings():
            return f"{guess}={value}"
    close = difflib.get_close_matches(name, groups, n=1, cutoff=0.75)
    if close:
        return f"+{close[0]}={value}" if close[0] == EXPERIMENTS else f"{close[0]}={value}"
    near = settings.nearest(guesses[1])
    return f"{near[0]}={value}" if near else None
