"""Samples of a file in order by libsndfile: wav, flac, ogg, opus, mp3, NIST sphere and more."""

from __future__ import annotations

import functools
import io
import os
from pathlib import Path
from typing import IO, cast

import numpy as np
import soundfile

from mynah.data.audio import mp3, wav
from mynah.data.audio.splice import Splice

_BLOCK_FRAMES = 1 << 18
_FRAMES_BEYOND = 1 << 10  # asked for behind the end, to see that it is one
_UNKNOWN_FRAMES = 1 << 60  # and more: of FLAC written to a pipe, libsndfile knows no length
# libsndfile seeks wrongly into the last page of Ogg Vorbis; it decodes on to it rightly.
_VORBIS_TAIL_SECONDS = 30
# A frame of MP3 takes bits from up to 511 bytes before it, which is up to eleven short frames, and
# overlaps with the one before: what is decoded after a seek is right from there on. A multiple of
# 16 frames: the decoder's own place in its window is then as it is without a seek.
_MP3_SETTLES_FRAMES = 32 * 1152
_MP3_ROUND_FRAMES = 16 * 1152
_UNSEEKABLE = frozenset({"DWVW_12", "DWVW_16", "DWVW_24", "DWVW_N"})  # which say they can be


class _Straight(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read straight on. soundfile seeks after each read, to where it is: decoders
    of MP3 and Opus begin again there, and the next samples are others."""

    def seekable(self) -> bool:
        return False

    @property
    def seeks(self) -> bool:
        """Whether libsndfile can seek in it."""
        return super().seekable() and self.subtype not in _UNSEEKABLE


class SoundFileDecoder:
    """Samples of a file in order, in all its channels.

    Attributes:
        rate: Samples a second.
        channels: How many there are.
        first_channel: 0.
        frames: How many samples a channel has; None where only decoding tells.
    """

    first_channel = 0

    def __init__(self, file: Path | str | bytes) -> None:
        """
        Args:
            file: A path, or the bytes of the file.

        Raises:
            soundfile.LibsndfileError: It cannot be decoded.
            OSError: It cannot be opened.
        """
        self._content, self._lead = _source(file)
        try:
            self._opened = _Straight(self._content or str(file))
        except BaseException:
            if self._content is not None:
                self._content.close()
            raise
        self.rate: int = self._opened.samplerate
        self.channels: int = self._opened.channels
        frames: int = self._opened.frames
        self.frames: int | None = None if frames >= _UNKNOWN_FRAMES else frames - self._lead
        self._left = self.frames
        self._begun = not self._lead

    def skip(self, frames: int) -> int:
        """Leave out the first frames; how many there were."""
        self._begun = True
        start = frames if self.frames is None else min(frames, self.frames)
        start += self._lead
        sought = self._sought(start)
        if sought:
            self._opened.seek(sought)
        while sought < start:
            read = len(self._opened.read(min(start - sought, _BLOCK_FRAMES), dtype="float32"))
            if not read:
                break
            sought += read
        if self._left is not None:
            self._left = max(0, self._left - (sought - self._lead))
        return sought - self._lead

    def read(self, frames: int) -> np.ndarray:
        """float32 [frames or fewer at the end, channels]."""
        if not self._begun:
            self.skip(0)
        if self._left is not None:
            # What libsndfile does not fill of a block it clears, which takes longer than a short
            # recording.
            frames = min(frames, self._left + _FRAMES_BEYOND)
        block: np.ndarray = self._opened.read(frames, dtype="float32", always_2d=True)
        if self._left is not None:  # None as well where a file goes on behind the end of its header
            self._left = self._left - len(block) if len(block) <= self._left else None
        return block

    def close(self) -> None:
        """Close the file."""
        self._opened.close()
        if self._content is not None:
            self._content.close()

    def _sought(self, start: int) -> int:
        """Where to seek to, so that what follows ``start`` is what decoding from the beginning
        gives; the rest of the way is decoded."""
        if not self._opened.seeks:
            return 0
        if self._opened.subtype.startswith("MPEG"):
            return max(0, start - _MP3_SETTLES_FRAMES) // _MP3_ROUND_FRAMES * _MP3_ROUND_FRAMES
        if self._opened.subtype == "VORBIS" and self.frames is not None:
            return min(start, max(0, self.frames - _VORBIS_TAIL_SECONDS * self.rate))
        return start


def _frames(content: IO[bytes], size: int, file: Path | str | bytes) -> mp3.Frames | None:
    """The frames of an MP3 file whose header does not tell them; counted once a process."""
    if isinstance(file, bytes):
        return mp3.counted(content, size)
    return _counted(str(file), size, os.fstat(content.fileno()).st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _counted(path: str, size: int, changed: int) -> mp3.Frames | None:
    with Path(path).open("rb") as content:
        return mp3.counted(content, size)


def _source(file: Path | str | bytes) -> tuple[IO[bytes] | None, int]:
    """The file as it is decoded, and how many samples of it come before the first of the sound.

    One whose header is missing or wrong is given another; None: it is opened by its path.
    """
    content: IO[bytes] = io.BytesIO(file) if isinstance(file, bytes) else open(file, "rb")  # noqa: SIM115, PTH123
    try:
        size = content.seek(0, io.SEEK_END)
        content.seek(0)
        head = content.read(4)
        found = wav.samples(content, size)
        if found is not None:
            header = wav.with_size(content, found, size)
            if header is not None:
                return cast(IO[bytes], Splice(header, content, found.start)), 0
        elif head[:3] == b"ID3" or head[:1] == b"\xff":
            frames = _frames(content, size, file)
            if frames is not None:
                return cast(IO[bytes], Splice(frames.header, content, frames.first)), frames.lead
        if isinstance(file, bytes):
            content.seek(0)
            return content, 0
        if str(file).lower().endswith(".raw"):  # by whose name soundfile asks for a rate
            return cast(IO[bytes], Splice(b"", content, 0)), 0
    except BaseException:
        content.close()
        raise
    content.close()
    return None, 0
