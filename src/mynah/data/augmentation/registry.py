"""Which augmentations there are: Mynah's own, and those of plug-ins that are switched on."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mynah import console
from mynah.config.options import check_given
from mynah.config.plugins.augmentations import AUGMENTATIONS
from mynah.config.schema import AugmentationConfig
from mynah.data.augmentation import draws
from mynah.data.augmentation.change import Change, FeatureChange, Setup
from mynah.errors import UserError

_TRIALS = 8  # draws that a plug-in's augmentation is tried with

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
        if opened is None:
            continue
        if name not in AUGMENTATIONS.own:
            _try(opened, sample_rate, seed)
        changes.append(opened)
    return sorted(changes, key=lambda change: change.order)


def _try(change: AnyChange, sample_rate: int, seed: int) -> None:
    """Run a plug-in's augmentation on a second of noise: what fails, fails before training.

    Raises:
        UserError: It fails, or breaks its contract.
    """
    noise = np.random.default_rng(0)
    audio = 0.1 * noise.standard_normal(sample_rate, dtype=np.float32)
    features = noise.standard_normal((100, 80), dtype=np.float32)
    for epoch in range(_TRIALS):
        generator = draws.generator(change.name, seed, epoch, "")
        with AUGMENTATIONS.blame(change.name):
            if isinstance(change, FeatureChange):
                before, made = features, change.apply(features, generator)
            else:
                sampled = change.draw(generator)
                before, made = audio, audio if sampled is None else change.apply(audio, sampled)
        check_shape(change, before, made)


def check_shape(change: AnyChange, before: NDArray[np.float32], made: NDArray[np.float32]) -> None:
    """A plug-in's array is as long as it was, and in the type that models take.

    Raises:
        UserError: It is not.
    """
    if not isinstance(made, np.ndarray) or (made.shape, made.dtype) != (before.shape, before.dtype):
        plugin = AUGMENTATIONS.plugin(change.name)
        found = f"{made.dtype} {list(made.shape)}" if isinstance(made, np.ndarray) else type(made)
        raise UserError(
            f"The augmentation {change.name} of the package "
            f"{plugin.distribution if plugin else 'mynah'} makes {found} of "
            f"{before.dtype} {list(before.shape)}.",
            where=f"data.augmentation.options.{change.name}",
            fix="leave it out, or update its package",
        )
