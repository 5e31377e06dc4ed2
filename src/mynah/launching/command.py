"""The command that a job runs: the one that was typed, without what says where it runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mynah.config.schema.launch import LOCAL, is_launch

_CONFIG_FLAGS = ("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn")
HERE = f"launch.launcher={LOCAL}"  # on the node itself, whatever file asks for another launcher


def entry() -> list[str]:
    """What Python was started with: the script, or the ``mynah train`` command."""
    script = Path(sys.argv[0])
    started_as_module = getattr(sys.modules["__main__"], "__spec__", None) is not None
    if script.suffix == ".py" and script.is_file() and not started_as_module:
        return [str(script.resolve())]
    return ["-m", "mynah.cli", "train"]


def config_flags(arguments: Sequence[str]) -> list[str]:
    """The flags that say where the configuration is read from, as they were typed."""
    found: list[str] = []
    for position, token in enumerate(arguments):
        if token in _CONFIG_FLAGS:
            found += arguments[position : position + 2]
        elif token.partition("=")[0] in _CONFIG_FLAGS:
            found.append(token)
    return found


def on_node(overrides: Sequence[str]) -> list[str]:
    """The overrides of a command as a job runs it."""
    return [*(text for text in overrides if not is_launch(text)), HERE]
