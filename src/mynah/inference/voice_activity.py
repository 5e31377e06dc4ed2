"""Where a recording holds speech: by Silero VAD where it is installed, else by its loudness."""

from __future__ import annotations

import functools
import importlib.util
import threading
from pathlib import Path
from typing import Any, Protocol

import numpy as np

FRAME_SECONDS = 0.032  # what Silero VAD decides on at once: 512 samples at 16 kHz
_SILERO_RATE = 16000
_SILERO_SAMPLES = 512
_SETTLING_FRAMES = 128
_STRETCH_FRAMES = 512
_SILERO_LOCK = threading.Lock()  # its memory is in the model
_SPEECH, _NO_SPEECH = 0.5, 0.35  # Silero's own thresholds: speech begins, and ends
_SILENT_RANGE = 2.0**-16  # half of what the last of 16 bits stands for; full scale is 2
_SURELY_NO_SPEECH = 0.25  # of noise it is at most 0.1, of a clip with a word over 0.99
_QUIETEST_DECIBELS = -70.0  # of full scale: a recorder's own noise is louder
_BELOW_SPEECH_DECIBELS = 25.0  # what is so much softer than the loudest is not speech
_ABOVE_NOISE_DECIBELS = 6.0
_ABOVE_SILENCE_DECIBELS = 4.0  # of means of frames, which differ less in noise


class Detector(Protocol):
    """Scores of a recording's frames, and which of them hold speech.

    Attributes:
        name: What it is called in messages.
        frame_samples: Samples of a frame.
    """

    name: str
    frame_samples: int

    def feed(self, audio: np.ndarray) -> np.ndarray:
        """Scores of the next frames, float32 [frames], the higher the likelier speech.

        Args:
            audio: float32 [frames × frame_samples], what follows on the last call.
        """

    def speech(self, scores: np.ndarray) -> np.ndarray:
        """bool [frames]: which frames hold speech, of scores that follow on one another."""

    def is_above(self, scores: np.ndarray, silence: np.ndarray) -> bool:
        """Whether frames that were taken for speech stand out of a silence before them.

        Args:
            scores: float32 [frames], at least one; each the mean of a few frames around it.
            silence: float32 [frames], scores of the silence.
        """


def detector(sample_rate: int) -> Detector:
    """The best one that is installed, for sound of ``sample_rate`` hertz from its beginning."""
    file = silero_file()
    return LevelDetector(sample_rate) if file is None else SileroDetector(sample_rate, file)


def is_silent(audio: np.ndarray) -> bool:
    """Whether float32 [samples] hold no sound, no fainter noise than 16 bits can."""
    return float(np.ptp(audio)) < _SILENT_RANGE


def nobody_speaks(audio: np.ndarray, sample_rate: int) -> bool:
    """Whether a clip surely holds no speech, so that whatever a decoder writes of it is invented.

    Args:
        audio: float32 [samples].
        sample_rate: Hertz.
    """
    file = silero_file()
    if file is None:
        return is_silent(audio)
    silero = SileroDetector(sample_rate, file)
    padded = np.pad(audio, (0, -len(audio) % silero.frame_samples))
    return float(silero.feed(padded).max()) < _SURELY_NO_SPEECH


@functools.cache
def silero_file() -> Path | None:
    """The weights of Silero VAD (extra ``transcribe``); None where it is not installed.

    Its package is not imported: the file is all that is needed.
    """
    found = importlib.util.find_spec("silero_vad")
    for folder in (found.submodule_search_locations or []) if found else []:
        file = Path(folder) / "data" / "silero_vad.jit"
        if file.is_file():
            return file
    return None


