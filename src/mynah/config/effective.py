"""The effective settings: every one with its value, defaults included."""

from __future__ import annotations

import dataclasses
from typing import Any

import yaml

from mynah.config.schema import Config
from mynah.config.settings import all_settings


def effective_yaml(config: Config) -> str:
    """The full configuration as YAML, defaults included, in the schema's order."""
    settings = dataclasses.asdict(config)
    text: str = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=100)
    return text


def values(config: Config) -> dict[str, Any]:
    """Every setting's value by dotted name, in the schema's order."""
    found = {}
    for name in all_settings():
        value: Any = config
        for part in name.split("."):
            value = getattr(value, part)
        found[name] = value
    return found
