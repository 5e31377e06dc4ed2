"""The augmentations there are, by name.

Names are known without importing one. An augmentation's own file says everything else of it.
"""

from __future__ import annotations

from typing import Any

from mynah.config.plugins.registry import Registry, lacking

_ROOM = "mynah.data.augmentation"


def _wrong(found: object) -> str | None:
    """What a plug-in's augmentation lacks of ``mynah.data.augmentation.change.Change``."""
    if wrong := lacking(found, ("name", "order", "open", "apply")):
        return wrong
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
        "vocal_tract": f"{_ROOM}.vocal_tract:VocalTract",
        "spec_augment": f"{_ROOM}.spec_augment:SpecAugment",
    },
    _wrong,
)