class SileroDetector:
    """Silero VAD (github.com/snakers4/silero-vad): a probability of speech for each frame.

    Its network reads a recording frame by frame, with a memory. Here many stretches are read at
    once, each from four seconds before its beginning, in which its memory settles.
    """

    name = "Silero VAD"

    def __init__(self, sample_rate: int, file: Path) -> None:
        self.frame_samples = round(FRAME_SECONDS * sample_rate)
        self._rate = sample_rate
        self._model = _silero(file)
        self._before = np.zeros((_SETTLING_FRAMES, _SILERO_SAMPLES), dtype=np.float32)

    def feed(self, audio: np.ndarray) -> np.ndarray:
        import torch

        count = len(audio) // self.frame_samples
        if not count:
            return np.zeros(0, dtype=np.float32)
        frames = np.concatenate([self._before, self._frames(audio, count)])
        self._before = frames[-_SETTLING_FRAMES:]
        rows = -(-count // _STRETCH_FRAMES)
        padded = np.pad(frames, ((0, rows * _STRETCH_FRAMES - count), (0, 0)))
        steps = _SETTLING_FRAMES + _STRETCH_FRAMES
        stretches = np.stack([padded[at * _STRETCH_FRAMES :][:steps] for at in range(rows)])
        with _SILERO_LOCK, torch.inference_mode():
            self._model.reset_states()
            found = [
                self._model(torch.from_numpy(np.ascontiguousarray(stretches[:, step])), 16000)
                for step in range(steps)
            ]
        scores = torch.cat(found[_SETTLING_FRAMES:], dim=1).numpy().reshape(-1)[:count]
        made: np.ndarray = scores.astype(np.float32)
        return made

    def _frames(self, audio: np.ndarray, count: int) -> np.ndarray:
        """[count, samples] at the rate that Silero takes."""
        if self._rate != _SILERO_RATE:
            from mynah.data.audio.files import resample

            audio = resample(audio, self._rate, _SILERO_RATE)
        fitting = np.zeros(count * _SILERO_SAMPLES, dtype=np.float32)
        fitting[: len(audio)] = audio[: len(fitting)]
        return fitting.reshape(count, _SILERO_SAMPLES)

    def speech(self, scores: np.ndarray) -> np.ndarray:
        marked = np.zeros(len(scores), dtype=bool)
        inside = False
        for frame, score in enumerate(scores.tolist()):
            inside = score >= (_NO_SPEECH if inside else _SPEECH)
            marked[frame] = inside
        return marked

    def is_above(self, scores: np.ndarray, silence: np.ndarray) -> bool:
        return True  # what is speech does not depend on what else is held


class LevelDetector:
    """The loudness of each frame, in decibels of full scale.

    What is passed over is what no listener would take for speech: near to silence, or near to the
    noise of a recording whose speech is far above it.
    """

    name = "loudness"

    def __init__(self, sample_rate: int) -> None:
        self.frame_samples = round(FRAME_SECONDS * sample_rate)

    def feed(self, audio: np.ndarray) -> np.ndarray:
        power = np.square(audio.reshape(-1, self.frame_samples)).mean(axis=1)
        levels: np.ndarray = (10 * np.log10(power + 1e-12)).astype(np.float32)
        return levels

    def speech(self, scores: np.ndarray) -> np.ndarray:
        if not len(scores):
            return np.zeros(0, dtype=bool)
        noise, loudest = np.percentile(scores, [10, 97])
        softest = min(noise + _ABOVE_NOISE_DECIBELS, loudest - _BELOW_SPEECH_DECIBELS)
        marked: np.ndarray = scores > max(softest, _QUIETEST_DECIBELS)
        return marked

    def is_above(self, scores: np.ndarray, silence: np.ndarray) -> bool:
        # The noise may have become softer since: both tell how loud it is.
        noise = min(float(np.percentile(one, 10)) for one in (scores, silence) if len(one))
        return bool(scores.max() > noise + _ABOVE_SILENCE_DECIBELS)


@functools.cache
def _silero(file: Path) -> Any:
    import torch

    model = torch.jit.load(str(file), map_location="cpu")
    return model.eval()
