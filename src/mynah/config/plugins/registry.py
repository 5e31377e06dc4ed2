"""Things of one kind by name: Mynah's own, and those that other distributions add.

A distribution adds one through an entry point, as in its ``pyproject.toml``::

    [project.entry-points."mynah.sources"]
    trn = "my_package.trn:TrnSource"

Names are read from the installed metadata; nothing is imported before a name is asked for, so
that a configuration is checked without torch and a plug-in that fails costs nobody else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Generic, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mynah.errors import UserError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUPS = (
    "mynah.sources",
    "mynah.recipes",
    "mynah.augmentations",
    "mynah.families",
    "mynah.audio_llms",
    "mynah.metrics",
)

_T = TypeVar("_T")


def lacking(found: object, contract: Collection[str]) -> str | None:
    """What a plug-in's class lacks of its contract, in a few words; None: nothing.

    Args:
        found: What its entry point names.
        contract: Names that the class must have.
    """
    if not isinstance(found, type):
        return "is not a class"
    abstract: frozenset[str] = getattr(found, "__abstractmethods__", frozenset())
    names = [name for name in contract if not hasattr(found, name) or name in abstract]
    names += sorted(abstract - set(contract))
    return f"lacks {', '.join(names)}" if names else None


@dataclass(frozen=True)
class Plugin:
    """One entry point.

    Attributes:
        name: What it is called in settings.
        value: Where it is, as ``package.module:Name``.
        distribution: The package that brings it, as ``my-package 1.2``.
    """

    name: str
    value: str
    distribution: str


class Registry(Generic[_T]):
    """The things of one kind, by name.

    Args:
        kind: What one is called in messages, as ``"corpus format"``.
        group: The group of its entry points, one of :data:`GROUPS`.
        own: Where Mynah's own are, as ``package.module:Name``, by name.
        check: What is wrong with a thing, in a few words, or None: the contract that a plug-in
            has to keep. Mynah's own are not asked.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        own: Mapping[str, str],
        check: Callable[[object], str | None] = lambda found: None,
    ) -> None:
        self.kind = kind
        self.group = group
        self._own = dict(own)
        self._check = check

    @property
    def own(self) -> tuple[str, ...]:
        """The names of Mynah's own."""
        return tuple(self._own)

    @property
    def names(self) -> tuple[str, ...]:
        """All names: Mynah's own in their order, then those of plug-ins. Nothing is imported."""
        return (*self._own, *(name for name in self._added() if name not in self._own))

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._added()

    def plugin(self, name: str) -> Plugin | None:
        """The plug-in that brings a name; None where it is Mynah's own, or unknown."""
        return None if name in self._own else self._added().get(name)

    def get(self, name: str) -> _T:
        """The thing of a name, imported now.

        Raises:
            KeyError: There is none of this name.
            UserError: It is a plug-in's, and fails to import or breaks its contract.
        """
        if name in self._own:
            found: _T = _imported(self._own[name])
            return found
        plugin = self._added()[name]
        try:
            found = _imported(plugin.value)
        except Exception as problem:
            raise self._broken(
                plugin, f"cannot be imported: {type(problem).__name__}: {problem}"
            ) from problem
        if wrong := self._check(found) or _options_wrong(found):
            raise self._broken(plugin, wrong)
        return found

    @contextlib.contextmanager
    def blame(self, name: str) -> Iterator[None]:
        """Code of a plug-in runs here: what it raises, but for a UserError, names the plug-in.

        Raises:
            UserError: It failed.
        """
        try:
            yield
        except UserError:
            raise
        except Exception as problem:
            if (plugin := self.plugin(name)) is None:
                raise
            raise self._broken(plugin, f"fails: {type(problem).__name__}: {problem}") from problem

    def notices(self, name: str | None = None) -> list[str]:
        """What a person should know of plug-ins that are not used, a sentence each.

        Args:
            name: Those of one name alone; None: all.
        """
        texts = []
        seen: dict[str, str] = {}
        for plugin in _entry_points(self.group):
            if name not in (None, plugin.name):
                continue
            if plugin.name in self._own:
                texts.append(
                    f"The {self.kind} {plugin.name} of {plugin.distribution} is not used: Mynah "
                    "has one of this name."
                )
            elif plugin.name in seen:
                texts.append(
                    f"The {self.kind} {plugin.name} of {plugin.distribution} is not used: "
                    f"{seen[plugin.name]} has one of this name."
                )
            seen.setdefault(plugin.name, plugin.distribution)
        return texts

    def _added(self) -> dict[str, Plugin]:
        added: dict[str, Plugin] = {}
        for plugin in _entry_points(self.group):
            added.setdefault(plugin.name, plugin)
        return added

    def _broken(self, plugin: Plugin, wrong: str) -> UserError:
        return UserError(
            f"The {self.kind} {plugin.name} of the package {plugin.distribution} {wrong}",
            where=f"entry point {plugin.name} = {plugin.value} ({self.group})",
            fix=f"update or uninstall {plugin.distribution.partition(' ')[0]}",
        )


def _entry_points(group: str) -> tuple[Plugin, ...]:
    """The entry points of a group, in the order of their distributions' names."""
    return installed_plugins().get(group, ())


@functools.cache
def installed_plugins() -> dict[str, tuple[Plugin, ...]]:
    """All entry points of Mynah's groups, by group; each distribution's metadata is read once."""
    finders = [one for one in sys.meta_path if hasattr(one, "find_distributions")]
    if finders == [PathFinder] and not any(map(_may_announce, dict.fromkeys(sys.path))):
        return dict.fromkeys(GROUPS, ())
    from importlib import metadata

    found = metadata.entry_points()
    return {group: tuple(_plugins(found.select(group=group))) for group in GROUPS}


def _may_announce(folder: str) -> bool:
    """Whether a package in a folder of ``sys.path`` may have entry points of Mynah's groups.

    Most have none, and importing what reads metadata takes longer than looking for the word.
    """
    try:
        names = os.listdir(folder or os.curdir)  # noqa: PTH208
    except OSError:
        return os.path.exists(folder)  # noqa: PTH110 (an archive)
    for name in names:
        if name.lower().endswith((".dist-info", "egg-info")):
            listed = os.path.join(folder, name, "entry_points.txt")  # noqa: PTH118
            with contextlib.suppress(OSError), open(listed, "rb") as file:  # noqa: PTH123
                if b"[mynah." in file.read():
                    return True
    return False


def _plugins(entries: Iterable[EntryPoint]) -> list[Plugin]:
    """In the order of their distributions' names."""
    found = []
    for entry in entries:
        held = entry.dist
        about = f"{held.name} {held.version}" if held is not None else "an unknown package"
        found.append(Plugin(entry.name, entry.value, about))
    return sorted(found, key=lambda plugin: (plugin.distribution, plugin.name))


def _imported(value: str) -> _T:  # type: ignore[type-var]
    module, _, name = value.partition(":")
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[return-value]


def _options_wrong(found: object) -> str | None:
    """What is wrong with the class ``Options`` of a plug-in, in a few words, or None."""
    options = getattr(found, "Options", None)
    if options is None:
        return None
    if not isinstance(options, type) or not dataclasses.is_dataclass(options):
        return "has Options that are not a dataclass"
    try:
        made = options()
        OmegaConf.structured(options)
    except (OmegaConfBaseException, ValueError, TypeError, NameError) as problem:
        return f"has Options that settings cannot hold: {str(problem).splitlines()[0]}"
    for field in dataclasses.fields(options):
        if dataclasses.is_dataclass(getattr(made, field.name)):
            return f"has Options with a section, {field.name}: they are flat"
    return None
