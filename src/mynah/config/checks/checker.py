"""Collects what is wrong with a finished configuration, with the line that fixes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mynah.config.origins import SCHEMA, Origin
from mynah.config.schema import Config
from mynah.config.values import typed
from mynah.errors import ConfigError


class Checker:
    """Collects what is wrong with a finished configuration.

    Args:
        config: The settings.
        origins: The layer that set each of them, by dotted name; may be empty.
    """

    def __init__(self, config: Config, origins: Mapping[str, Origin]) -> None:
        self.config = config
        self.origins = origins
        self.errors: list[ConfigError] = []

    def value(self, name: str) -> Any:
        """The value of a setting by its dotted name."""
        found: Any = self.config
        for part in name.split("."):
            found = getattr(found, part)
        return found

    def wrong(
        self,
        name: str,
        what: str,
        instead: str | Sequence[str] | None = None,
        *,
        remove: bool = False,
    ) -> None:
        """Report a mistake of a setting.

        Args:
            name: The setting that is to blame.
            what: One sentence.
            instead: Arguments that fix it, as ``training.bf16=false``.
            remove: Whether leaving the setting out fixes it.
        """
        origin = self.origins.get(name, SCHEMA)
        on_command_line = origin.layer == "command line"
        if on_command_line:
            where = f"command line: {origin.detail}"
        else:
            where = origin.place or f"{name}={typed(self.value(name))}"
        fix = None
        if instead and not on_command_line:
            fix = f"set {instead if isinstance(instead, str) else ' '.join(instead)}"
        elif remove and not on_command_line:
            fix = f"remove {name}"
        self.errors.append(
            ConfigError(
                what,
                where=where,
                fix=fix,
                argument=origin.detail if on_command_line and (instead or remove) else None,
                instead=instead,
                setting=name,
            )
        )
