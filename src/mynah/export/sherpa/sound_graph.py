"""A CTC recognizer as one graph from samples to logits: features are computed in it.

A program that computes features of its own can only come near to those that a model was trained on.
This graph takes what it is given before that: samples, centred and scaled to unit variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from mynah.models.features.frontends import LogMelFrontend, WaveformFrontend

if TYPE_CHECKING:
    from mynah.models.ctc.family import CTC

# Standard deviation of a usual recording. The scale of the sound is lost on the way into the graph;
# log-mel features lose it too, but for their guard against silence.
USUAL_DEVIATION = 0.06
_NEVER = -1e9  # logit of a label that is not written


def features_of(family: CTC) -> nn.Module | None:
    """What makes the features of a model out of samples [1, samples]; None: it has none here."""
    frontend = family.frontend
    if type(frontend) is WaveformFrontend:
        return Waveform(normalizes=frontend.extractor.do_normalize)
    if type(frontend) is LogMelFrontend:
        return LogMelGraph(frontend.extractor)
    return None


class Waveform(nn.Module):
    """Samples as Wav2Vec2FeatureExtractor gives them."""

    def __init__(self, *, normalizes: bool) -> None:
        super().__init__()
        self.normalizes = normalizes

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """[1, samples] to [1, samples]."""
        if not self.normalizes:
            return samples * USUAL_DEVIATION
        centred = samples - samples.mean(dim=1, keepdim=True)
        return centred / (centred.square().mean(dim=1, keepdim=True) + 1e-12).sqrt()


class LogMelGraph(nn.Module):
    """Log-mel features as ParakeetFeatureExtractor computes them, the transform as a convolution.

    Args:
        extractor: A ParakeetFeatureExtractor.
    """

    waves: torch.Tensor
    filters: torch.Tensor

    def __init__(self, extractor: Any) -> None:
        super().__init__()
        self.hop, self.width = int(extractor.hop_length), int(extractor.n_fft)
        self.preemphasis = float(extractor.preemphasis or 0.0)
        window = torch.hann_window(extractor.win_length, periodic=False, dtype=torch.float64)
        beside = self.width - extractor.win_length
        window = nn.functional.pad(window, (beside // 2, beside - beside // 2))
        angle = 2 * torch.pi * torch.arange(self.width // 2 + 1, dtype=torch.float64)[:, None]
        angle = angle * torch.arange(self.width, dtype=torch.float64) / self.width
        waves = torch.cat([angle.cos(), angle.sin()]) * window
        self.register_buffer("waves", waves[:, None].float())
        self.register_buffer("filters", extractor.mel_filters.float().clone())

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """[1, samples] to [1, frames, bins]."""
        sound = samples * USUAL_DEVIATION
        sound = torch.cat([sound[:, :1], sound[:, 1:] - self.preemphasis * sound[:, :-1]], dim=1)
        sound = nn.functional.pad(sound, (self.width // 2, self.width // 2))
        parts = nn.functional.conv1d(sound[:, None], self.waves, stride=self.hop)[:, :, :-1]
        real, imaginary = parts.square().chunk(2, dim=1)
        mel = torch.log(self.filters @ (real + imaginary) + 2.0**-24).transpose(1, 2)
        centred = mel - mel.mean(dim=1, keepdim=True)
        frames = mel.shape[1]
        deviation = (centred.square().sum(dim=1, keepdim=True) / (frames - 1)).sqrt()
        return centred / (deviation + 1e-5)


class FromSound(nn.Module):
    """Samples to logits of the labels that are written, and of the blank.

    Args:
        family: The model.
        features: What makes its features.
        silent: Labels that write nothing; the blank stands for all of them.
    """

    silent: torch.Tensor
    is_blank: torch.Tensor

    def __init__(self, family: CTC, features: nn.Module, silent: Sequence[int]) -> None:
        super().__init__()
        self.features, self.model = features, family.model.eval().cpu()
        self.input_name, self.blank = family.frontend.input_name, family.blank
        self.masked = "attention_mask" in family.processor.feature_extractor.model_input_names
        self.masked &= getattr(family.processor.feature_extractor, "return_attention_mask", True)
        held = np.zeros(int(self.model.config.vocab_size), dtype=bool)
        held[[*silent, self.blank]] = True
        self.register_buffer("silent", torch.from_numpy(held))
        self.register_buffer("is_blank", torch.arange(len(held)) == self.blank)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """[1, samples] to [1, frames, labels]."""
        features = self.features(samples)
        given = {self.input_name: features}
        if self.masked:
            given["attention_mask"] = torch.ones_like(
                features if features.ndim == 2 else features[:, :, 0], dtype=torch.bool
            )
        logits: torch.Tensor = self.model(**given).logits
        nothing = logits.masked_fill(~self.silent, _NEVER).amax(-1, keepdim=True)
        return torch.where(self.is_blank, nothing, logits.masked_fill(self.silent, _NEVER))
