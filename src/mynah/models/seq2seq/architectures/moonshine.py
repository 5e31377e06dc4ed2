"""Moonshine: samples as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.models.features.frontends import Frontend, WaveformFrontend
from mynah.models.seq2seq.architecture import Seq2SeqArchitecture, processor_of_parts

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, SequenceFeatureExtractor


class MoonshineFrontend(WaveformFrontend):
    """Samples as they are, with a mask: Moonshine is always given what is padding.

    Args:
        extractor: A ``Wav2Vec2FeatureExtractor``.
        frames: Samples to encoder frames.
        multiple: Samples of a frame of the streaming models, which take full ones alone: the
            last is filled with silence.
        longest: Most samples that it takes, or None.
    """

    def __init__(
        self,
        extractor: Any,
        frames: Callable[[torch.Tensor], torch.Tensor],
        multiple: int = 1,
        longest: int | None = None,
    ) -> None:
        super().__init__(extractor, frames)
        self.masked = True
        self.max_features = longest
        self._multiple = multiple

    def features(self, audio: np.ndarray) -> np.ndarray:
        made = super().features(audio)
        return np.pad(made, (0, self.feature_length(len(audio)) - len(audio)))

    def feature_length(self, samples: int) -> int:
        return -(-samples // self._multiple) * self._multiple


def _frames(lengths: torch.Tensor) -> torch.Tensor:
    """Three convolutions: kernels 127, 7 and 3, strides 64, 3 and 2, no padding."""
    for kernel, stride in ((127, 64), (7, 3), (3, 2)):
        lengths = (lengths - kernel).div(stride, rounding_mode="floor") + 1
    return lengths


def _frontend(
    extractor: SequenceFeatureExtractor, model: PreTrainedModel, *, window: str
) -> Frontend:
    return MoonshineFrontend(extractor, _frames)


ARCHITECTURE = Seq2SeqArchitecture(frontend=_frontend, processor=processor_of_parts)
