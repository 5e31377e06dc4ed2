"""Spectrograms: tones where they belong, and pictures that another decoder reads."""

import struct
import zlib

import numpy as np
import pytest

from mynah.pages.spectrogram import bin_of, log_mel, png, spectrogram_picture

RATE = 16000


def decoded(image):
    """A PNG with a palette read by its chunks, without any code of ours."""
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    place, chunks = 8, {}
    while place < len(image):
        (size,), kind = struct.unpack(">I", image[place : place + 4]), image[place + 4 : place + 8]
        content = image[place + 8 : place + 8 + size]
        (checksum,) = struct.unpack(">I", image[place + 8 + size : place + 12 + size])
        assert checksum == zlib.crc32(kind + content)
        chunks[kind] = content
        place += 12 + size
    columns, rows, depth, colours, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colours, rest) == (8, 3, [0, 0, 0]) and len(chunks[b"PLTE"]) == 768
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(rows, columns + 1)
    assert not lines[:, 0].any()
    return lines[:, 1:]


@pytest.mark.parametrize("shape", [(1, 1), (80, 301)])
def test_a_picture_holds_every_shade(shape):
    shades = np.random.default_rng(0).integers(256, size=shape).astype(np.uint8)
    assert np.array_equal(decoded(png(shades)), shades)


def test_low_notes_are_below_and_what_is_loud_is_bright():
    decibels = np.full((10, 4), -100.0)
    decibels[:, 0] = 0.0
    shown = decoded(spectrogram_picture(decibels, 0.0))
    assert shown.shape == (4, 10)
    assert (shown[-1] == 255).all() and not shown[:-1].any()


@pytest.mark.parametrize("hertz", [300, 1000, 4000])
def test_a_tone_is_loudest_in_its_own_bin(hertz):
    tone = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE).astype(np.float32)
    decibels = log_mel(tone, RATE, 80)
    assert decibels.shape == (100, 80)
    loudest = decibels[10:90].argmax(axis=1)
    assert np.abs(loudest - bin_of(hertz, RATE, 80)).max() <= 1.5


@pytest.mark.parametrize("samples", [1, 159, 160, 161])
def test_the_shortest_sound_has_a_frame(samples):
    assert log_mel(np.zeros(samples, dtype=np.float32), RATE, 40).shape == (
        -(-samples // 160), 40,
    )  # fmt: skip
