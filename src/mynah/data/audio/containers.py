"""Audio files by their first bytes: what they are, and whether they are one recording in full.

Decoders are lenient: libsndfile reads a WAV or an Ogg file that ends in its middle without a
word, and its length is then what is left; of two files that were joined it reads the first. The
containers themselves tell how long they are.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import IO

from mynah.data.audio import mp3, wav

HEAD_BYTES = 4096
_OGG_PAGE_BYTES = 65307  # the largest page, RFC 3533
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_W64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_TRAILING_BYTES = 1 << 12  # after the end of a file that are not a second one
_MARK_BYTES = 24  # of a mark and what follows it that are looked at
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


def compressed(head: bytes) -> str | None:
    """Why a NIST sphere file cannot be decoded, where its samples are compressed; else None."""
    found = re.search(rb"sample_coding -s\d+ \S*embedded-([a-z]+)", head[:HEAD_BYTES])
    if head[:7] != b"NIST_1A" or found is None:
        return None
    return (
        f"its samples are compressed with {found[1].decode()}, which libsndfile cannot decode; "
        "the LDC's sph2pipe writes them out: sph2pipe -f wav IN OUT"
    )


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

    WAV, RF64 and W64 tell the size of their samples, NIST sphere their number, an MP3 with a Xing
    header its size, MP4, WMA and WebM that of their parts; an Ogg file ends at the end of a page.
    FLAC and the others are found out by decoding.

    Args:
        file: Open for reading and seekable.
        size: How many bytes it has.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    samples = wav.samples(file, size)
    if samples is not None:
        expected = None if samples.size is None else samples.start + samples.size
    elif head[:16] == _W64:
        expected = _w64_end(file, size)
    elif head[:4] == b"OggS":
        expected = _ogg_end(file, size)
    elif head[:7] == b"NIST_1A":
        expected = _sphere_end(head)
    elif head[4:8] == b"ftyp" or head[:16] == _ASF:
        expected = _boxes_end(file, size, asf=head[:16] == _ASF)
    elif head[:4] == _EBML:
        expected = _segment_end(head)
    else:
        expected = mp3.declared_end(file)
    if expected is None or expected <= size:
        return None
    return f"it is cut short: {size:,} of {expected:,} bytes are there"


def goes_on(file: IO[bytes], size: int) -> str | None:
    """Why a file is taken to hold more than its beginning tells; None where it does not.

    Files that were joined (``cat a.ogg b.ogg``) and a header that was written too early: a
    decoder would read the first part, and nothing more would be known of the rest. An MP3 file is
    read in full, however many it was joined from.

    Args:
        file, size: As :func:`cut_short`.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    samples = wav.samples(file, size)
    if samples is not None:
        joined = wav.wav_goes_on(file, samples, size)
    elif head[:4] == b"OggS":
        joined = _has_two_beginnings(file, b"OggS", _begins_ogg)
    elif head[mp3.after_id3(file) :][:4] == b"fLaC":
        joined = _has_two_beginnings(file, b"fLaC", _begins_flac)
    elif head[:4] == b"FORM":
        joined = size > 8 + int.from_bytes(head[4:8]) + _TRAILING_BYTES
    elif head[:7] == b"NIST_1A":
        end = _sphere_end(head)
        joined = end is not None and size > end + _TRAILING_BYTES
    elif head[4:8] == b"ftyp":
        joined = _has_two_beginnings(file, b"ftyp", _begins_mp4)
    elif head[:4] == _EBML:
        joined = _has_two_beginnings(file, _EBML, _begins_matroska)
    else:
        joined = False
    if not joined:
        return None
    return (
        "it goes on after the end that its header tells: its header is wrong, or files were "
        "joined to it (convert it with a tool that reads on, or cut it apart)"
    )


def _has_two_beginnings(
    file: IO[bytes], mark: bytes, begins: Callable[[bytes], bool | None]
) -> bool:
    """Whether a file begins again somewhere.

    Args:
        file: Open for reading and seekable.
        mark: What each beginning has in its first bytes.
        begins: Whether a mark with what follows is a beginning; None: that says nothing.
    """
    file.seek(0)
    held, inside = b"", False
    while block := file.read(1 << 20):
        held += block
        position = held.find(mark)
        while 0 <= position <= len(held) - _MARK_BYTES:
            begun = begins(held[position : position + _MARK_BYTES])
            if begun and inside:
                return True
            # Streams of one Ogg file all begin before the first goes on.
            inside = inside or begun is False or (bool(begun) and mark != b"OggS")
            position = held.find(mark, position + 1)
        held = held[-_MARK_BYTES + 1 :]
    return False


def _begins_ogg(mark: bytes) -> bool | None:
    return bool(mark[5] & 2) if mark[4] == 0 and mark[5] < 8 else None  # RFC 3533, 6


def _begins_flac(mark: bytes) -> bool | None:
    return (mark[4] & 0x7F == 0 and mark[5:8] == b"\0\0\x22") or None  # STREAMINFO is the first


def _begins_mp4(mark: bytes) -> bool | None:
    brands = (b"M4A ", b"mp42", b"mp41", b"isom", b"iso2", b"qt  ", b"3gp", b"dash", b"M4V ")
    return mark[4:8].startswith(brands) or None


def _begins_matroska(mark: bytes) -> bool | None:
    return b"\x42\x86\x81\x01" in mark or None  # EBMLVersion 1


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


def _w64_end(file: IO[bytes], size: int) -> int | None:
    """Where the samples of a Sony Wave64 file should end (its sizes count their own 24 bytes)."""
    position = 40
    while position + 24 <= size:
        file.seek(position)
        chunk = file.read(24)
        (length,) = struct.unpack("<Q", chunk[16:24])
        if chunk[:4] == b"data":
            return position + int(length)
        if length < 24:
            return None
        position += length + -length % 8
    return None


def _boxes_end(file: IO[bytes], size: int, *, asf: bool) -> int | None:
    """Where the last box of an MP4 file (ISO/IEC 14496-12, 4.2) or the last object of an ASF file
    should end; None where it reaches to the end, however far that is."""
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
        except struct.error:  # the head of a box itself is cut, or what follows is not a box
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
