"""Paths that hold ``${``: names of folders like any other, and no references.

Hydra keeps the working directory, the folders of settings and a run's directory among its own
settings, where ``${x}`` stands for another one; and a path that is typed is a setting too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mynah.config.settings import all_sections, all_settings

_REFERENCE = re.compile(r"\$\{([^}]*)\}?")
_BARE = re.compile(r"(?<!\\)\$\{")


def literal(text: str) -> str:
    """A text as a setting has it that is to be these very letters."""
    return _BARE.sub(r"\\${", text)


def is_literal(path: str) -> bool:
    """Whether ``${`` in a path that was typed is a part of a name: something of that name is here,
    or none of it is a setting or a function."""
    if os.path.lexists(Path(path).expanduser()):
        return True
    return not any(_is_known(inside) for inside in _REFERENCE.findall(path))


def _is_known(inside: str) -> bool:
    root = inside.partition(".")[0]
    known = {name.partition(".")[0] for name in (*all_settings(), *all_sections())} | {"hydra"}
    return ":" in inside or inside.startswith(".") or root in known or "${" in inside


class _Instead:
    """A module in which some names have another value."""

    def __init__(self, module: Any, **own: Any) -> None:
        self.__dict__.update(own)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


@contextmanager
def literal_places() -> Iterator[None]:
    """Hydra takes the places that it finds by itself for what they are called."""
    from hydra._internal import config_loader_impl as loader
    from hydra.core import utils

    source: Any = vars(loader)["ConfigSourceInfo"]
    paths = _Instead(os.path, abspath=lambda path: literal(os.path.abspath(path)))  # noqa: PTH100
    instead: list[tuple[Any, str, Any]] = [
        (loader, "os", _Instead(os, getcwd=lambda: literal(str(Path.cwd())))),
        (loader, "ConfigSourceInfo", lambda path, **more: source(path=literal(path), **more)),
        (utils, "os", _Instead(os, path=paths)),
    ]
    with ExitStack() as restored:
        for module, name, value in instead:
            restored.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, value)
        yield
