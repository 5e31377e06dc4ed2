"""What the encoder of a speech LLM is given of a clip: the contract of its frontends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


class AudioFrontend:
    """What one kind of speech LLM is given of a clip. It holds no weights.

    Args:
        processor: The model's processor.

    Attributes:
        sample_rate: Hertz of the audio it takes.
        feature_seconds: Seconds a feature frame covers; None where features are samples.
        max_samples: Longest clip that is heard at once, or None where the language model's
            context is the only limit.
    """

    feature_seconds: float | None = None
    max_samples: int | None = None

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.extractor = _extractor_of(processor)
        self.sample_rate: int = self.extractor.sampling_rate
        self._counts: dict[int, int] = {}

    def _counted(self, features: int, arithmetic: Callable[[torch.Tensor], torch.Tensor]) -> int:
        """What the model's own arithmetic makes of one length: asked often, and there are few."""
        import torch

        if features <= 0:  # by the formula of some models even nothing has a token
            return 0
        if features not in self._counts:
            self._counts[features] = max(0, int(arithmetic(torch.tensor([features]))[0]))
        return self._counts[features]

    def features(self, audio: np.ndarray) -> np.ndarray:
        """float32 [samples] to float32 [frames, bins], or [samples]: of the clip alone."""
        raise NotImplementedError

    def feature_length(self, samples: int) -> int:
        """Features that ``samples`` samples become."""
        raise NotImplementedError

    def tokens(self, features: int) -> int:
        """Audio tokens that the processor puts in for features of this length."""
        raise NotImplementedError

    def alike(self, features: int) -> int:
        """Clips for which this is equal are decoded together, and say what each says alone."""
        return features

    def pad(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        """What the model takes of a batch's features."""
        raise NotImplementedError


def padded(features: Sequence[np.ndarray], length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """[batch, length, ...] with zeros behind each, and int64 [batch, length] of what is real."""
    import torch

    filled = np.zeros((len(features), length, *features[0].shape[1:]), dtype=np.float32)
    mask = np.zeros((len(features), length), dtype=np.int64)
    for row, one in enumerate(features):
        filled[row, : len(one)] = one
        mask[row, : len(one)] = 1
    return torch.from_numpy(filled), torch.from_numpy(mask)


def _extractor_of(processor: Any) -> Any:
    for name in ("feature_extractor", "audio_processor"):
        if (found := getattr(processor, name, None)) is not None:
            return found
    raise AssertionError(f"{type(processor).__name__} has no feature extractor")
