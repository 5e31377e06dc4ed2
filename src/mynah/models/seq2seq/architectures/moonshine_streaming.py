"""Moonshine Streaming: samples in frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mynah.models.features.frontends import Frontend
from mynah.models.seq2seq.architecture import Seq2SeqArchitecture
from mynah.models.seq2seq.architectures.moonshine import MoonshineFrontend

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, SequenceFeatureExtractor


class _StreamingFrames:
    """Frames of so many samples, halved twice by causal convolutions."""

    def __init__(self, frame: int) -> None:
        self._frame = frame

    def __call__(self, lengths: torch.Tensor) -> torch.Tensor:
        frames = lengths // self._frame
        for _ in range(2):
            frames = (frames - 1).div(2, rounding_mode="floor") + 1
        return frames


def _frontend(
    extractor: SequenceFeatureExtractor, model: PreTrainedModel, *, window: str
) -> Frontend:
    encoder = model.config.encoder_config
    frame = round(encoder.sample_rate * encoder.frame_ms / 1000)
    # Two halvings of the frames come before the decoder's embedding of their positions.
    longest = 4 * frame * model.config.max_position_embeddings
    return MoonshineFrontend(extractor, _StreamingFrames(frame), frame, longest)


ARCHITECTURE = Seq2SeqArchitecture(frontend=_frontend)
