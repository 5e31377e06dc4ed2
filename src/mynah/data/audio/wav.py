"""WAV files and what is like them (RIFX, RF64, BW64): where their samples lie, and whether the
sizes in their header can be right.

RIFF: Microsoft and IBM, Multimedia Programming Interface 1.0; RF64 and BW64: EBU Tech 3306 and
ITU-R BS.2088, for more than 4 GiB.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO

import numpy as np

from mynah.data.audio import mp3

# Sizes that writers to a pipe leave in a header, since they cannot go back to it
_UNKNOWN_SIZES = frozenset({0, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFFF, 0xFFFFF000})
_LARGE = 0x7FFF0000  # such a size in a smaller file was left by a writer to a pipe as well
_PLAIN = struct.Struct("<4sI4s4sIHHIIHH")  # RIFF, its size, WAVE, and a format of 16 bytes
_CHUNK = struct.Struct("<4sI")
_PCM, _WIDTH = 1, 2  # the format's tag, bytes of a sample
_MOST_HERTZ = 655_350  # that libsndfile reads
_KINDS = {b"RIFF": "<I", b"RIFX": ">I", b"RF64": "<I", b"BW64": "<I"}


@dataclass(frozen=True)
class WavSamples:
    """Where the samples of a WAV file lie.

    Attributes:
        start: Their first byte.
        size: How many bytes they have by the header; None: it leaves that open.
        second: What they have a second; 0 where that is not known.
        number: How the file writes sizes, as ``struct`` calls it.
    """

    start: int
    size: int | None
    second: int
    number: str


def plain_samples(content: bytes) -> tuple[int, np.ndarray] | None:
    """Rate in hertz and samples, int16 [samples], of a file in 16 bits of one channel that holds
    what its header tells to the last byte; None: any other file, which takes a decoder.

    Most corpora are in such files, and opening a decoder takes longer than looking at what is said
    in a second.
    """
    size = len(content)
    if size < _PLAIN.size + _CHUNK.size:
        return None
    riff, riff_size, wave, form, form_size, tag, channels, rate, second, block, bits = (
        _PLAIN.unpack_from(content)
    )
    if (riff, wave, form, form_size) != (b"RIFF", b"WAVE", b"fmt ", 16) or riff_size != size - 8:
        return None
    if (tag, channels, second, block, bits) != (_PCM, 1, rate * _WIDTH, _WIDTH, 8 * _WIDTH):
        return None
    name, length = _CHUNK.unpack_from(content, _PLAIN.size)
    start = _PLAIN.size + _CHUNK.size
    if name == b"LIST" and content[start : start + 8] == b"INFOISFT":  # as FFmpeg signs its files
        inside = int.from_bytes(content[start + 8 : start + 12], "little")
        if inside % 2 or length != 12 + inside or start + length + _CHUNK.size > size:
            return None
        start += length + _CHUNK.size
        name, length = _CHUNK.unpack_from(content, start - _CHUNK.size)
    if name != b"data" or length != size - start or not length or length % _WIDTH:
        return None
    if not 0 < rate <= _MOST_HERTZ:
        return None
    return rate, np.frombuffer(content, dtype="<i2", offset=start)


def samples(file: IO[bytes], size: int) -> WavSamples | None:
    """Where the samples lie; None: it is not a WAV file, or has none.

    Args:
        file: Open for reading and seekable.
        size: How many bytes it has.
    """
    file.seek(0)
    head = file.read(12)
    number = _KINDS.get(head[:4])
    if number is None or head[8:12] != b"WAVE":
        return None
    position, second, wide = 12, 0, None
    while position + 8 <= size:
        file.seek(position)
        chunk = file.read(36)
        (length,) = struct.unpack(number, chunk[4:8])
        if chunk[:4] == b"ds64" and len(chunk) >= 24:
            (wide,) = struct.unpack("<Q", chunk[16:24])
        elif chunk[:4] == b"fmt " and len(chunk) >= 20:
            (second,) = struct.unpack(number, chunk[16:20])
        elif chunk[:4] == b"data":
            start = position + 8
            if wide is not None and length == 0xFFFFFFFF:
                length = wide
            known = None if _is_open(file, length, start, size) else length
            return WavSamples(start, known, second, number)
        position += 8 + length + length % 2
    return None


def wav_goes_on(file: IO[bytes], found: WavSamples, size: int) -> bool:
    """Whether more than a tenth of a second follows the samples that is not a part of a WAV file.

    Args:
        file: As :func:`samples`.
        found: What that gave.
        size: How many bytes the file has.
    """
    if found.size is None:
        return False
    end = found.start + found.size
    position = end + found.size % 2
    while position + 8 <= size:
        file.seek(position)
        chunk = file.read(8)
        (length,) = struct.unpack(found.number, chunk[4:])
        is_chunk = all(32 <= letter < 127 for letter in chunk[:4]) and chunk[:4] not in _KINDS
        if not is_chunk or position + 8 + length > size + 1:
            break
        position += 8 + length + length % 2
    # Some editors write a tag, with a picture in it, behind everything and not as a chunk.
    position = max(mp3.after_id3(file, begin) for begin in (position, position - found.size % 2))
    left = size - position
    if left <= max(found.second // 10, 8):
        return False
    file.seek(position)
    return any(block.strip(b"\0") for block in iter(lambda: file.read(1 << 20), b""))


def with_size(file: IO[bytes], found: WavSamples, size: int) -> bytes | None:
    """The header with the size of the samples that are there, where a decoder would take what it
    says for none at all; None: it is right as it is.

    Args:
        file: As :func:`samples`.
        found: What that gave.
        size: How many bytes the file has.
    """
    file.seek(0)
    head = bytearray(file.read(found.start))
    there = size - found.start
    if head[:4] == b"BW64":  # the same but for its name, which libsndfile does not know
        head[:4] = b"RF64"
    elif found.size is not None or any(head[-4:]) or there > 0xFFFFFFFF - found.start:
        return None
    else:
        head[-4:] = struct.pack(found.number, there)
        head[4:8] = struct.pack(found.number, found.start - 8 + there)
    return bytes(head)


def _is_open(file: IO[bytes], length: int, start: int, size: int) -> bool:
    """Whether a size tells nothing: it was never filled in, or counts the header in."""
    there = size - start
    if length == 0 and there >= 8:  # with other parts after it, it is true
        file.seek(start)
        chunk = file.read(8)
        (following,) = struct.unpack("<I", chunk[4:])
        return not (chunk[:4].isalpha() and chunk[:4].isascii() and following <= there - 8)
    if length in _UNKNOWN_SIZES or (length >= _LARGE and length > there):
        return True
    return length in (size, size - 8)
