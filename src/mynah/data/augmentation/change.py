"""The contract of an augmentation: what is sampled for an utterance, and what that does to it.

A draw is a function of (seed, epoch, utterance) alone: the chain hands each augmentation a
generator that depends on its name and on these. So it is the same with any number of workers,
after a resume and on any rank, and turning one on leaves the draws of the others as they were.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from mynah.config.schema import AugmentationConfig

if TYPE_CHECKING:
    from mynah.data.augmentation.audio_folder import AudioFolder

Samples: TypeAlias = NDArray[np.float32]
"""A waveform, float32 [samples], full scale from -1 to 1."""

D = TypeVar("D")


@dataclass(frozen=True)
class Setup:
    """What an augmentation is opened with.

    Attributes:
        settings: The section ``data.augmentation``, where the settings of Mynah's own stand.
        sample_rate: Hertz of the audio.
        seed: Of the run.
        options: Settings of its own, from ``data.augmentation.options.NAME``, checked by its
            dataclass ``Options``.
    """

    settings: AugmentationConfig
    sample_rate: int
    seed: int
    options: Mapping[str, object] = field(default_factory=dict)


class Change(ABC, Generic[D]):
    """A change of the waveform; ``D`` is what is sampled for an utterance. It can be pickled.

    Attributes:
        name: In settings and records, and what its draws depend on.
        order: Its place among the others, smallest first: speed 100, room 200, gain 300, noise
            400, telephone 500.
        keeps_length: Whether there are as many samples afterwards. A plug-in's has to: how long
            audio becomes decides batches and memory.
        Options: A dataclass of its settings, ``data.augmentation.options.NAME``; None: none.
    """

    name: ClassVar[str]
    order: ClassVar[int] = 350
    keeps_length: ClassVar[bool] = True
    Options: ClassVar[type | None] = None

    @classmethod
    @abstractmethod
    def open(cls, setup: Setup) -> Change[D] | None:
        """With its settings read; None: they turn it off.

        Raises:
            UserError: A folder is missing, or holds no audio that can be used.
        """

    @abstractmethod
    def draw(self, generator: np.random.Generator) -> D | None:
        """What becomes of one utterance in one epoch; None: nothing, this time.

        Args:
            generator: Its own, of this utterance and epoch.
        """

    @abstractmethod
    def apply(self, audio: Samples, sampled: D) -> Samples:
        """Apply what was sampled: float32 [samples] to float32 [samples]; ``audio`` stays as it is.

        Raises:
            ValueError: A recording that it needs has become unreadable.
        """

    def describe(self, sampled: D) -> dict[str, Any]:
        """What was sampled, by names for people, as JSON can hold it."""
        return {self.name: sampled}

    def folders(self) -> Mapping[str, AudioFolder]:
        """The folders of audio that it uses, by the setting that names each."""
        return {}


class FeatureChange(ABC):
    """A change of the features, of models that take some; sampled and applied at once.

    Attributes:
        name: In settings and records, and what its draws depend on.
        order: Its place among the others, smallest first: vocal_tract 50, spec_augment 100.
        warps: Whether it moves frequencies, and so is for frames of mel bins alone; the others
            replace what is in a frame, whatever that is.
        Options: A dataclass of its settings, ``data.augmentation.options.NAME``; None: none.
    """

    name: ClassVar[str]
    order: ClassVar[int] = 350
    warps: ClassVar[bool] = False
    Options: ClassVar[type | None] = None

    @classmethod
    @abstractmethod
    def open(cls, setup: Setup) -> FeatureChange | None:
        """With its settings read; None: they turn it off."""

    @abstractmethod
    def apply(
        self, features: NDArray[np.float32], generator: np.random.Generator
    ) -> NDArray[np.float32]:
        """float32 [frames, bins] to as many; ``features`` itself where nothing is sampled."""

    def apply_to_stacked(
        self, features: NDArray[np.float32], generator: np.random.Generator, stacked: int
    ) -> NDArray[np.float32]:
        """As :meth:`apply`, for what tells the bins of a frame apart.

        Args:
            features: float32 [frames, bins].
            generator: What is sampled comes from it.
            stacked: Vectors of mel bins in a frame, one after the other.
        """
        return self.apply(features, generator)

    def describe(self, generator: np.random.Generator) -> dict[str, Any]:
        """What :meth:`apply` samples with this generator, by names for people."""
        return {}
