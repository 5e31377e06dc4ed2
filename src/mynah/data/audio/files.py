"""Audio files to samples: wav, flac, ogg, opus, mp3 and NIST sphere by soundfile, m4a, mp4,
webm and wma by PyAV (the extra ``ffmpeg``); any rate, by soxr.

A file is decoded by its content, whatever its name ends in.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import numpy as np

from mynah.data.audio import containers, wav
from mynah.data.audio.byte_ranges import all_bytes, byte_range, opened
from mynah.data.audio.levels import Levels, check_peak, is_one_value
from mynah.errors import UserError

AUDIO_SUFFIXES = frozenset(
    {
        ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".sph", ".aif", ".aiff", ".au", ".caf",
        ".m4a", ".mp4", ".aac", ".webm", ".mka", ".wma",
    }
)  # fmt: skip
_BLOCK_FRAMES = 1 << 18
_HELD_BYTES = 8 << 20  # of a file that is read at once and not part by part
# By how much a file may end too soon: a lossy codec's length is only an estimate.
OVERSHOOT_SECONDS = 0.1
_SILENT_RANGE = 2.0**-16  # half of what the last of 16 bits stands for; full scale is 2


class AudioError(UserError):
    """An utterance's audio cannot be read; the message names the utterance and the reason."""


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header tells.

    Attributes:
        sample_rate: Hertz.
        channels: How many there are, in all tracks.
        duration_seconds: None where only decoding tells (m4a, mp4, webm).
    """

    sample_rate: int
    channels: int
    duration_seconds: float | None


def recordings_below(folder: Path, leave_out: Path | None = None) -> list[Path]:
    """The audio files in a folder and in those in it, sorted; none that is hidden.

    Args:
        folder: Where they lie.
        leave_out: A folder not to look into.
    """
    outside = None if leave_out is None else leave_out.resolve()
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and (outside is None or outside not in path.resolve().parents)
    )


def read(
    file: Path | str | bytes,
    sample_rate: int,
    *,
    offset_seconds: float = 0.0,
    duration_seconds: float | None = None,
    channel: int | None = None,
    byte_offset: int | None = None,
    byte_length: int | None = None,
) -> np.ndarray:
    """One utterance as the model takes it: mono float32 [samples] at ``sample_rate`` hertz.

    Only the piece asked for is decoded and held. Its samples are those that decoding the full
    file gives; of Ogg Opus to within 0.002 of full scale, since its decoder settles after a seek
    (RFC 7845, 4.6), and always the same.

    Args:
        file: A path, or the bytes of an audio file.
        sample_rate: Hertz to resample to.
        offset_seconds: Where the utterance begins in the file.
        duration_seconds: How long it is; None: to the end.
        channel: Which channel is meant; None: the mean of all.
        byte_offset: Where in ``file``, a shard, the audio file begins; None: it is one itself.
        byte_length: How many bytes it has there; None: to the end of the shard.

    Raises:
        ValueError: It cannot be decoded, is empty, or ends before the utterance does.
        OSError: The file cannot be opened.
    """
    with _opened(file, byte_offset, byte_length, channel) as decoder:
        pieces = list(_pieces(decoder, offset_seconds, duration_seconds, channel))
        rate = decoder.rate
    return resample(pieces[0] if len(pieces) == 1 else np.concatenate(pieces), rate, sample_rate)


def stream(
    file: Path | str | bytes, sample_rate: int, *, channel: int | None = None
) -> Iterator[np.ndarray]:
    """All of a file in order, block by block, so that no more than a block of it is held.

    Args:
        file, sample_rate, channel: As :func:`read`.

    Yields:
        Mono float32 [samples] at ``sample_rate`` hertz, about a quarter of a minute each.

    Raises:
        ValueError, OSError: As :func:`read`, when the place is reached.
    """
    with _opened(file, None, None, channel) as decoder:
        blocks = _pieces(decoder, 0.0, None, channel)
        if decoder.rate == sample_rate:
            yield from blocks
            return
        import soxr

        resampler = soxr.ResampleStream(decoder.rate, sample_rate, 1, dtype="float32")
        for block in blocks:
            yield resampler.resample_chunk(np.ascontiguousarray(block, dtype=np.float32))
        yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def inspect(
    file: Path | str | bytes,
    *,
    offset_seconds: float = 0.0,
    duration_seconds: float | None = None,
    channel: int | None = None,
    byte_offset: int | None = None,
    byte_length: int | None = None,
    may_be_silent: bool = True,
    overshoot_seconds: float = OVERSHOOT_SECONDS,
    read: Callable[[float], None] = lambda seconds: None,
) -> tuple[float, str]:
    """Length in seconds and digest of one utterance; all of it is decoded, block by block.

    A file that was cut short is refused even where it can be decoded up to there, and so is one
    that goes on behind its end.

    Args:
        may_be_silent: Whether it may hold no sound at all, no fainter noise than 16 bits can.
        overshoot_seconds: By how much a file may end before the utterance does.
        read: Called block by block with the seconds that are decoded; what it raises ends it.
        file, offset_seconds, duration_seconds, channel, byte_offset, byte_length: As
            :func:`read`.

    Raises:
        ValueError, OSError: As :func:`read`; it is silent and must not be, or its channels cancel
            each other.
    """
    if byte_offset is not None:
        file = byte_range(file, byte_offset, byte_length)
    entire = not offset_seconds and duration_seconds is None
    # Of the file where it is one utterance, so that the digest does not hang on the decoder.
    of_file = entire and channel is None
    digest = hashlib.blake2b(digest_size=8)
    if entire:
        held = file if isinstance(file, bytes) else all_bytes(file, _HELD_BYTES)
        plain = wav.plain_samples(held) if of_file and held and _has_utf8_name(file) else None
        if held and plain is not None and (may_be_silent or not is_one_value(plain[1])):
            seconds = len(plain[1]) / plain[0]
            read(seconds)
            digest.update(held)
            return seconds, digest.hexdigest()
        with opened(file if held is None else held) as content:
            _check_ends(content)
            if of_file:
                content.seek(0)
                while block := content.read(1 << 20):
                    digest.update(block)
    place = (offset_seconds, duration_seconds, channel, overshoot_seconds)
    with _opened(file, None, None, channel) as decoder:
        seconds = _heard(decoder, place, may_be_silent, read, None if of_file else digest)
    return seconds, digest.hexdigest()


def probe(
    file: Path | str | bytes,
    *,
    channel: int | None = 0,
    byte_offset: int | None = None,
    byte_length: int | None = None,
) -> AudioInfo:
    """What the header of an audio file tells; no sound is decoded.

    Args:
        channel: Of a file with several tracks, that of the channel is meant.
        file, byte_offset, byte_length: As :func:`read`.

    Raises:
        ValueError, OSError: As :func:`read`.
    """
    with _opened(file, byte_offset, byte_length, channel) as decoder:
        seconds = None if decoder.frames is None else decoder.frames / decoder.rate
        return AudioInfo(decoder.rate, decoder.channels, seconds)


def cut_short(file: Path | str | bytes) -> str | None:
    """Why a file is taken to end before its header says; None: it does not, or only decoding tells.

    Raises:
        OSError: The file cannot be opened.
    """
    with opened(file) as content:
        return containers.cut_short(content, content.seek(0, os.SEEK_END))


def check_goes_on(file: Path | str | bytes) -> None:
    """Look whether a decoder would take the beginning of a file for all of it.

    Raises:
        ValueError: It would: files were joined, or a header was written too early.
        OSError: The file cannot be opened.
    """
    with opened(file) as content:
        problem = containers.goes_on(content, content.seek(0, os.SEEK_END))
    if problem is not None:
        raise ValueError(problem)


def resample(audio: np.ndarray, rate: float, to_rate: float) -> np.ndarray:
    """float32 [samples] from one rate to another."""
    if rate == to_rate:
        return np.ascontiguousarray(audio, dtype=np.float32)
    import soxr

    made: np.ndarray = soxr.resample(np.ascontiguousarray(audio, dtype=np.float32), rate, to_rate)
    return made


class _Decoder(Protocol):
    """Samples in order, of the file or of its track with the channel that is wanted; ``frames``
    is None where its length is not known."""

    rate: int
    channels: int
    first_channel: int
    frames: int | None

    def skip(self, frames: int) -> int: ...

    def read(self, frames: int) -> np.ndarray: ...

    def close(self) -> None: ...


@contextlib.contextmanager
def _opened(
    file: Path | str | bytes,
    byte_offset: int | None,
    byte_length: int | None,
    channel: int | None,
) -> Iterator[_Decoder]:
    """A decoder of the file; what it raises is put in words, as ValueError or OSError."""
    import soundfile

    from mynah.data.audio.libsndfile import SoundFileDecoder

    if byte_offset is not None:
        file = byte_range(file, byte_offset, byte_length)
    if not isinstance(file, bytes) and not Path(file).is_file():
        raise FileNotFoundError(f"there is no file {file}")
    decoder: _Decoder
    try:
        try:
            decoder = SoundFileDecoder(file)
        except soundfile.LibsndfileError:
            with opened(file) as content:
                head = content.read(containers.HEAD_BYTES)
            demuxer = containers.ffmpeg_demuxer(head)
            if demuxer is None:
                reason = containers.no_audio(head) or containers.compressed(head)
                if reason is not None:
                    raise ValueError(reason) from None
                raise
            from mynah.data.audio.ffmpeg import FFmpegDecoder

            decoder = FFmpegDecoder(file, demuxer, channel)
        try:
            yield decoder
        finally:
            decoder.close()
    except soundfile.LibsndfileError as problem:
        raise ValueError(str(problem.error_string).rstrip(".")) from problem
    except UnicodeEncodeError as problem:
        raise ValueError("its name is not UTF-8; rename it (convmv -f latin1 -t utf8)") from problem


def _has_utf8_name(file: Path | str | bytes) -> bool:
    """Whether decoders, to which a name is UTF-8, can open a file; bytes they can."""
    name = "" if isinstance(file, bytes) else str(file)
    return name.isascii() or not re.search("[\ud800-\udfff]", name)


def _check_ends(content: IO[bytes]) -> None:
    """
    Raises:
        ValueError: A file is cut short, or goes on behind its end.
    """
    size = content.seek(0, os.SEEK_END)
    problem = containers.cut_short(content, size) or containers.goes_on(content, size)
    if problem is not None:
        raise ValueError(problem)


def _heard(
    decoder: _Decoder,
    place: tuple[float, float | None, int | None, float],
    may_be_silent: bool,
    read: Callable[[float], None],
    digest: hashlib.blake2b | None,
) -> float:
    """Seconds of an utterance that is decoded and looked at; its samples go into the digest.

    Raises:
        ValueError: As :func:`inspect`.
    """
    frames, lowest, highest = 0, np.inf, -np.inf
    levels = Levels() if place[2] is None and decoder.channels > 1 else None
    for mono in _pieces(decoder, *place, levels):
        frames += len(mono)
        read(frames / decoder.rate)
        lowest, highest = min(lowest, mono.min()), max(highest, mono.max())
        if digest is not None:
            digest.update(mono.tobytes())
    if levels is not None and levels.cancel:
        raise ValueError(
            f"its {decoder.channels} channels cancel each other where they are mixed "
            "(data.channels=first reads the first alone)"
        )
    if not may_be_silent and highest - lowest < _SILENT_RANGE:
        raise ValueError("it is silent: all its samples are the same")
    return frames / decoder.rate


def _pieces(
    decoder: _Decoder,
    offset_seconds: float,
    duration_seconds: float | None,
    channel: int | None,
    overshoot_seconds: float = OVERSHOOT_SECONDS,
    levels: Levels | None = None,
) -> Iterator[np.ndarray]:
    """Mono float32 [samples] of the utterance at the file's own rate, block by block.

    Raises:
        ValueError: It ends too soon, has no such channel, is empty, or holds what is not sound.
    """
    rate, start = decoder.rate, round(offset_seconds * decoder.rate)
    if channel is not None and channel >= decoder.channels:
        raise ValueError(f"it has no channel {channel}, only {decoder.channels}")
    if start:
        there = decoder.skip(start)
        if there < start or start == decoder.frames:
            raise ValueError(
                f"it begins at {offset_seconds:g} s of a file of "
                f"{(decoder.frames or there) / rate:g} s"
            )
    wanted = None if duration_seconds is None else round(duration_seconds * rate)
    expected = wanted
    if wanted is None and decoder.frames is not None:
        expected = decoder.frames - start
    read = 0
    while wanted is None or read < wanted:
        block = decoder.read(_BLOCK_FRAMES if wanted is None else min(wanted - read, _BLOCK_FRAMES))
        if not len(block):
            break
        read += len(block)
        if channel is not None or decoder.channels == 1:
            mono = block[:, (channel or 0) - decoder.first_channel]
        else:
            mono = block.mean(axis=1)
        if levels is not None:
            levels.add(block, mono)
        check_peak(float(np.abs(mono).max()))
        yield mono
    if expected is not None and read < expected - int(rate * overshoot_seconds):
        raise ValueError(f"it ends after {read / rate:.2f} of {expected / rate:.2f} seconds")
    if not read:
        raise ValueError("there is no sound in it")
