"""What an encoder takes: audio to features, features to a padded batch, and how long both are.

One frontend a kind of feature extractor; every family has its input from one of these. They
hold no weights, so that they go to data workers cheaply.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from mynah.errors import UserError
from mynah.models.features.log_mel import LogMel

if TYPE_CHECKING:
    import torch

_KNOWN_LENGTHS = 200_000  # of a frontend
_PROBE_SECONDS = 60  # what a convolution eats at the edges is then less than a frame
# transformers' names for "feature frames to encoder frames"
_LENGTH_METHODS = ("_get_subsampling_output_length", "_get_feat_extract_output_lengths")


class Frontend:
    """A feature extractor whose features are [frames, bins] and come with a mask.

    Args:
        extractor: A transformers feature extractor.
        frames: Feature lengths to encoder frames, int64 [batch] to integers [batch].

    Attributes:
        sample_rate: Hertz of the audio it takes.
        feature_seconds: Seconds a feature frame covers; None where features are samples.
        slaney: Whether its mel bins are on Slaney's scale, from 0 to half the sample rate.
        log_mel: Whether a frame is such bins alone, not several frames or their deltas.
        stacked: How many vectors of mel bins a frame is, one after the other.
        input_name: Name under which the encoder takes the features.
        masked: Whether the encoder is given which features are padding.
        quantum: Features to whose multiple :func:`group_by_length` pads a clip.
        max_features: Longest input the encoder takes, or None.
        ctc_processor: The processor of transformers that joins the extractor and a tokenizer
            of CTC labels; None where no CTC model has this extractor.
    """

    input_name = "input_features"
    slaney = True
    masked = True
    stacked = 1
    max_features: int | None = None
    ctc_processor: str | None = None

    def __init__(self, extractor: Any, frames: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.extractor = extractor
        self.sample_rate: int = extractor.sampling_rate
        self._frames = frames
        # Half a second of noise tells the seconds a frame covers and where frames begin.
        probe = self.features(np.random.default_rng(0).standard_normal(4 * self.sample_rate))
        self.feature_seconds: float | None = round(4 / len(probe), 3)
        self.quantum = round(0.5 / self.feature_seconds)
        plain = probe.shape[1:] == (getattr(extractor, "feature_size", None),)
        self.log_mel: bool = self.slaney and plain

    def features(self, audio: np.ndarray) -> np.ndarray:
        """float32 [samples] to float32 [frames, bins], or [samples]."""
        made = self.extractor(
            np.asarray(audio, dtype=np.float32),
            sampling_rate=self.sample_rate,
            return_attention_mask=True,
            return_tensors="np",
        )
        real = np.asarray(made["attention_mask"][0]).astype(bool)
        features: np.ndarray = np.asarray(made[self.input_name][0], dtype=np.float32)
        kept: np.ndarray = features[: len(real)][real]
        return kept

    def feature_length(self, samples: int) -> int:
        """Features that ``samples`` samples become, by making them of silence."""
        return _length_by_trial(self, samples)

    def encoded_lengths(self, lengths: Sequence[int]) -> list[int]:
        """Features of each row of a batch that the encoder does not take for padding."""
        return list(lengths)

    def encoder_frames(self, lengths: Sequence[int]) -> torch.Tensor:
        """Feature lengths to encoder frames by the model's own arithmetic, int64 [batch]."""
        import torch

        return torch.tensor([_frames_of(self, length) for length in lengths], dtype=torch.long)

    def count_frames(self, features: int) -> int:
        """What the model's own arithmetic makes of one length."""
        import torch

        # By the formula of some models even nothing has a frame.
        return max(0, int(self._frames(torch.tensor([features]))[0])) if features else 0

    def output_length(self, samples: int) -> int:
        """Samples to encoder frames."""
        return _output_length(self, self.feature_length(samples))

    def pad(self, features: Sequence[np.ndarray], length: int) -> dict[str, torch.Tensor]:
        """[batch, length, bins] with zeros behind each utterance, and the mask that says so."""
        import torch

        # Zeros only where they stay: a batch is large enough for every page of it to cost.
        padded = np.empty((len(features), length, *features[0].shape[1:]), dtype=np.float32)
        for row, one in enumerate(features):
            padded[row, : len(one)] = one
            padded[row, len(one) :] = 0.0
        mask = np.arange(length) < np.array([len(one) for one in features])[:, None]
        batch = {self.input_name: torch.from_numpy(padded)}
        if self.masked:
            batch["attention_mask"] = torch.from_numpy(mask)
        return batch


