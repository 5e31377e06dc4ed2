"""Feature extractors of speech LLMs that transformers has for torchaudio alone, without it.

The same settings, files and numbers as transformers' own classes, whose names they have: their
processors work with them, and what is saved is loaded by plain transformers.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from transformers import BatchFeature, SequenceFeatureExtractor

from mynah.models.features.granite import htk_filters

_POWER_FLOOR = 1e-10  # of a mel bin, before Granite's logarithm
_KALDI_FLOOR = 1.1920928955078125e-07  # the least float32 step from 1, Kaldi's floor
_KALDI_LOWEST_HERTZ = 20.0
_KALDI_PREEMPHASIS = 0.97


class GraniteSpeechFeatureExtractor(SequenceFeatureExtractor):
    """Log-mel features, two frames stacked into one.

    After transformers' feature_extraction_granite_speech.py, whose spectrogram is torchaudio's
    ``MelSpectrogram``.

    Args:
        sampling_rate: Hertz of the audio.
        n_fft: Samples of the Fourier transform.
        win_length: Samples of the Hann window.
        hop_length: Samples from one frame to the next.
        n_mels: Mel filters.
        projector_window_size: Feature frames that the projector turns into tokens at once.
        projector_downsample_rate: Feature frames for each of these tokens.
        padding_value: What the audio is padded with.
    """

    model_input_names = ("input_features",)

    def __init__(
        self,
        sampling_rate: int = 16000,
        n_fft: int = 512,
        win_length: int = 400,
        hop_length: int = 160,
        n_mels: int = 80,
        projector_window_size: int = 15,
        projector_downsample_rate: int = 5,
        padding_value: float = 0.0,
        **kwargs: Any,
    ) -> None:
        bins = kwargs.pop("feature_size", None) or n_mels
        # transformers keeps these under a name of their own in the files it writes.
        written = kwargs.pop("melspec_kwargs", None) or {}
        super().__init__(
            feature_size=bins, sampling_rate=sampling_rate, padding_value=padding_value, **kwargs
        )
        self.n_fft = written.get("n_fft", n_fft)
        self.win_length = written.get("win_length", win_length)
        self.hop_length = written.get("hop_length", hop_length)
        self.n_mels = written.get("n_mels", bins)
        self.projector_window_size = projector_window_size
        self.projector_downsample_rate = projector_downsample_rate

    def frames(self, samples: int) -> int:
        """Feature frames of a clip."""
        return (samples // self.hop_length + 1) // 2

    def tokens(self, frames: int) -> int:
        """Audio tokens that feature frames become: the projector's last window is filled up."""
        windows = math.ceil(frames / self.projector_window_size)
        return windows * (self.projector_window_size // self.projector_downsample_rate)

    def features(self, audio: np.ndarray) -> np.ndarray:
        """float32 [samples] to float32 [frames, 2 * n_mels]."""
        import torch

        waveform = torch.from_numpy(np.array(audio, dtype=np.float32))
        # Reflection needs more samples than it repeats.
        missing = self.n_fft // 2 + 1 - len(waveform)
        count = 2 * self.frames(len(waveform))
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
            power = spectrum.abs().square_()  # [fft/2 + 1, frames]
            logmel = (
                (htk_filters(self.n_mels, self.n_fft // 2 + 1, self.sampling_rate) @ power)
                .T.clamp_min_(_POWER_FLOOR)
                .log10_()
            )
            logmel = logmel.clamp_min_(logmel.max() - 8.0).div_(4).add_(1)
            return logmel[:count].reshape(-1, 2 * self.n_mels).contiguous().numpy()

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

        rows = [self.features(clip) for clip in _clips(audios)]
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


class FunAsrNanoFeatureExtractor(SequenceFeatureExtractor):
    """Kaldi's filterbank, of which several frames are stacked at a lower rate.

    After transformers' feature_extraction_fun_asr_nano.py, whose filterbank is torchaudio's
    ``compliance.kaldi.fbank``.

    Args:
        feature_size: Mel filters.
        sampling_rate: Hertz of the audio.
        frame_length: Milliseconds of a frame.
        frame_shift: Milliseconds from one frame to the next.
        num_frames_lfr: Frames that are stacked.
        stride_lfr: Frames from one stack to the next.
        window: ``"hamming"``, as all checkpoints have it.
        padding_value: What features are padded with.
        return_attention_mask: Whether padding is told.
    """

    model_input_names = ("input_features", "input_features_mask")

    def __init__(
        self,
        feature_size: int = 80,
        sampling_rate: int = 16000,
        frame_length: int = 25,
        frame_shift: int = 10,
        num_frames_lfr: int = 7,
        stride_lfr: int = 6,
        window: str = "hamming",
        padding_value: float = 0.0,
        return_attention_mask: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            feature_size=feature_size,
            sampling_rate=sampling_rate,
            padding_value=padding_value,
            return_attention_mask=return_attention_mask,
            **kwargs,
        )
        self.frame_length = frame_length
        self.frame_shift = frame_shift
        self.num_frames_lfr = num_frames_lfr
        self.stride_lfr = stride_lfr
        self.window = window

    def frames(self, samples: int) -> int:
        """Stacked frames of a clip; a frame that is not whole is none."""
        window, shift = self._window_and_shift
        whole = 1 + (samples - window) // shift if samples >= window else 0
        return -(-whole // self.stride_lfr)

    @property
    def _window_and_shift(self) -> tuple[int, int]:
        return (
            self.sampling_rate * self.frame_length // 1000,
            self.sampling_rate * self.frame_shift // 1000,
        )

    def features(self, audio: np.ndarray) -> np.ndarray:
        """float32 [samples] to float32 [frames, feature_size * num_frames_lfr]."""
        if not self.frames(len(audio)):
            return np.zeros((0, self.feature_size * self.num_frames_lfr), dtype=np.float32)
        return self._stacked(self._filterbank(np.asarray(audio, dtype=np.float32)))

    def _filterbank(self, audio: np.ndarray) -> np.ndarray:
        import torch

        window, shift = self._window_and_shift
        frames = torch.from_numpy(audio.copy()).unfold(0, window, shift)
        with torch.no_grad():
            frames = frames - frames.mean(1, keepdim=True)
            before = torch.cat((frames[:, :1], frames[:, :-1]), 1)
            frames = (frames - _KALDI_PREEMPHASIS * before) * torch.hamming_window(
                window, periodic=False
            )
            size = 1 << (window - 1).bit_length()
            power = torch.fft.rfft(frames, n=size).abs().square_()
            filters = _kaldi_filters(self.feature_size, size // 2 + 1, self.sampling_rate)
            return (power @ filters).clamp_min_(_KALDI_FLOOR).log_().numpy()

    def _stacked(self, frames: np.ndarray) -> np.ndarray:
        """The first and the last frame are repeated, so that each stack is centred and whole."""
        size, stride = self.num_frames_lfr, self.stride_lfr
        count = -(-len(frames) // stride)
        before = (size - 1) // 2
        behind = (count - 1) * stride + size - before - len(frames)
        places = np.clip(np.arange(-before, len(frames) + max(behind, 0)), 0, len(frames) - 1)
        stacks = np.arange(count)[:, None] * stride + np.arange(size)
        return frames[places][stacks].reshape(count, -1)

    def __call__(
        self,
        raw_speech: Any,
        sampling_rate: int | None = None,
        return_tensors: str | None = "pt",
        **kwargs: Any,
    ) -> BatchFeature:
        """Features of clips with zeros behind them, as the processor asks for them.

        Args:
            raw_speech: One clip [samples], or several.
            sampling_rate: Hertz of ``raw_speech``.
            return_tensors: As ``"pt"``.

        Returns:
            ``input_features`` [batch, frames, bins] and ``input_features_mask`` [batch, frames].

        Raises:
            ValueError: The audio is of another rate.
        """
        if sampling_rate not in (None, self.sampling_rate):
            raise ValueError(f"The audio has {sampling_rate} Hz, and not {self.sampling_rate}.")
        rows = [self.features(clip) for clip in _clips(raw_speech)]
        shape = (len(rows), max(map(len, rows)), self.feature_size * self.num_frames_lfr)
        padded = np.full(shape, self.padding_value, dtype=np.float32)
        mask = np.zeros(shape[:2], dtype=np.int64)
        for index, row in enumerate(rows):
            padded[index, : len(row)] = row
            mask[index, : len(row)] = 1
        return BatchFeature(
            {"input_features": padded, "input_features_mask": mask}, tensor_type=return_tensors
        )


def _clips(audio: Any) -> Sequence[np.ndarray]:
    """One clip or several, as arrays [samples]."""
    single = getattr(audio, "ndim", None) == 1
    return [np.asarray(one, dtype=np.float32).reshape(-1) for one in ([audio] if single else audio)]


@functools.lru_cache(maxsize=8)
def _kaldi_filters(bins: int, frequencies: int, sample_rate: int) -> Any:
    """Triangles that are straight in mels, float32 [frequencies, bins]."""
    import torch
    from transformers.audio_utils import mel_filter_bank

    filters = mel_filter_bank(
        frequencies,
        bins,
        _KALDI_LOWEST_HERTZ,
        sample_rate / 2,
        sample_rate,
        norm=None,
        mel_scale="kaldi",
        triangularize_in_mel_space=True,
    )
    return torch.from_numpy(filters.astype(np.float32))
