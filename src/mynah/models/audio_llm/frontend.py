"""From a clip to the input of an audio LLM's encoder: the contract of the frontends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


class AudioFrontend(ABC):
    """Features of a clip, and how many audio tokens they become. It holds no weights.

    Args:
        sample_rate: Hertz of the audio that it takes.

    Attributes:
        sample_rate: The same.
        feature_seconds: Seconds a feature frame covers; None where features are samples.
        log_mel: Whether a feature frame is mel bins on Slaney's scale alone.
        stacked: How many vectors of mel bins a feature frame is, one after the other.
        max_samples: Longest clip that is encoded at once, or None where the language model's
            context is the only limit.
    """

    feature_seconds: float | None = None
    log_mel: bool = False
    stacked: int = 1
    max_samples: int | None = None

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._counts: dict[int, int] = {}

    def _counted(self, features: int, arithmetic: Callable[[torch.Tensor], torch.Tensor]) -> int:
        """What the model's own arithmetic makes of one length: asked often, and there are few."""
        import torch

        if features <= 0:  # by the formula of some models even nothing has a token
            return 0
        if features not in self._counts:
            self._counts[features] = max(0, int(arithmetic(torch.tensor([features]))[0]))
        return self._counts[features]

    def encoded_seconds(self, seconds: float) -> float:
        """What is encoded of a clip of ``seconds``, in seconds."""
        return seconds

    @abstractmethod
    def features(self, audio: np.ndarray) -> np.ndarray:
        """float32 [samples] to float32 [frames, bins], or [samples]: of the clip alone."""

    @abstractmethod
    def feature_length(self, samples: int) -> int:
        """Features that ``samples`` samples become."""

    @abstractmethod
    def tokens(self, features: int) -> int:
        """Audio tokens that the processor puts in for features of this length."""

    def alike(self, features: int) -> int:
        """Clips for which this is equal are decoded together, each to what it is alone."""
        return features

    @abstractmethod
    def pad(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        """The model's inputs for a batch's features, [batch, ...] each."""


def padded(features: Sequence[np.ndarray], length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """[batch, length, ...] with zeros behind each, and int64 [batch, length]: 0 is padding."""
    import torch

    filled = np.zeros((len(features), length, *features[0].shape[1:]), dtype=np.float32)
    mask = np.zeros((len(features), length), dtype=np.int64)
    for row, one in enumerate(features):
        filled[row, : len(one)] = one
        mask[row, : len(one)] = 1
    return torch.from_numpy(filled), torch.from_numpy(mask)


def clips_of(audio: Any) -> list[np.ndarray]:
    """One clip or several, as a processor hands them to its extractor, float32 [samples] each."""
    single = getattr(audio, "ndim", None) == 1
    return [np.asarray(one, dtype=np.float32).reshape(-1) for one in ([audio] if single else audio)]
