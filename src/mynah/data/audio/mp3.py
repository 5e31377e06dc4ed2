"""How many frames an MP3 file has, counted.

A file without a Xing, Info or VBRI header does not tell, and a decoder estimates it from the
first frame: of files of variable bitrate 28 to 94 % is read. Where files were joined, the header
of the first tells its own part alone. Frames: ISO/IEC 11172-3, 2.4.2.3 and 13818-3; the header of
VBR files: as LAME writes it (http://gabriel.mp3-tech.org/mp3infotag.html).
"""

from __future__ import annotations

import contextlib
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

_KILOBITS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG-1
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG-2 and 2.5
}
_RATES = (44100, 48000, 32000)
_DIVISORS = {3: 1, 2: 2, 0: 4}  # of the rate, by the bits of the version: MPEG-1, 2 and 2.5
_INFO_KILOBITS = 64  # of the frame that the header is in: it is then long enough at any rate
# What mpg123 leaves out at the beginning of a file that has such a header (its GAPLESS_DELAY): of
# a frame of silence, so that the sound is as it is without the header.
_DECODER_DELAY = 529
_ID3V1_BYTES = 128
_LONGEST_JUNK = 1 << 16  # bytes between two frames that are searched for the next


@dataclass(frozen=True)
class Frames:
    """The frames of an MP3 file.

    Attributes:
        count: Those with sound.
        first: The byte at which the first of them begins.
        header: A frame of the Info kind that tells their number, and one of silence.
        lead: How many samples of the silence a decoder gives before the first of the sound.
    """

    count: int
    first: int
    header: bytes
    lead: int


def declared_end(content: IO[bytes]) -> int | None:
    """Where an MP3 file should end, as its Xing or Info header tells; None: it does not.

    Args:
        content: Open for reading and seekable.
    """
    begin = after_id3(content)
    found = _info(_at(content, begin, 192))
    return None if found is None or found[1] is None else begin + found[1]


def counted(content: IO[bytes], size: int) -> Frames | None:
    """The frames of an MP3 file, where its header does not tell them rightly; None where it does,
    and of a file of another kind.

    Args:
        content: Open for reading and seekable.
        size: How many bytes it has.
    """
    begin = after_id3(content)
    content.seek(begin)
    head = content.read(192)
    if len(head) < 4 or not _frame_bytes(head[1], head[2]) or head[0] != 0xFF:
        return None
    said = _info(head)
    if said is not None and said[0] and said[1]:
        left = size - begin - said[1]
        if left == 0 or (left == _ID3V1_BYTES and _at(content, begin + said[1], 3) == b"TAG"):
            return None
    starts = _Walk(head[1], head[2])
    with _mapped(content) as data:
        first = begin
        if said is not None or head[36:40] == b"VBRI":
            first += _frame_bytes(head[1], head[2])
        count = starts.count(data, first)
    # Some writers count the frame of the header itself.
    if not count or (said is not None and said[0] is not None and abs(said[0] - count) <= 1):
        return None
    lead = (1152 if head[1] >> 3 & 3 == 3 else 576) - _DECODER_DELAY
    return Frames(count, first, _header(head, count), lead)


def after_id3(content: IO[bytes], begin: int = 0) -> int:
    """The byte after the ID3v2 tags that a file has from a byte on; that byte where it has none."""
    while True:
        content.seek(begin)
        length = _id3_bytes(content.read(10))
        if not length:
            return begin
        begin += length


