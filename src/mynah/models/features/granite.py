"""Granite Speech's features without torchaudio, which transformers' own extractors import.

The same settings, files and numbers as the classes of the same names in transformers, whose
spectrogram and deltas are those of torchaudio's ``MelSpectrogram`` and ``compute_deltas``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers import BatchFeature, SequenceFeatureExtractor

from mynah.data.audio.mel import mel_filters

if TYPE_CHECKING:
    import torch

_POWER_FLOOR = 1e-10  # of a mel bin, before the logarithm

MODEL_TYPE = "granite_speech5_ctc"


class GraniteFeatureExtractor(SequenceFeatureExtractor):
    """The log-mel spectrum that all Granite Speech models have in common.

    Args:
        feature_size: Numbers of a feature frame.
        sampling_rate: Hertz of the audio.
        n_fft: Samples of the Fourier transform.
        win_length: Samples of the Hann window.
        hop_length: Samples from one frame to the next.
        padding_value: What the audio is padded with.
    """

    def __init__(
        self,
        feature_size: int,
        sampling_rate: int = 16000,
        n_fft: int = 512,
        win_length: int = 400,
        hop_length: int = 160,
        padding_value: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            feature_size=feature_size,
            sampling_rate=sampling_rate,
            padding_value=padding_value,
            **kwargs,
        )
        self.n_fft = n_fft
        self.win_length = win_length
        self.hop_length = hop_length

    def log_mel(
        self,
        audio: np.ndarray,
        *,
        bins: int,
        span: float,
        least_samples: int = 0,
        frames: int | None = None,
    ) -> torch.Tensor:
        """float32 [samples] to float32 [bins, frames].

        Args:
            audio: A clip.
            bins: Mel filters.
            span: How far below the clip's loudest bin the quietest may lie, in powers of ten.
            least_samples: What a shorter clip is filled up to with silence.
            frames: How many frames count; None: all that there are.
        """
        import torch

        waveform = torch.from_numpy(np.array(audio, dtype=np.float32))
        # Reflection needs more samples than it repeats.
        missing = max(least_samples, self.n_fft // 2 + 1) - len(waveform)
        with torch.no_grad():
            if missing > 0:
                waveform = torch.nn.functional.pad(waveform, (0, missing))
            spectrum = torch.stft(
                waveform,
                self.n_fft,
                self.hop_length,
                self.win_length,
                torch.hann_window(self.win_length),
                return_complex=True,
            )
            power = spectrum[:, :frames].abs().square_()  # [fft/2 + 1, frames]
            filters = mel_filters(bins, self.n_fft // 2 + 1, self.sampling_rate)
            logmel = (torch.tensor(filters).T @ power).clamp_min_(_POWER_FLOOR).log10_()
            return logmel.clamp_min_(logmel.max() - span).div_(4).add_(1)


class GraniteSpeech5FeatureExtractor(GraniteFeatureExtractor):
    """Log-mel features with their deltas, two frames stacked into one.

    It has the name of transformers' class, which is what its configuration file says; after
    its feature_extraction_granite_speech5.py.

    Args:
        num_mel_bins: Mel filters.
        delta_win_length: Frames that a delta looks at, odd.
        logmel_floor_db: How far below the clip's loudest bin the quietest may lie, in powers
            of ten (the name is transformers' own).
        kwargs: Of :class:`GraniteFeatureExtractor`.
    """

    model_input_names = ("input_features", "attention_mask")
    frame_stacking = 2
    delta_expansion = 2

    def __init__(
        self,
        num_mel_bins: int = 80,
        delta_win_length: int = 3,
        logmel_floor_db: float = 8.0,
        **kwargs: Any,
    ) -> None:
        kwargs["feature_size"] = num_mel_bins * self.delta_expansion * self.frame_stacking
        super().__init__(**kwargs)
        self.num_mel_bins = num_mel_bins
        self.delta_win_length = delta_win_length
        self.logmel_floor_db = logmel_floor_db

    def frames(self, samples: int) -> int:
        """Feature frames of a clip: a pair of hops each, a single last one filled up."""
        return -(-(samples // self.hop_length) // self.frame_stacking)

    def features(self, audio: np.ndarray) -> np.ndarray:
        """float32 [samples] to float32 [frames, 4 * num_mel_bins]."""
        import torch

        count = self.frame_stacking * self.frames(len(audio))
        if not count:
            return np.zeros((0, self.feature_size), dtype=np.float32)
        with torch.no_grad():
            logmel = self.log_mel(
                audio,
                bins=self.num_mel_bins,
                span=self.logmel_floor_db,
                least_samples=(count - 1) * self.hop_length + 1,  # for the last frame
                frames=count,
            )
            both = torch.cat((logmel, _deltas(logmel, self.delta_win_length)))
            return both.T.reshape(-1, self.feature_size).contiguous().numpy()

    def __call__(
        self,
        raw_speech: np.ndarray | Sequence[np.ndarray],
        sampling_rate: int | None = None,
        return_tensors: str | None = None,
        return_attention_mask: bool = True,
        **kwargs: Any,
    ) -> BatchFeature:
        """Features of clips, each of its own length and zeros behind it.

        transformers makes a batch's spectrogram of the padded waveforms, so that the last two
        frames of a clip depend on the clips beside it; alone a clip has the same numbers.

        Args:
            raw_speech: One clip [samples], or several.
            sampling_rate: Hertz of ``raw_speech``.
            return_tensors: As ``"pt"`` or ``"np"``.
            return_attention_mask: Whether to say which frames are real.

        Returns:
            ``input_features`` [batch, frames, bins] and ``attention_mask`` [batch, frames].

        Raises:
            ValueError: The audio is of another rate.
        """
        if sampling_rate not in (None, self.sampling_rate):
            raise ValueError(f"The audio has {sampling_rate} Hz, and not {self.sampling_rate}.")
        one = isinstance(raw_speech, np.ndarray) and raw_speech.ndim == 1
        rows = [self.features(np.asarray(clip)) for clip in ([raw_speech] if one else raw_speech)]
        padded = np.zeros((len(rows), max(map(len, rows)), self.feature_size), dtype=np.float32)
        mask = np.zeros(padded.shape[:2], dtype=np.int64)
        for row, made in enumerate(rows):
            padded[row, : len(made)] = made
            mask[row, : len(made)] = 1
        data = {"input_features": padded}
        if return_attention_mask:
            data["attention_mask"] = mask
        return BatchFeature(data=data, tensor_type=return_tensors)


def _deltas(values: Any, window: int) -> Any:
    """Slope of each row over a window of frames, [rows, frames] both; the ends are repeated."""
    import torch

    reach = (window - 1) // 2
    frames = values.shape[1]
    padded = torch.nn.functional.pad(values[None], (reach, reach), mode="replicate")[0]
    slope = torch.zeros_like(values)
    for step in range(1, reach + 1):
        ahead = padded[:, reach + step : reach + step + frames]
        slope += step * (ahead - padded[:, reach - step : reach - step + frames])
    return slope / (2 * sum(step * step for step in range(1, reach + 1)))