class _Known:
    """Lengths that were asked for before, by frontend, and only as long as somebody has it."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Frontend, dict[tuple[str, int], int]] = WeakKeyDictionary()

    def of(self, frontend: Frontend, what: str, length: int, find: Callable[[], int]) -> int:
        """What ``find`` gives; it is called once for a length."""
        known = self._known.setdefault(frontend, {})
        if len(known) >= _KNOWN_LENGTHS:
            known.clear()
        if (what, length) not in known:
            known[what, length] = find()
        return known[what, length]


_known = _Known()


def frame_samples(frontend: Frontend) -> int:
    """Samples from one encoder frame to the next."""
    samples = _PROBE_SECONDS * frontend.sample_rate

    def find() -> int:
        frames = frontend.output_length(2 * samples) - frontend.output_length(samples)
        return round(samples / frames)

    return _known.of(frontend, "samples", samples, find)


def _output_length(frontend: Frontend, features: int) -> int:
    return _known.of(
        frontend, "output", features, lambda: int(frontend.encoder_frames([features])[0])
    )


def _frames_of(frontend: Frontend, features: int) -> int:
    """Encoder frames of one clip: asked for every utterance, and there are few lengths."""
    return _known.of(frontend, "frames", features, lambda: frontend.count_frames(features))


def _length_by_trial(frontend: Frontend, samples: int) -> int:
    """Feature length of a clip where a feature extractor gives no formula."""

    def find() -> int:
        return len(frontend.features(np.ones(samples, dtype=np.float32))) if samples else 0

    return _known.of(frontend, "trial", samples, find)


class LogMelFrontend(Frontend):
    """Parakeet's log-mel features."""

    ctc_processor = "ParakeetProcessor"

    def __init__(self, extractor: Any, frames: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._log_mel = LogMel(extractor)
        super().__init__(extractor, frames)

    def features(self, audio: np.ndarray) -> np.ndarray:
        return self._log_mel(np.asarray(audio, dtype=np.float32))

    def feature_length(self, samples: int) -> int:
        return self._log_mel.frames(samples)


class StreamingLogMelFrontend(Frontend):
    """Log-mel features that are not normalised, as streaming encoders take them."""

    def feature_length(self, samples: int) -> int:
        return samples // int(self.extractor.hop_length)


class FilterbankFrontend(Frontend):
    """Kaldi's filterbank with two frames stacked into one, as w2v-BERT takes it."""

    slaney = False
    ctc_processor = "Wav2Vec2BertProcessor"

    def __init__(self, extractor: Any, frames: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__(extractor, frames)
        self.stacked = int(extractor.stride)

    def feature_length(self, samples: int) -> int:
        frame, hop = 400, 160  # written out in SeamlessM4TFeatureExtractor
        return max(0, 1 + (samples - frame) // hop) // int(self.extractor.stride)


class LasrFrontend(Frontend):
    """Log-mel features over full windows alone, not normalised."""

    slaney = False
    ctc_processor = "LasrProcessor"

    def features(self, audio: np.ndarray) -> np.ndarray:
        if not self.feature_length(len(audio)):  # the extractor takes no less than a window
            return np.zeros((0, self.extractor.feature_size), dtype=np.float32)
        return super().features(audio)

    def feature_length(self, samples: int) -> int:
        window, hop = int(self.extractor.win_length), int(self.extractor.hop_length)
        return max(0, 1 + (samples - window) // hop)


class GraniteFrontend(Frontend):
    """Granite Speech 5's log-mel features with deltas, two frames stacked into one."""

    slaney = False
    ctc_processor = "GraniteSpeech5Processor"

    def __init__(self, extractor: Any, frames: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__(extractor, frames)
        self.stacked = int(extractor.frame_stacking * extractor.delta_expansion)

    def features(self, audio: np.ndarray) -> np.ndarray:
        features: np.ndarray = self.extractor.features(audio)
        return features

    def feature_length(self, samples: int) -> int:
        return int(self.extractor.frames(samples))


class WaveformFrontend(Frontend):
    """Samples as they are, or with zero mean and unit variance: the wav2vec2 family."""

    ctc_processor = "Wav2Vec2Processor"
    input_name = "input_values"

    def __init__(self, extractor: Any, frames: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.extractor = extractor
        self.sample_rate = extractor.sampling_rate
        self._frames = frames
        self.feature_seconds = None
        self.log_mel = False
        self.quantum = self.sample_rate // 2
        # Extractors make no mask for a model with group norm, which would encode padding all the
        # same; given where a clip ends (padding.py), it does not.
        self.masked = True

    def features(self, audio: np.ndarray) -> np.ndarray:
        audio = np.asarray(audio, dtype=np.float32)
        if not self.extractor.do_normalize:
            return audio
        # As Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm.
        scaled: np.ndarray = (audio - audio.mean()) / np.sqrt(audio.var() + 1e-7)
        return scaled.astype(np.float32)

    def feature_length(self, samples: int) -> int:
        return samples


class WhisperFrontend(Frontend):
    """Whisper's log-mel features at the clip's own length, not padded to its 30 s window."""

    def __init__(self, extractor: Any, frames: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__(extractor, frames)
        self.max_features = extractor.nb_max_frames

    def features(self, audio: np.ndarray) -> np.ndarray:
        # The extractor would pad to the window; its own spectrogram does not.
        audio = np.asarray(audio, dtype=np.float32)
        features: np.ndarray = self.extractor._torch_extract_fbank_features(audio[None])[0]
        return features.T

    def feature_length(self, samples: int) -> int:
        return samples // int(self.extractor.hop_length)


_FRONTENDS: dict[str, type[Frontend]] = {
    "ParakeetFeatureExtractor": LogMelFrontend,
    "LasrFeatureExtractor": LasrFrontend,
    "GraniteSpeech5FeatureExtractor": GraniteFrontend,
    "NemotronAsrStreamingFeatureExtractor": StreamingLogMelFrontend,
    "SeamlessM4TFeatureExtractor": FilterbankFrontend,
    "Wav2Vec2FeatureExtractor": WaveformFrontend,
    "WhisperFeatureExtractor": WhisperFrontend,
}


def frontend_for(extractor: Any, model: Any) -> Frontend:
    """The frontend of ``extractor``, its lengths counted by ``model``'s own function.

    Args:
        extractor: A transformers feature extractor.
        model: The model, or encoder, whose input it makes; only its configuration is kept.

    Raises:
        UserError: No frontend is written for this feature extractor.
    """
    return frontend_class(extractor)(extractor, length_function(model))


def frontend_class(extractor: Any) -> type[Frontend]:
    """The frontend that is written for a transformers feature extractor.

    Raises:
        UserError: There is none.
    """
    kind = type(extractor).__name__
    if kind not in _FRONTENDS:
        raise UserError(
            f"A model with a {kind} cannot be trained here.",
            fix="Use a model whose feature extractor is one of: " + ", ".join(sorted(_FRONTENDS)),
        )
    return _FRONTENDS[kind]


def length_function(model: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """The model's length arithmetic, bound to its configuration alone."""
    if model.config.model_type == "whisper":
        return _whisper_frames
    for method in _LENGTH_METHODS:
        if function := getattr(type(model), method, None):
            bound = functools.partial(function, SimpleNamespace(config=model.config))
            squeezed = getattr(model.config, "squeeze_factor", 1)
            return bound if squeezed == 1 else functools.partial(_squeezed_frames, bound, squeezed)
    raise UserError(
        f"transformers' {type(model).__name__} does not say how many frames it puts out.",
        fix="Use another speech encoder, as openai/whisper-small or facebook/hubert-base-ls960.",
    )


def _squeezed_frames(
    frames: Callable[[torch.Tensor], torch.Tensor], factor: int, lengths: torch.Tensor
) -> torch.Tensor:
    """SEW folds frames on the way and unfolds them again, and cannot do so with fewer."""
    found = frames(lengths)
    return found * (found >= factor)


def _whisper_frames(lengths: torch.Tensor) -> torch.Tensor:
    """Whisper's second convolution has stride 2, kernel 3 and padding 1."""
    return (lengths + 1) // 2


def group_by_length(lengths: Sequence[int], quantum: int) -> Iterator[tuple[int, list[int]]]:
    """Clips that are equally long once each is padded, alone, to a multiple of ``quantum``.

    What a model says of a clip may depend on the padding behind it. Padded by this rule it
    always has the same padding, whatever it is batched with.

    Args:
        lengths: Length of each clip, in features.
        quantum: Step to round up to, in features.

    Yields:
        The padded length and the positions of the clips that have it, longest first.
    """
    groups: dict[int, list[int]] = {}
    for position, length in enumerate(lengths):
        padded = -(-max(length, 1) // quantum) * quantum
        groups.setdefault(padded, []).append(position)
    yield from sorted(groups.items(), reverse=True)
