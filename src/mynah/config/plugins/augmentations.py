"""The augmentations there are, by name.

Names are known without importing one. An augmentation's own file says everything else of it.
"""

from __future__ import annotations

from typing import Any

from mynah.config.plugins.registry import Registry

_ROOM = "mynah.data.augmentation"


def _wrong(found: object) -> str | None:
    """What a plug-in's augmentation lacks of ``mynah.data.augmentation.change.Change``."""
    if not isinstance(found, type):
        return "is not a class"
    abstract: frozenset[str] = getattr(found, "__abstractmethods__", frozenset())
    contract = ("name", "order", "open", "apply")
    lacking = [name for name in contract if not hasattr(found, name) or name in abstract]
    lacking += sorted(abstract - set(contract))
    if lacking:
        return f"lacks {', '.join(lacking)}"
    return None if getattr(found, "keeps_length", True) else "changes how long audio is"


AUGMENTATIONS: Registry[Any] = Registry(
    "augmentation",
    "mynah.augmentations",
    {
        "speed": f"{_ROOM}.speed:Speed",
        "room": f"{_ROOM}.rooms:Room",
        "gain": f"{_ROOM}.gain:Gain",
        "noise": f"{_ROOM}.noise:Noise",
        "telephone": f"{_ROOM}.telephone:Telephone",
        "spec_augment": f"{_ROOM}.spec_augment:SpecAugment",
    },
    _wrong,
)
