"""Granite Speech and Granite Speech Plus: stacked log-mel features, an instruction in words."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from transformers import AutoTokenizer, BatchFeature, GraniteSpeechProcessor

from mynah.models.audio_llm.architecture import Architecture, Modules
from mynah.models.audio_llm.frontend import AudioFrontend, clips_of, padded
from mynah.models.audio_llm.requests import TemplateRequests
from mynah.models.features.granite import GraniteFeatureExtractor
from mynah.models.pretrained import hub

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig

    from mynah.models.pretrained.part import PretrainedPart

_SPECTRUM = ("n_fft", "win_length", "hop_length")
# What an empty frame is: log10 of the floor of a mel bin, or 8 below the loudest, then x / 4 + 1.
_SILENCE = -10.0 / 4.0 + 1.0
_RANGE = 8.0 / 4.0
# ibm-granite/granite-speech-3.3-2b, its model card
_INSTRUCTION = "can you transcribe the speech into a written format?"


class GraniteSpeechFeatureExtractor(GraniteFeatureExtractor):
    """Log-mel features, two frames stacked into one, without torchaudio.

    The same settings, files and numbers as transformers' own class, whose name it has: its
    processor works with it, and what is saved is loaded by plain transformers. After its
    feature_extraction_granite_speech.py.

    Args:
        n_mels: Mel filters.
        projector_window_size: Feature frames that the projector turns into tokens at once.
        projector_downsample_rate: Feature frames for each of these tokens.
        kwargs: Of :class:`GraniteFeatureExtractor`.
    """

    model_input_names = ("input_features",)

    def __init__(
        self,
        n_mels: int = 80,
        projector_window_size: int = 15,
        projector_downsample_rate: int = 5,
        **kwargs: Any,
    ) -> None:
        bins = kwargs.pop("feature_size", None) or n_mels
        # transformers keeps these under a name of their own in the files it writes.
        written = kwargs.pop("melspec_kwargs", None) or {}
        kwargs |= {name: written[name] for name in _SPECTRUM if name in written}
        super().__init__(feature_size=bins, **kwargs)
        self.n_mels = written.get("n_mels", bins)
        self.projector_window_size = projector_window_size
        self.projector_downsample_rate = projector_downsample_rate

    def frames(self, samples: int) -> int:
        """Feature frames of a clip."""
        frames: int = (samples // self.hop_length + 1) // 2
        return frames

    def tokens(self, frames: int) -> int:
        """Audio tokens that feature frames become: the projector's last window is filled up."""
        windows = math.ceil(frames / self.projector_window_size)
        return windows * (self.projector_window_size // self.projector_downsample_rate)

    def features(self, audio: np.ndarray) -> np.ndarray:
        """float32 [samples] to float32 [frames, 2 * n_mels]."""
        count = 2 * self.frames(len(audio))
        logmel = self.log_mel(audio, bins=self.n_mels, span=4 * _RANGE).T
        stacked: np.ndarray = logmel[:count].reshape(-1, 2 * self.n_mels).contiguous().numpy()
        return stacked

    def __call__(self, audios: Any, device: str | None = "cpu") -> BatchFeature:
        """Features of clips, each of its own length and zeros behind it, as the processor asks.

        Args:
            audios: One clip [samples], or several.
            device: Where transformers' own would compute; not used.

        Returns:
            ``input_features`` [batch, frames, bins], ``audio_embed_sizes`` (tokens of each clip)
            and ``input_features_mask`` [batch, tokens].
        """
        import torch

        rows = [self.features(clip) for clip in clips_of(audios)]
        sizes = [self.tokens(len(row)) for row in rows]
        padded = np.zeros((len(rows), max(map(len, rows)), 2 * self.n_mels), dtype=np.float32)
        for index, row in enumerate(rows):
            padded[index, : len(row)] = row
        return BatchFeature(
            {
                "input_features": torch.from_numpy(padded),
                "audio_embed_sizes": sizes,
                "input_features_mask": torch.arange(max(sizes))[None]
                < torch.tensor(sizes)[:, None],
            }
        )


class GraniteSpeechFrontend(AudioFrontend):
    """Its stacked features, filled up with silence: the encoder has no mask of padding."""

    stacked = 2

    def __init__(self, processor: GraniteSpeechProcessor, config: PreTrainedConfig) -> None:
        self.extractor: GraniteSpeechFeatureExtractor = cast(Any, processor).audio_processor
        super().__init__(self.extractor.sampling_rate)
        self.feature_seconds = 2 * self.extractor.hop_length / self.sample_rate

    def features(self, audio: np.ndarray) -> np.ndarray:
        return self.extractor.features(audio)

    def feature_length(self, samples: int) -> int:
        return self.extractor.frames(samples)

    def tokens(self, features: int) -> int:
        return self.extractor.tokens(features)

    def pad(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        import torch

        lengths = [len(one) for one in features]
        filled, _ = padded(features, max(lengths))
        for row, one in enumerate(features):
            loudest = float(one.max(initial=_SILENCE))
            filled[row, len(one) :] = max(_SILENCE, loudest - _RANGE)
        tokens = torch.tensor([self.tokens(length) for length in lengths])
        return {
            "input_features": filled,
            "input_features_mask": torch.arange(int(tokens.max()))[None] < tokens[:, None],
        }


def _processor(part: PretrainedPart) -> GraniteSpeechProcessor:
    written, _ = GraniteSpeechProcessor.get_processor_dict(
        hub.local_place(part), **hub.options(part)
    )
    made: GraniteSpeechProcessor = GraniteSpeechProcessor.from_args_and_dict(
        [
            hub.from_pretrained(GraniteSpeechFeatureExtractor, part),
            hub.from_pretrained(AutoTokenizer, part),
        ],
        written,
    )
    return made


ARCHITECTURE = Architecture(
    GraniteSpeechFrontend,
    functools.partial(TemplateRequests, instruction=_INSTRUCTION, inline=True),
    Modules(encoder=("model.encoder",), projector=("model.projector",)),
    processor=_processor,
)
