"""All augmentations of an utterance: first sampled, then applied, each by its own file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mynah.config.plugins.augmentations import AUGMENTATIONS
from mynah.config.schema import AugmentationConfig
from mynah.data.augmentation import draws
from mynah.data.augmentation.audio_folder import AudioFolder
from mynah.data.augmentation.change import Change, FeatureChange, Samples
from mynah.data.augmentation.gain import within_full_scale
from mynah.data.augmentation.registry import AnyChange, check_shape, open_changes
from mynah.data.positions import pass_of
from mynah.errors import UserError

Sampled: TypeAlias = Mapping[str, Any]
"""What was sampled for one utterance in one epoch, by the augmentation's name."""


class Augmentation:
    """Samples and applies the augmentations of a training; it can be pickled into workers.

    Args:
        config: What is on.
        changes: The same, opened, in their order.
        seed: Of the run.

    Attributes:
        config: What is on.
    """

    def __init__(
        self, config: AugmentationConfig, changes: Sequence[AnyChange], *, seed: int
    ) -> None:
        self.config = config
        self._seed = seed
        self._changes = [change for change in changes if isinstance(change, Change)]
        self._of_features = [change for change in changes if isinstance(change, FeatureChange)]

    @classmethod
    def open(cls, config: AugmentationConfig, *, sample_rate: int, seed: int) -> Augmentation:
        """With the folders that the settings name, each file of them looked at.

        Raises:
            UserError: A folder is missing, or holds no audio that can be used; or a plug-in's
                augmentation fails or breaks its contract.
        """
        return cls(config, open_changes(config, sample_rate=sample_rate, seed=seed), seed=seed)

    @property
    def masks(self) -> bool:
        """Whether features are blanked out or replaced, as by SpecAugment."""
        return any(not change.warps for change in self._of_features)

    @property
    def warps(self) -> bool:
        """Whether frequencies are moved, which is for frames of mel bins alone."""
        return any(change.warps for change in self._of_features)

    def fingerprints(self) -> dict[str, str]:
        """Of the folders, by the setting that names each."""
        return {name: folder.fingerprint for name, folder in self._folders().items()}

    def report(self) -> dict[str, Any]:
        """What the folders hold and what of it is left out, for ``data.json``."""
        return {
            name: {
                "files": len(folder.files),
                "hours": round(float(folder.seconds.sum()) / 3600, 4),
                "left out": [{"file": file, "reason": reason} for file, reason in folder.dropped],
            }
            for name, folder in self._folders().items()
        }

    def draw(self, *, epoch: int, utterance_id: str) -> Sampled:
        """What becomes of the waveform of one utterance in one epoch."""
        sampled: dict[str, Any] = {}
        if self._left_clean(epoch, utterance_id):
            return sampled
        for change in self._changes:
            generator = draws.generator(change.name, self._seed, epoch, utterance_id)
            with AUGMENTATIONS.blame(change.name):
                one = change.draw(generator)
            if one is not None:
                sampled[change.name] = one
        return sampled

    def waveform(self, audio: Samples, sampled: Sampled, *, same_length: bool = False) -> Samples:
        """Apply what was sampled: float32 [samples] to float32 [round(samples / speed)].

        In the order of the world: a voice in a room, its level, the noise around it, the line
        to where it is received. ``audio`` itself where nothing was sampled.

        Args:
            audio: As it was recorded.
            sampled: What becomes of it.
            same_length: Leave out what changes how long it is.

        Raises:
            ValueError: A recording of noise or of a room has become unreadable.
        """
        if not len(audio):
            return audio
        made = audio
        for change in self._changes:
            if change.name in sampled and (change.keeps_length or not same_length):
                made = _applied(change, made, sampled[change.name])
        return within_full_scale(made) if made is not audio else audio

    def features(
        self,
        features: NDArray[np.float32],
        *,
        epoch: int,
        utterance_id: str,
        warp: bool = True,
        stacked: int = 1,
    ) -> NDArray[np.float32]:
        """What is on of SpecAugment and its like: float32 [frames, bins] to as many.

        Args:
            features: Of one utterance.
            epoch: Which pass over the data.
            utterance_id: The utterance's.
            warp: Move frequencies too: a frame has to be mel bins alone.
            stacked: Vectors of mel bins in a frame, one after the other: a band that is blanked
                out is blanked out in each.

        Raises:
            UserError: A frame is not so many vectors.
        """
        if self._left_clean(epoch, utterance_id):
            return features
        if features.shape[1] % stacked:
            raise UserError(
                f"A frame of {features.shape[1]} numbers is not {stacked} vectors of mel bins.",
                where="Family.stacked",
                fix="1 where a frame is one vector",
            )
        for change in self._of_features:
            if change.warps and not warp:
                continue
            generator = draws.generator(change.name, self._seed, epoch, utterance_id)
            with AUGMENTATIONS.blame(change.name):
                made = change.apply_to_stacked(features, generator, stacked)
            check_shape(change, features, made)
            features = made
        return features

    def describe(self, sampled: Sampled, *, epoch: int, utterance_id: str) -> dict[str, Any]:
        """What was sampled, for people: only what is on, a simulated room with its sizes."""
        described: dict[str, Any] = {}
        for change in self._changes:
            if change.name in sampled:
                described |= change.describe(sampled[change.name])
        if self._left_clean(epoch, utterance_id):
            return described
        for of_features in self._of_features:
            generator = draws.generator(of_features.name, self._seed, epoch, utterance_id)
            described |= of_features.describe(generator)
        return described

    def _left_clean(self, epoch: int, utterance_id: str) -> bool:
        """Whether an utterance is not changed at all, because augmentation is still beginning."""
        done, epochs = pass_of(epoch), self.config.warmup_epochs
        if done >= epochs:
            return False
        share = draws.generator("warmup", self._seed, epoch, utterance_id).random()
        return share >= done / epochs

    def _folders(self) -> dict[str, AudioFolder]:
        return {
            name: folder for change in self._changes for name, folder in change.folders().items()
        }


def _applied(change: Change[Any], audio: Samples, sampled: object) -> Samples:
    if AUGMENTATIONS.plugin(change.name) is None:
        return change.apply(audio, sampled)
    with AUGMENTATIONS.blame(change.name):
        made = change.apply(audio, sampled)
    check_shape(change, audio, made)
    return made
