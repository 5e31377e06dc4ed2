"""Audio files to samples: wav, flac, ogg, opus, mp3 and NIST sphere by soundfile and soxr."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np

from mynah.config.errors import UserError

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".sph", ".aif", ".aiff", ".au", ".caf"}
)


class AudioError(UserError):
    """An utterance's audio cannot be read; the message names the utterance and the reason."""


def read(
    file: Path | str | bytes,
    sample_rate: int,
    *,
    offset_seconds: float = 0.0,
    duration_seconds: float | None = None,
    channel: int | None = None,
) -> np.ndarray:
    """One utterance as the model hears it: mono float32 [samples] at ``sample_rate`` hertz.

    Args:
        file: A path, or the bytes of an audio file.
        sample_rate: Hertz to resample to.
        offset_seconds: Where the utterance begins in the file.
        duration_seconds: How long it is; None: to the end.
        channel: Which channel is meant; None: the mean of all.

    Raises:
        ValueError: It cannot be decoded, is empty, or ends before the utterance does.
        OSError: The file cannot be opened.
    """
    mono, rate = _decode(file, offset_seconds, duration_seconds, channel)
    return resample(mono, rate, sample_rate)


def inspect(
    file: Path | str | bytes,
    *,
    offset_seconds: float = 0.0,
    duration_seconds: float | None = None,
    channel: int | None = None,
) -> tuple[float, str]:
    """Length in seconds and digest of one utterance; all of it is decoded.

    Raises:
        ValueError, OSError: As :func:`read`.
    """
    mono, rate = _decode(file, offset_seconds, duration_seconds, channel)
    # Of the file where it is one utterance, so that the digest does not hang on the decoder.
    if offset_seconds or duration_seconds is not None:
        content = mono.tobytes()
    else:
        content = file if isinstance(file, bytes) else Path(file).read_bytes()
    return len(mono) / rate, hashlib.blake2b(content, digest_size=8).hexdigest()


def resample(audio: np.ndarray, rate: float, to_rate: float) -> np.ndarray:
    """float32 [samples] from one rate to another."""
    if rate == to_rate:
        return np.ascontiguousarray(audio, dtype=np.float32)
    import soxr

    return soxr.resample(np.ascontiguousarray(audio, dtype=np.float32), rate, to_rate)


def _decode(
    file: Path | str | bytes,
    offset_seconds: float,
    duration_seconds: float | None,
    channel: int | None,
) -> tuple[np.ndarray, int]:
    """Mono float32 [samples] at the file's own rate, and that rate."""
    import soundfile

    if isinstance(file, bytes):
        source: io.BytesIO | str = io.BytesIO(file)
    else:
        source = str(file)
        if not Path(file).is_file():
            raise FileNotFoundError(f"there is no file {file}")
    try:
        with soundfile.SoundFile(source) as opened:
            rate, start = opened.samplerate, round(offset_seconds * opened.samplerate)
            if start and start >= opened.frames:
                raise ValueError(
                    f"it begins at {offset_seconds:g} s of a file of {opened.frames / rate:g} s"
                )
            if start:
                opened.seek(start)
            wanted = -1 if duration_seconds is None else round(duration_seconds * rate)
            expected = opened.frames - start if wanted < 0 else wanted
            samples = opened.read(wanted, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as problem:
        raise ValueError(str(problem.error_string).rstrip(".")) from problem
    # A tenth of a second is no loss: a lossy codec's length is only an estimate.
    if len(samples) < expected - rate // 10:
        raise ValueError(
            f"it ends after {len(samples) / rate:.2f} of {expected / rate:.2f} seconds"
        )
    if channel is not None and channel >= samples.shape[1]:
        raise ValueError(f"it has no channel {channel}, only {samples.shape[1]}")
    if channel is not None or samples.shape[1] == 1:
        mono = samples[:, channel or 0]
    else:
        mono = samples.mean(axis=1)
    if not len(mono):
        raise ValueError("there is no sound in it")
    if not np.isfinite(mono).all():
        raise ValueError("it holds samples that are no numbers")
    return mono, rate
