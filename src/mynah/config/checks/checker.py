"""Collects what is wrong with a finished configuration, with the line that fixes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mynah.config.origins import SCHEMA, Origin
from mynah.config.schema import Config
from mynah.config.settings import all_sections
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
            instead: Arguments that fix it, as ``training.bf16=false``. Where none of them gives
                the setting itself, it stays as it is typed, and the others are to be changed.
            remove: Whether the setting is to be left out, for nothing or for ``instead``.
        """
        origin = self.origins.get(name, SCHEMA)
        on_command_line = origin.layer == "command line"
        if on_command_line:
            where = f"command line: {origin.detail}"
        else:
            where = origin.place or f"{name}={typed(self.value(name))}"
        words = [instead] if isinstance(instead, str) else list(instead or [])
        others = not remove and all(word.partition("=")[0] != name for word in words)
        # Of an argument that gives several settings, as training={…}, the others stay too.
        stays = others or origin.detail.partition("=")[0].lstrip("+") in all_sections()
        fix = None
        if instead and not on_command_line:
            fix = f"set {' '.join(words)}"
        elif remove and not on_command_line:
            fix = f"remove {name}"
        self.errors.append(
            ConfigError(
                what,
                where=where,
                fix=fix,
                argument=origin.detail if on_command_line and not stays else None,
                instead=instead,
                setting=name,
            )
        )
