"""Background noise: made here, between white and pink, or cut out of recordings."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from mynah.config.schema import AugmentationConfig
from mynah.data.augmentation import draws
from mynah.data.augmentation.audio_folder import AudioFolder, open_folder, read_file
from mynah.data.augmentation.change import Change, Samples, Setup
from mynah.data.augmentation.gain import level

_BANK_SAMPLES = 1 << 20  # about a minute at 16 kHz
_CROSSFADE_SECONDS = 0.05  # where a short recording begins again
_SHORTEST_SECONDS = 0.05  # read at least: less than a sample of a file may be asked for
_SILENCE = 1e-5  # level of a piece that is too quiet to be noise; full scale is 1


@dataclass(frozen=True)
class NoisePiece:
    """A piece of a recording.

    Attributes:
        file: Which of the folder's files.
        place: Where the piece begins, of [0, 1): a share of what the recording has to spare.
    """

    file: int
    place: float


def noise(samples: int, colour: float, generator: np.random.Generator) -> np.ndarray:
    """Noise of unit power: float32 [samples].

    Args:
        samples: How many.
        colour: 0 is white, 1 pink (its power falls as 1/f), between them a mixture.
        generator: Draws where in the two noises it is cut out.
    """
    white, pink = _bank()
    starts = generator.integers(_BANK_SAMPLES, size=2)
    mixed = np.float32(np.sqrt(1 - colour)) * _around(white, int(starts[0]), samples)
    mixed += np.float32(np.sqrt(colour)) * _around(pink, int(starts[1]), samples)
    return mixed


def recorded_noise(
    folder: AudioFolder, pieces: tuple[NoisePiece, ...], samples: int, sample_rate: int
) -> np.ndarray:
    """Pieces of recordings, equally loud, mixed together: float32 [samples] of any power.

    Zero where every piece happens to be silent.

    Raises:
        ValueError: A recording has become unreadable.
    """
    mixed = np.zeros(samples, dtype=np.float32)
    for piece in pieces:
        cut = _cut(folder, piece, samples, sample_rate)
        loudness = level(cut)
        if loudness > _SILENCE:
            mixed += cut / np.float32(loudness)
    return mixed


def mix_noise(audio: np.ndarray, added: np.ndarray, snr_db: float) -> np.ndarray:
    """Speech with noise at a signal-to-noise ratio, both measured over the full utterance.

    Args:
        audio: float32 [samples].
        added: Noise of any power, float32 [samples].
        snr_db: Decibels that the speech is above it.
    """
    loudness = level(added)
    if loudness <= 0.0:
        return audio
    wanted = level(audio) * 10 ** (-snr_db / 20)
    return audio + added * np.float32(wanted / loudness)


def looped(recording: np.ndarray, start: int, samples: int, sample_rate: int) -> np.ndarray:
    """A recording from ``start`` on, over and over, float32 [samples].

    Its end is faded into its beginning with equal power, so that no click tells them apart.
    """
    fade = min(round(_CROSSFADE_SECONDS * sample_rate), len(recording) // 2)
    if fade:
        angle = np.linspace(0, np.pi / 2, fade, dtype=np.float32)
        ring = recording[: len(recording) - fade].copy()
        ring[:fade] = ring[:fade] * np.sin(angle) + recording[-fade:] * np.cos(angle)
    else:
        ring = recording
    return _around(ring, start % len(ring), samples)


def _cut(folder: AudioFolder, piece: NoisePiece, samples: int, sample_rate: int) -> np.ndarray:
    path = folder.root / folder.files[piece.file]
    needed = max(samples / sample_rate, _SHORTEST_SECONDS)
    held = float(folder.seconds[piece.file])
    if held <= needed:
        recording = read_file(path, sample_rate)
        return looped(recording, int(piece.place * len(recording)), samples, sample_rate)
    begin = piece.place * (held - needed)
    cut = read_file(path, sample_rate, offset_seconds=begin, duration_seconds=needed)
    # Rounded to a sample of its own rate, it may be one too short or too long.
    return np.pad(cut, (0, max(0, samples - len(cut))), mode="edge")[:samples]


def _around(ring: np.ndarray, start: int, samples: int) -> np.ndarray:
    """``samples`` of a ring from ``start`` on, in as many slices as it takes."""
    pieces, place = [], start
    while samples > 0:
        pieces.append(ring[place : place + samples])
        samples -= len(pieces[-1])
        place = 0
    return pieces[0] if len(pieces) == 1 else np.concatenate([ring[:0], *pieces])


@functools.cache
def _bank() -> tuple[np.ndarray, np.ndarray]:
    """White and pink noise, made once: a transform an utterance took as long as its speech."""
    generator = np.random.default_rng(20_26)
    white = generator.standard_normal(_BANK_SAMPLES, dtype=np.float32)
    spectrum = np.fft.rfft(generator.standard_normal(_BANK_SAMPLES))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 100.0))  # level below 1.5 Hz
    pink = np.fft.irfft(spectrum, _BANK_SAMPLES).astype(np.float32)
    return white, pink / np.float32(np.sqrt(np.mean(np.square(pink))))


@dataclass(frozen=True)
class SampledNoise:
    """The noise of one utterance in one epoch.

    Attributes:
        snr_db: Decibels that the speech is above the noise.
        colour: Of made noise: 0 white, 1 pink.
        seed: Of made noise: where in it the piece begins.
        pieces: Of recorded noise; empty: it is made.
    """

    snr_db: float
    colour: float = 0.0
    seed: int = 0
    pieces: tuple[NoisePiece, ...] = ()


class Noise(Change[SampledNoise]):
    """At a ratio of ``noise_snr_db``, from ``noise_folder`` or made."""

    name = "noise"
    order = 400

    def __init__(
        self, settings: AugmentationConfig, sample_rate: int, recorded: AudioFolder | None
    ) -> None:
        self._settings = settings
        self._sample_rate = sample_rate
        self._recorded = recorded

    @classmethod
    def open(cls, setup: Setup) -> Noise | None:
        settings = setup.settings
        if not settings.noise_snr_db:
            return None
        recorded = None
        if settings.noise_folder and settings.noise_probability:
            name = "data.augmentation.noise_folder"
            recorded = open_folder(settings.noise_folder, name, "noise")
        return cls(settings, setup.sample_rate, recorded)

    def draw(self, generator: np.random.Generator) -> SampledNoise | None:
        if generator.random() >= self._settings.noise_probability:
            return None
        snr_db = draws.between(generator, self._settings.noise_snr_db)
        if self._recorded is None:
            colour = generator.random()
            return SampledNoise(snr_db, colour, int(generator.integers(1 << 32)))
        sources = 1 + int(generator.random() * self._settings.noise_sources)
        files = len(self._recorded.files)
        pieces = generator.random((sources, 2)).tolist()
        return SampledNoise(
            snr_db, pieces=tuple(NoisePiece(int(file * files), place) for file, place in pieces)
        )

    def apply(self, audio: Samples, sampled: SampledNoise) -> Samples:
        samples = len(audio)
        if self._recorded is not None:
            added = recorded_noise(self._recorded, sampled.pieces, samples, self._sample_rate)
        else:
            added = noise(samples, sampled.colour, np.random.default_rng(sampled.seed))
        return mix_noise(audio, added, sampled.snr_db)

    def describe(self, sampled: SampledNoise) -> dict[str, Any]:
        described: dict[str, Any] = {"snr_db": sampled.snr_db}
        if self._recorded is not None:
            described["pieces"] = [
                {"file": self._recorded.files[piece.file], "place": piece.place}
                for piece in sampled.pieces
            ]
        else:
            described["colour"] = sampled.colour
        return {"noise": described}

    def folders(self) -> dict[str, AudioFolder]:
        return {} if self._recorded is None else {"noise_folder": self._recorded}
