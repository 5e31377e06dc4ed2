"""Log-mel spectrograms as pictures: for the eye, as the model's features are for the model."""

from __future__ import annotations

import base64
import functools
import struct
import zlib

import numpy as np

from mynah.data.audio.mel import hertz_to_mel, mel_filters

HOP_SECONDS = 0.01
_WINDOW_SECONDS = 0.025
_FLOOR_DB = 80.0  # below the loudest point of the clips that are compared: black
# Anchors of matplotlib's magma (CC0), dark to light
_COLOURS = (
    (0, 0, 4), (28, 16, 68), (79, 18, 123), (129, 37, 129), (181, 54, 122), (229, 80, 100),
    (251, 135, 97), (254, 194, 135), (252, 253, 191),
)  # fmt: skip


def log_mel(audio: np.ndarray, sample_rate: int, bins: int) -> np.ndarray:
    """Decibels of each mel bin in each frame.

    Args:
        audio: float32 [samples].
        sample_rate: Hertz.
        bins: Mel filters from 0 hertz to half the sample rate.

    Returns:
        float32 [frames, bins], a frame every :data:`HOP_SECONDS`.
    """
    hop, window = round(HOP_SECONDS * sample_rate), round(_WINDOW_SECONDS * sample_rate)
    size = 1 << (2 * window - 1).bit_length()
    padded = np.pad(audio, (window // 2, window))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[: len(audio) : hop]
    filters = mel_filters(bins, size // 2 + 1, sample_rate, straight_in_mel=True)
    power = np.abs(np.fft.rfft(frames * np.hanning(window), size)) ** 2
    decibels: np.ndarray = (10 * np.log10(power @ filters + 1e-12)).astype(np.float32)
    return decibels


def spectrogram_picture(decibels: np.ndarray, loudest: float) -> bytes:
    """A PNG, a pixel a frame and a bin, low notes below; ``loudest`` is white.

    Args:
        decibels: [frames, bins].
        loudest: Decibels of the brightest colour.
    """
    shades = np.clip((decibels - loudest) / _FLOOR_DB + 1, 0, 1) * 255
    return png(np.flipud(shades.T.round()).astype(np.uint8))


def png(shades: np.ndarray) -> bytes:
    """uint8 [rows, columns] as a PNG with a palette from dark to light.

    PNG specification, third edition (W3C 2025), sections 5 and 11.
    """
    rows, columns = shades.shape
    # Each row begins with the number of its filter: none.
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), shades], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", _palette()),
            _chunk(b"IDAT", zlib.compress(lines, 9)),
            _chunk(b"IEND", b""),
        ]
    )


def picture_address(image: bytes) -> str:
    """A PNG as a ``data:`` address."""
    return f"data:image/png;base64,{base64.b64encode(image).decode('ascii')}"


def bin_of(hertz: float, sample_rate: int, bins: int) -> float:
    """Which of ``bins`` mel filters lies at a frequency."""
    return bins * float(hertz_to_mel(hertz) / hertz_to_mel(sample_rate / 2))


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


@functools.cache
def _palette() -> bytes:
    anchors = np.array(_COLOURS, dtype=np.float64)
    places = np.linspace(0, len(anchors) - 1, 256)
    levels = [np.interp(places, np.arange(len(anchors)), anchors[:, i]) for i in range(3)]
    return np.stack(levels, axis=1).round().astype(np.uint8).tobytes()
