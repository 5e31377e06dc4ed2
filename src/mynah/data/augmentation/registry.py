"""Which augmentations there are: Mynah's own, and those of plug-ins that are switched on."""

from __future__ import annotations

from typing import Any, TypeAlias

from mynah import console
from mynah.config.augmentations import AUGMENTATIONS
from mynah.config.options import check_given
from mynah.config.schema import AugmentationConfig
from mynah.data.augmentation.change import Change, FeatureChange, Setup
from mynah.errors import UserError

AnyChange: TypeAlias = Change[Any] | FeatureChange


def open_changes(settings: AugmentationConfig, *, sample_rate: int, seed: int) -> list[AnyChange]:
    """All that the settings turn on, in their order.

    Raises:
        UserError: There is none of a name, its options do not suit it, it is a plug-in's that
            fails, or a folder holds no audio that can be used.
    """
    changes: list[AnyChange] = []
    for name in (*AUGMENTATIONS.own, *settings.options):
        given = settings.options.get(name)
        if name not in AUGMENTATIONS:
            raise UserError(
                f"There is no augmentation {name}.",
                where=f"data.augmentation.options.{name}",
                fix="install the package that brings it, or leave it out",
            )
        kind: type[AnyChange] = AUGMENTATIONS.get(name)
        if name in settings.options and kind.name != name:
            raise UserError(
                f"The augmentation {name} says that its name is {kind.name}.",
                where=f"data.augmentation.options.{name}",
                fix="the entry point and the class need the same name",
            )
        for text in AUGMENTATIONS.notices(name):
            console.notice(text)
        if given:
            here = f"data.augmentation.options.{name}"
            check_given(here, given, kind.Options, f"the augmentation {name}")
        with AUGMENTATIONS.blame(name):
            opened = kind.open(Setup(settings, sample_rate, seed, given or {}))
        if opened is not None:
            changes.append(opened)
    return sorted(changes, key=lambda change: change.order)