class _Walk:
    """Goes from frame to frame; those of other rates and layers are none."""

    def __init__(self, second: int, third: int) -> None:
        """
        Args:
            second, third: These bytes of the first frame.
        """
        self._lengths = {
            (one, two): length
            for one in (second | 1, second & 0xFE)
            for two in range(256)
            if two & 0x0C == third & 0x0C and (length := _frame_bytes(one, two))
        }

    def count(self, data: mmap.mmap | bytes, position: int) -> int:
        """How many frames there are from a byte on; the last may be cut short."""
        lengths, size, count = self._lengths, len(data), 0
        while position + 4 <= size:
            length = 0
            if data[position] == 0xFF:
                length = lengths.get((data[position + 1], data[position + 2]), 0)
            if length:
                if position + length > size:
                    break
                # A frame where a joined file's header is has no sound of its own, but decoders
                # give its time as silence.
                count += 1
                position += length
                continue
            following = self._next(data, position)
            if following is None:
                break
            position = following
        return count

    def _next(self, data: mmap.mmap | bytes, position: int) -> int | None:
        """Where frames go on behind a tag or bytes of no known kind; None where they do not."""
        head = bytes(data[position : position + 32])
        length = _id3_bytes(head)
        if length:
            return position + length
        if head[:3] == b"TAG":
            return position + _ID3V1_BYTES
        if head[:8] == b"APETAGEX":
            return position + 32 + int.from_bytes(head[12:16], "little")
        end = min(len(data) - 4, position + _LONGEST_JUNK)
        at = position
        while (at := data.find(b"\xff", at + 1, end)) >= 0:
            length = self._lengths.get((data[at + 1], data[at + 2]), 0)
            after = at + length
            if length and (
                after == len(data)
                or (after + 3 <= len(data) and data[after] == 0xFF
                    and (data[after + 1], data[after + 2]) in self._lengths)
            ):  # fmt: skip
                return at
        return None


def _frame_bytes(second: int, third: int) -> int:
    """Length of a frame of layer III from these bytes of its header; 0: it is none."""
    version, layer, rate = second >> 3 & 3, second >> 1 & 3, third >> 2 & 3
    bits = third >> 4
    if second & 0xE0 != 0xE0 or version == 1 or layer != 1 or rate == 3 or bits in (0, 15):
        return 0
    hertz = _RATES[rate] // _DIVISORS[version]
    slots = 144 if version == 3 else 72
    return slots * 1000 * _KILOBITS[version == 3][bits] // hertz + (third >> 1 & 1)


def _id3_bytes(head: bytes) -> int:
    """Length of an ID3v2 tag, 0 where there is none (https://id3.org/id3v2.4.0-structure)."""
    if head[:3] != b"ID3" or len(head) < 10 or max(head[6:10]) > 0x7F:
        return 0
    length = 10 + (10 if head[5] & 0x10 else 0)
    for position, shift in enumerate((21, 14, 7, 0)):
        length += head[6 + position] << shift
    return length


def _info(frame: bytes) -> tuple[int | None, int | None] | None:
    """Frames and bytes that a Xing or Info header tells; None where the frame has none."""
    if len(frame) < 4 or frame[0] != 0xFF or frame[1] & 0xE0 != 0xE0:
        return None
    for mark in (b"Xing", b"Info"):
        position = frame.find(mark, 4, 64)
        if position < 0 or len(frame) < position + 16:
            continue
        flags, *numbers = struct.unpack(">III", frame[position + 4 : position + 16])
        frames = numbers.pop(0) if flags & 1 else None
        return frames, numbers.pop(0) if flags & 2 else None
    return None


def _header(head: bytes, count: int) -> bytes:
    """A frame that tells the number of those that follow it, and the first of these: silence."""
    is_first, mono = head[1] >> 3 & 3 == 3, head[3] >> 6 == 3
    bits = _KILOBITS[is_first].index(_INFO_KILOBITS)
    start = bytes([0xFF, head[1] | 1, bits << 4 | head[2] & 0x0C, head[3]])
    side = (17 if mono else 32) if is_first else (9 if mono else 17)
    told = start + bytes(side) + b"Info" + struct.pack(">II", 1, count + 1)
    length = _frame_bytes(start[1], start[2])
    return told.ljust(length, b"\0") + start.ljust(length, b"\0")


def _at(content: IO[bytes], position: int, length: int) -> bytes:
    content.seek(position)
    return content.read(length)


@contextlib.contextmanager
def _mapped(content: IO[bytes]) -> Iterator[mmap.mmap | bytes]:
    """All bytes of a file, on disk where it lies there."""
    try:
        number = content.fileno()
    except OSError:  # it is in memory
        content.seek(0)
        yield content.read()
        return
    with mmap.mmap(number, 0, access=mmap.ACCESS_READ) as mapped:
        yield mapped
