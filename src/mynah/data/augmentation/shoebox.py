"""Rooms that are boxes, and the impulse responses of sound in them.

Image-source method, Allen & Berkley 1979, "Image method for efficiently simulating
small-room acoustics", J. Acoust. Soc. Am. 65(4): each reflection is a source behind a wall.
All walls absorb alike, and as much as gives the reverberation time asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mynah.data.augmentation.draws import between

SPEED_OF_SOUND = 343.0  # metres a second, in air of 20 °C
HEIGHT_METERS = [2.4, 4.0]  # of a room, sampled from
_FROM_WALL = 0.3  # metres that speaker and microphone keep from every wall
_HIGH_PASS_HERTZ = 100.0  # of Allen & Berkley
_FITS = 4  # corrections of the absorption: 1 % off the time asked for after three, or less
_TRIES = 20  # directions tried for a microphone as far away as was sampled


@dataclass(frozen=True)
class Shoebox:
    """A room with a speaker and a microphone in it; metres.

    Attributes:
        size: Length, width and height.
        speaker: Where the voice is, from one corner.
        microphone: Where it is recorded.
        rt60_seconds: How long a sound takes to fall by 60 decibels.
    """

    size: tuple[float, float, float]
    speaker: tuple[float, float, float]
    microphone: tuple[float, float, float]
    rt60_seconds: float

    @property
    def distance_meters(self) -> float:
        """From the speaker to the microphone."""
        return math.dist(self.speaker, self.microphone)


def draw_shoebox(
    generator: np.random.Generator,
    *,
    size_meters: list[float],
    rt60_seconds: list[float],
    distance_meters: list[float],
) -> Shoebox:
    """A room of random size and reverberation, the microphone as far away as was sampled.

    Args:
        generator: Draws.
        size_meters: Length and width lie within [low, high].
        rt60_seconds: The reverberation time lies within [low, high].
        distance_meters: So does the microphone's distance, as far as the room has the space.
    """
    size = np.array(
        [between(generator, span) for span in (size_meters, size_meters, HEIGHT_METERS)]
    )
    rt60 = between(generator, rt60_seconds)
    distance = between(generator, distance_meters)
    low, high = np.full(3, _FROM_WALL), size - _FROM_WALL
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    for _ in range(_TRIES):
        speaker = low + (high - low) * generator.random(3)
        direction = generator.standard_normal(3)
        direction /= np.linalg.norm(direction)
        # As far as the walls are in this direction
        walls = np.where(direction > 0, high - speaker, speaker - low)
        space = float((walls / np.abs(direction)).min())
        reached = min(distance, space)
        if best is None or reached > best[0]:
            best = reached, speaker, speaker + reached * direction
        if reached == distance:
            break
    assert best is not None
    x, y, z = size.tolist()
    return Shoebox((x, y, z), tuple(best[1].tolist()), tuple(best[2].tolist()), rt60)


def impulse_response(room: Shoebox, sample_rate: int) -> np.ndarray:
    """What the microphone records of a click, from the direct sound on.

    Args:
        room: The room.
        sample_rate: Hertz.

    Returns:
        float32 [samples], ``rt60_seconds`` long; the direct sound is the first sample.
    """
    meters, reflections = _paths(room)
    samples = np.rint(meters * (sample_rate / SPEED_OF_SOUND)).astype(np.int64)
    samples -= samples.min()
    loudness = 1 / meters
    powers = np.arange(int(reflections.max()) + 1)
    log_reflection = _eyring(room)
    for fit in range(_FITS):
        gains = np.exp(log_reflection * powers).astype(np.float32)
        clicks = np.bincount(samples, weights=gains[reflections] * loudness)
        response = _high_pass(clicks, sample_rate)
        if fit + 1 < _FITS:
            # Decibels a second are nearly proportional to the logarithm of the reflection.
            log_reflection *= reverberation_time(response, sample_rate) / room.rt60_seconds
    return response.astype(np.float32)


def reverberation_time(response: np.ndarray, sample_rate: int) -> float:
    """Seconds in which the sound falls by 60 decibels: Schroeder's backward integration.

    Twice the time from -5 to -35 decibels (T30 of ISO 3382-1), by a line fitted to it.
    Schroeder 1965, "New method of measuring reverberation time".
    """
    energy = np.cumsum(np.square(response[::-1], dtype=np.float64))[::-1]
    decibels = 10 * np.log10(energy / energy[0] + 1e-30)
    first, last = np.searchsorted(-decibels, [5.0, 35.0])
    if last - first < 2:
        return float((last + 1) / sample_rate)
    slope = np.polyfit(np.arange(first, last) / sample_rate, decibels[first:last], 1)[0]
    return float(-60 / slope)


def _eyring(room: Shoebox) -> float:
    """Logarithm of the amplitude that a wall reflects, by Eyring's formula (1930)."""
    length, width, height = room.size
    volume = length * width * height
    surface = 2 * (length * width + length * height + width * height)
    return -12 * math.log(10) * volume / (SPEED_OF_SOUND * surface * room.rt60_seconds)


def _paths(room: Shoebox) -> tuple[np.ndarray, np.ndarray]:
    """Every way from speaker to microphone within the reverberation time.

    Returns:
        Lengths in metres, float32 [paths], and how often each is reflected, int16 [paths].
    """
    reach = SPEED_OF_SOUND * room.rt60_seconds + room.distance_meters
    (x, x_times), (y, y_times), (z, z_times) = (
        _images(length, source, microphone, reach)
        for length, source, microphone in zip(room.size, room.speaker, room.microphone, strict=True)
    )
    # Sorted in two dimensions, so that for each image in the third the near ones come first.
    yz = (y[:, None] + z).ravel()
    order = np.argsort(yz)
    yz, yz_times = yz[order].astype(np.float32), (y_times[:, None] + z_times).ravel()[order]
    ends = np.searchsorted(yz, reach**2 - x)
    squares = [yz[:end] + np.float32(square) for end, square in zip(ends, x, strict=True)]
    times = [yz_times[:end] + number for end, number in zip(ends, x_times, strict=True)]
    return np.sqrt(np.concatenate(squares)), np.concatenate(times)


def _images(
    length: float, source: float, microphone: float, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Images of the source in one dimension: squared distances, and how often reflected."""
    most = math.ceil(reach / (2 * length)) + 1
    rooms = np.arange(-most, most + 1)
    away = np.concatenate([2 * rooms * length + source, 2 * rooms * length - source]) - microphone
    times = np.concatenate([2 * np.abs(rooms), np.abs(rooms - 1) + np.abs(rooms)])
    near = np.abs(away) <= reach
    return away[near] ** 2, times[near].astype(np.int16)


def _high_pass(response: np.ndarray, sample_rate: int) -> np.ndarray:
    """Without what lies below speech: all images have one sign, and their sum drifts.

    Allen & Berkley's filter of two poles and two zeros, as its frequency response.
    """
    angle = 2 * math.pi * _HIGH_PASS_HERTZ / sample_rate
    radius = math.exp(-angle)
    size = 2 * len(response)
    delay = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    gain = (1 - (1 + radius) * delay + radius * delay**2) / (
        1 - 2 * radius * math.cos(angle) * delay + radius**2 * delay**2
    )
    return np.fft.irfft(np.fft.rfft(response, size) * gain, size)[: len(response)]
