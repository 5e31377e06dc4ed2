"""Corpora as everybody may name them: by a name that can be looked up, or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mynah.data.recipes import RECIPES, find_recipe

PRIVATE = "a private corpus"
SYNTHETIC = "synthetic"
_EMBEDDED = "Mynah's embedded corpus, synthesized by espeak-ng"
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def is_public_name(name: str) -> bool:
    """Whether a name is one of the hub, and no folder here."""
    return _HUB_NAME.fullmatch(name) is not None and not Path(name).exists()


@dataclass(frozen=True)
class PublicCorpus:
    """One corpus.

    Attributes:
        title: What it is called.
        dataset: Its name on the hub, or None.
    """

    title: str
    dataset: str | None = None


@dataclass(frozen=True)
class PublicCorpora:
    """The corpora of a run.

    Attributes:
        members: By their names in its mixture, which are private; by "" where it has one corpus.
            None where none is known.
    """

    members: Mapping[str, PublicCorpus]

    @classmethod
    def of(cls, settings: Mapping[str, object], format: str | None) -> PublicCorpora:
        """Those of a run.

        Args:
            settings: Its settings of ``data``.
            format: How its corpus was found to be laid out; None: nothing was prepared.
        """
        mixture = settings.get("mixture")
        if isinstance(mixture, Mapping) and mixture:
            return cls({str(name): _corpus(entry, None) for name, entry in mixture.items()})
        if format is None and not settings.get("dataset_name"):
            return cls({})
        return cls({"": _corpus(settings, format)})

    @property
    def titles(self) -> str | None:
        """All of them; None: none is known."""
        return " and ".join(dict.fromkeys(one.title for one in self.members.values())) or None

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the hub."""
        found = (one.dataset for one in self.members.values())
        return tuple(dict.fromkeys(name for name in found if name is not None))

    @property
    def are_private(self) -> bool:
        """Whether one of them is private."""
        return any(one.title == PRIVATE for one in self.members.values())

    @property
    def are_synthesized(self) -> bool:
        """Whether it is the embedded corpus alone."""
        return {one.title for one in self.members.values()} == {_EMBEDDED}

    def of_split(self, name: str) -> tuple[PublicCorpus, str]:
        """The corpus of a split, and the split's public name: those of a mixture have private
        ones, as ``calls.test``, and a number in their place."""
        for number, (member, corpus) in enumerate(self.members.items(), start=1):
            if member and name.startswith(f"{member}."):
                return corpus, f"corpus-{number}.{name.removeprefix(f'{member}.')}"
        return self.members.get("", PublicCorpus(PRIVATE)), name


def _corpus(settings: object, format: str | None) -> PublicCorpus:
    """One corpus by its settings, and by its layout where that is known."""
    found = settings if isinstance(settings, Mapping) else {}
    name = str(found.get("dataset_name") or "")
    # A path beside the default name, `synthetic`, which lies nowhere, is another corpus.
    if format == SYNTHETIC or (format is None and name == SYNTHETIC and not found.get("path")):
        return PublicCorpus(_EMBEDDED)
    recipe = name if format is None else format
    if recipe in RECIPES.names:
        return PublicCorpus(find_recipe(recipe).title)
    return PublicCorpus(name, name) if is_public_name(name) else PublicCorpus(PRIVATE)
