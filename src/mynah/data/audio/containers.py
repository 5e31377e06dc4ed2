"""Audio files by their first bytes: what they are, and whether they were cut short.

Decoders are lenient: libsndfile reads a WAV or an Ogg file that ends in its middle without a
word, and its length is then what is left. The containers themselves tell how long they are.
"""

from __future__ import annotations

import struct
from typing import IO

HEAD_BYTES = 4096
# Sizes that writers to a pipe leave in a WAV header, since they cannot go back to it
_UNKNOWN_SIZES = (0, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFFF, 0xFFFFF000)
_OGG_PAGE_BYTES = 65307  # the largest page, RFC 3533
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_LFS = b"version https://git-lfs"
_TEXT_CONTROLS = frozenset(b"\t\n\r\x0c\x1b")


def ffmpeg_demuxer(head: bytes) -> str | None:
    """FFmpeg's name for a container that libsndfile cannot read; None for any other file.

    Args:
        head: The first bytes of the file, 16 at least.
    """
    if head[4:8] == b"ftyp":
        return "mov"  # m4a, mp4, 3gp
    if head[:4] == _EBML:
        return "matroska"  # webm, mka
    if head[:16] == _ASF:
        return "asf"  # wma
    # ADTS: 12 bits of sync and layer 0, which tells it from MP3
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "aac"
    return None


def no_audio(head: bytes) -> str | None:
    """Why the file is not audio, where its first bytes show it; None where they do not."""
    if not head:
        return "the file is empty (0 bytes)"
    if not head.strip(b"\0"):
        return "the file holds nothing but zero bytes"
    if head.startswith(_LFS):
        return "it is a Git LFS pointer, not the audio itself (git lfs pull fetches it)"
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it holds a web page, not audio"
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as problem:
        if problem.start < len(head) - 4:  # not just a letter that the end of the head cuts
            return None
        text = head[: problem.start].decode("utf-8")
    controls = sum(ord(letter) < 32 and ord(letter) not in _TEXT_CONTROLS for letter in text)
    return None if controls else "it holds text, not audio"


def cut_short(file: IO[bytes], size: int) -> str | None:
    """Why a file is taken to be cut short; None where it is complete, or does not say.

    WAV and W64 tell the size of their samples, NIST sphere their number, an MP3 with a Xing
    header its size, MP4, WMA and WebM that of their parts; an Ogg file ends at the end of a page.
    FLAC and the others are found out by decoding.

    Args:
        file: Open for reading and seekable.
        size: How many bytes it has.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if head[:4] in (b"RIFF", b"RIFX") and head[8:12] == b"WAVE":
        expected = _wav_end(file, size, "<I" if head[:4] == b"RIFF" else ">I")
    elif head[:4] == b"OggS":
        expected = _ogg_end(file, size)
    elif head[:7] == b"NIST_1A":
        expected = _sphere_end(head)
    elif head[4:8] == b"ftyp" or head[:16] == _ASF:
        expected = _boxes_end(file, size, asf=head[:16] == _ASF)
    elif head[:4] == _EBML:
        expected = _segment_end(head)
    else:
        expected = _mp3_end(head)
    if expected is None or expected <= size:
        return None
    return f"it is cut short: {size:,} of {expected:,} bytes are there"


def _wav_end(file: IO[bytes], size: int, number: str) -> int | None:
    """Where the samples of a WAV file should end; None where its header leaves it open."""
    position = 12
    while position + 8 <= size:
        file.seek(position)
        chunk = file.read(8)
        (length,) = struct.unpack(number, chunk[4:8])
        if chunk[:4] == b"data":
            return None if length in _UNKNOWN_SIZES else position + 8 + length
        position += 8 + length + length % 2
    return None


def _ogg_end(file: IO[bytes], size: int) -> int | None:
    """Where the last page of an Ogg file should end."""
    start = max(0, size - _OGG_PAGE_BYTES)
    file.seek(start)
    tail = file.read(size - start)
    position = tail.rfind(b"OggS")
    while position >= 0:
        header = tail[position : position + 27]
        if len(header) < 27:
            return start + position + 27
        if header[4] == 0:  # the version: it is a page and not four letters of the sound
            lengths = tail[position + 27 : position + 27 + header[26]]
            if len(lengths) < header[26]:
                return start + position + 27 + header[26]
            return start + position + 27 + header[26] + sum(lengths)
        position = tail.rfind(b"OggS", 0, position)
    return None


def _sphere_end(head: bytes) -> int | None:
    """Where uncompressed samples of a NIST sphere file should end."""
    fields: dict[str, str] = {}
    lines = head.decode("latin-1").splitlines()
    for line in lines[2:]:
        if line.strip() == "end_head":
            break
        name, _, rest = line.partition(" ")
        fields[name] = rest.partition(" ")[2]
    try:
        if fields.get("sample_coding", "pcm") not in ("pcm", "ulaw", "alaw", "mu-law"):
            return None
        return int(lines[1]) + int(fields["sample_count"]) * int(
            fields.get("channel_count", 1)
        ) * int(fields["sample_n_bytes"])
    except (KeyError, ValueError, IndexError):
        return None


def _boxes_end(file: IO[bytes], size: int, *, asf: bool) -> int | None:
    """Where the last box of an MP4 file (ISO/IEC 14496-12, 4.2) or the last object of an ASF file
    should end; None where it goes on to the end, however far that is."""
    position = 0
    while position < size:
        file.seek(position)
        head = file.read(24)
        try:
            if asf:
                (length,) = struct.unpack("<Q", head[16:24])
            else:
                (length,) = struct.unpack(">I", head[:4])
                if length == 1:
                    (length,) = struct.unpack(">Q", head[8:16])
        except struct.error:  # the head of a box itself is cut, or what follows is no box
            return None
        if length < 8:
            return None
        position += length
    return position


def _segment_end(head: bytes) -> int | None:
    """Where the segment of a Matroska or WebM file should end (RFC 8794, 4 and 5)."""
    header = _vint(head, 4)
    if header is None:
        return None
    segment = header[1] + header[0]
    if head[segment : segment + 4] != _SEGMENT:
        return None
    found = _vint(head, segment + 4)
    return None if found is None else found[1] + found[0]


def _vint(head: bytes, position: int) -> tuple[int, int] | None:
    """A size of EBML and where it ends; None where it is not known, or not there."""
    if position >= len(head) or not head[position]:
        return None
    width = 9 - head[position].bit_length()
    held = head[position : position + width]
    value = int.from_bytes(held) & ((1 << 7 * width) - 1)
    if len(held) < width or value == (1 << 7 * width) - 1:
        return None
    return value, position + width


def _mp3_end(head: bytes) -> int | None:
    """Where an MP3 file should end whose first frame is a Xing header with its size."""
    begin = 0
    if head[:3] == b"ID3" and len(head) > 10:
        begin = 10  # and a size of 7 bits a byte
        for position, shift in enumerate((21, 14, 7, 0)):
            begin += (head[6 + position] & 0x7F) << shift
    frame = head[begin : begin + 192]
    if len(frame) < 4 or frame[0] != 0xFF or frame[1] & 0xE0 != 0xE0:
        return None
    for mark in (b"Xing", b"Info"):
        position = frame.find(mark, 4, 64)
        if position < 0 or len(frame) < position + 16:
            continue
        (flags,) = struct.unpack(">I", frame[position + 4 : position + 8])
        if flags & 2:  # bytes are given, after the number of frames where that is given too
            at = position + 8 + 4 * (flags & 1)
            return begin + int(struct.unpack(">I", frame[at : at + 4])[0])
    return None
