"""What augmentation asks of its settings: spans that are spans, folders that are there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.config.checks.options import check_named
from mynah.config.derived import is_embedded
from mynah.config.plugins.augmentations import AUGMENTATIONS
from mynah.config.schema import AugmentationConfig, Config
from mynah.config.values import argument, typed
from mynah.storage.address import is_address

if TYPE_CHECKING:
    from mynah.config.checks.checker import Checker

_SECTION = "data.augmentation"
# Smallest and largest value of each span, and what they are.
_ROOM_SPANS = {
    "room_size_meters": (1.0, 100.0, "in metres"),
    "room_rt60_seconds": (0.05, 3.0, "in seconds"),
    "room_distance_meters": (0.1, 50.0, "in metres"),
}
# From a child's vocal tract to a man's, and back; [] turns it off.
_SPANS = _ROOM_SPANS | {"vocal_tract_factors": (0.7, 1.4, "as factors")}
_OFF_WHERE_EMPTY = ("vocal_tract_factors",)
# Settings that say how often, and what turns on what they are for.
_SHARES = {
    "speed_probability": "speed_factors",
    "gain_probability": "gain_db",
    "noise_probability": "noise_snr_db",
    "vocal_tract_probability": "vocal_tract_factors",
}
_ROOM_SETTINGS = ("room_folder", "simulated_rooms", *_ROOM_SPANS)


def check_augmentation(checker: Checker) -> None:
    """Report what is wrong with ``data.augmentation``; an evaluation augments nothing."""
    config = checker.config.data.augmentation
    if checker.config.eval_checkpoint is not None:
        return
    for name, (least, most, what) in _SPANS.items():
        span = getattr(config, name)
        if len(span) == 2 and least <= span[0] <= span[1] <= most:
            continue
        if not span and name in _OFF_WHERE_EMPTY:
            continue
        fixed = sorted(min(max(value, least), most) for value in span if math.isfinite(value))
        pair = [fixed[0], fixed[-1]] if fixed else [least, most]
        checker.wrong(
            f"{_SECTION}.{name}",
            f"{_SECTION}.{name} is [low, high] {what}, from {typed(least)} to {typed(most)}; "
            f"not {typed(span)}.",
            argument(f"{_SECTION}.{name}", pair),
        )
    own = [name for name in config.options if name in AUGMENTATIONS.own]
    for name in own:
        checker.wrong(
            f"{_SECTION}.options",
            f"{_SECTION}.options is for augmentations of plug-ins, and {name} is one of Mynah's "
            f"own, whose settings stand in {_SECTION}.",
        )
    if not own:
        check_named(checker, f"{_SECTION}.options", AUGMENTATIONS, AUGMENTATIONS.names)
    missing = []
    for name in ("noise_folder", "room_folder"):
        folder = getattr(config, name)
        if folder is None or is_address(folder):
            continue
        if not Path(folder).expanduser().is_dir():
            missing.append(name)
            checker.wrong(
                f"{_SECTION}.{name}",
                f"There is no folder {Path(folder).expanduser().absolute()}.",
                f"{_SECTION}.{name}=null",
            )
    if not config.noise_folder or "noise_folder" in missing:
        return
    silent = not config.noise_snr_db and config.noise_probability
    if silent and not _typed(checker, f"{_SECTION}.noise_snr_db"):
        checker.wrong(
            f"{_SECTION}.noise_folder",
            "How loud the noise is has to be said: decibels that the speech is above it, in "
            f"{_SECTION}.noise_snr_db.",
            [
                argument(f"{_SECTION}.noise_folder", config.noise_folder),
                f"{_SECTION}.noise_snr_db=[5,25]",
            ],
        )


def augmentation_notices(config: Config, asked: Callable[[str], bool]) -> Iterator[str]:
    """Settings of augmentation that have no effect, one sentence each.

    Args:
        config: The checked settings.
        asked: Whether a setting was typed.
    """
    augmentation = config.data.augmentation
    if config.eval_checkpoint is not None:
        return
    if asked(f"{_SECTION}.noise_sources") and not augmentation.noise_folder:
        yield f"{_SECTION}.noise_sources has no effect: made noise has one source."
    rooms = augmentation.room_probability or (
        augmentation.room_probability is None and augmentation.room_folder
    )
    for share, switch in _SHARES.items():
        if asked(f"{_SECTION}.{share}") and not getattr(augmentation, switch):
            yield f"{_SECTION}.{share} has no effect: {_SECTION}.{switch} is off."
    others = _others_on(augmentation, embedded=is_embedded(config.data))
    if augmentation.warmup_epochs and not (rooms or others):
        yield f"{_SECTION}.warmup_epochs has no effect: no augmentation is on."
    idle = [name for name in _ROOM_SETTINGS if asked(f"{_SECTION}.{name}")]
    if idle and not rooms:
        yield f"{_several(idle)} no effect: {_SECTION}.room_probability is 0."
    simulated = [name for name in idle if name != "room_folder"]
    if simulated and rooms and augmentation.room_folder:
        yield f"{_several(simulated)} no effect: rooms come from {_SECTION}.room_folder."


def _others_on(augmentation: AugmentationConfig, *, embedded: bool) -> bool:
    """Whether anything beside rooms is on, or will be once null has become a number: for the
    embedded corpus it becomes none."""
    masks = augmentation.spec_augment
    widths = (
        (masks.time_masks, masks.time_mask_fraction),
        (masks.frequency_masks, masks.frequency_mask_bins),
    )
    masked = any(width and (count or (count is None and not embedded)) for count, width in widths)
    return bool(
        any(
            getattr(augmentation, switch) and getattr(augmentation, share)
            for share, switch in _SHARES.items()
        )
        or augmentation.telephone_probability
        or (masks.probability and masked)
        or augmentation.options
    )


def _several(names: list[str]) -> str:
    listed = ", ".join(f"{_SECTION}.{name}" for name in names)
    return f"{listed} {'has' if len(names) == 1 else 'have'}"


def _typed(checker: Checker, name: str) -> bool:
    origin = checker.origins.get(name)
    return origin is not None and origin.asked
