"""Speech as it sounds in a room: convolved with an impulse response."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from mynah.config.schema.augmentation import ROOM_PROBABILITY
from mynah.data.augmentation.audio_folder import AudioFolder, open_folder, read_file
from mynah.data.augmentation.change import Change, Samples, Setup
from mynah.data.augmentation.gain import level
from mynah.data.augmentation.shoebox import Shoebox, draw_shoebox, impulse_response

_KEPT_RESPONSES = 256  # impulse responses kept a process: 13 MB where they ring for 0.8 s
_INAUDIBLE_DB = 60.0  # what is left of a response below this is cut off


def reverberate(audio: np.ndarray, response: np.ndarray, direct: int = 0) -> np.ndarray:
    """The audio as it sounds in a room, as loud and no later than before.

    Args:
        audio: float32 [samples].
        response: Impulse response, float32 [taps].
        direct: The tap of the direct sound; what comes before it stays before it.

    Returns:
        float32 [samples], as many: what would ring on after the end is cut off.
    """
    size = fast_length(len(audio) + len(response) - 1)
    spectrum = np.fft.rfft(audio, size)
    spectrum *= np.fft.rfft(response, size)
    received = np.fft.irfft(spectrum, size)[direct : direct + len(audio)]
    loudness = level(received)
    if not loudness:
        return audio
    return (received * (level(audio) / loudness)).astype(np.float32)


def trimmed(response: np.ndarray) -> tuple[np.ndarray, int]:
    """A measured response without the silence behind it, and the tap of its direct sound.

    The direct sound is taken to be the loudest, as Kaldi's ``wav-reverberate`` does.
    """
    energy = np.cumsum(np.square(response[::-1], dtype=np.float64))[::-1]
    audible = int(np.searchsorted(-energy, -energy[0] * 10 ** (-_INAUDIBLE_DB / 10)))
    direct = int(np.argmax(np.abs(response)))
    return response[: max(audible, direct + 1)], direct


def fast_length(length: int) -> int:
    """The smallest product of powers of 2, 3 and 5 that is not smaller: a fast transform."""
    best = 1 << max(length - 1, 0).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            quotient = -(-length // three)
            best = min(best, three << max(quotient - 1, 0).bit_length())
            three *= 3
        five *= 5
    return best


class Room(Change[int]):
    """One of ``simulated_rooms``, or of the responses in ``room_folder``, by its number."""

    name = "room"
    order = 200

    def __init__(self, setup: Setup, probability: float, responses: AudioFolder | None) -> None:
        self._settings = setup.settings
        self._sample_rate = setup.sample_rate
        self._seed = setup.seed
        self._probability = probability
        self._responses = responses

    @classmethod
    def open(cls, setup: Setup) -> Room | None:
        settings = setup.settings
        probability = settings.room_probability
        if probability is None:
            probability = ROOM_PROBABILITY if settings.room_folder else 0.0
        if not probability:
            return None
        responses = None
        if settings.room_folder:
            name = "data.augmentation.room_folder"
            responses = open_folder(settings.room_folder, name, "room")
        return cls(setup, probability, responses)

    def draw(self, generator: np.random.Generator) -> int | None:
        if generator.random() >= self._probability:
            return None
        responses = self._responses
        rooms = len(responses.files) if responses else self._settings.simulated_rooms
        return int(generator.random() * rooms)

    def apply(self, audio: Samples, sampled: int) -> Samples:
        return reverberate(audio, *self._response(sampled))

    def describe(self, sampled: int) -> dict[str, Any]:
        if self._responses is not None:
            return {"room": self._responses.files[sampled]}
        room = self._shoebox(sampled)
        sizes = dataclasses.asdict(room)
        return {"room": {"number": sampled, **sizes, "distance_meters": room.distance_meters}}

    def folders(self) -> dict[str, AudioFolder]:
        return {} if self._responses is None else {"room_folder": self._responses}

    def _shoebox(self, number: int) -> Shoebox:
        return draw_shoebox(
            np.random.default_rng([self._seed, number]),
            size_meters=self._settings.room_size_meters,
            rt60_seconds=self._settings.room_rt60_seconds,
            distance_meters=self._settings.room_distance_meters,
        )

    def _response(self, room: int) -> tuple[Samples, int]:
        if self._responses is None:
            return _simulated(self._shoebox(room), self._sample_rate), 0
        folder = self._responses
        return _recorded(str(folder.root / folder.files[room]), self._sample_rate)


_simulated = functools.lru_cache(maxsize=_KEPT_RESPONSES)(impulse_response)


@functools.lru_cache(maxsize=_KEPT_RESPONSES)
def _recorded(path: str, sample_rate: int) -> tuple[Samples, int]:
    """The first channel of a measured response: the others were recorded elsewhere."""
    return trimmed(read_file(path, sample_rate, channel=0))
