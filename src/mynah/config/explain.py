"""Settings shown to a person: the effective ones, who set each, and what differs."""

from __future__ import annotations

import dataclasses

import yaml

from mynah.config.schema import Config


def effective_yaml(config: Config) -> str:
    """The whole configuration as YAML, defaults included, in the schema's order."""
    return yaml.safe_dump(
        dataclasses.asdict(config), sort_keys=False, allow_unicode=True, width=100
    )
