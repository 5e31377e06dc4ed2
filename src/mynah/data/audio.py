"""Audio files to samples: wav, flac, ogg, opus, mp3 and NIST sphere by soundfile, soxr."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mynah.config.errors import UserError

AUDIO_SUFFIXES = frozenset(
    [
        ".wav",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".sph",
        ".aif",
        ".aiff",
        ".au",
        ".caf",
        ".w64",
    ]
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
    import soundfile

    source: BinaryIO | str = io.BytesIO(file) if isinstance(file, bytes) else str(file)
    if isinstance(source, str) and not Path(source).is_file():
        raise FileNotFoundError(f"there is no file {source}")
    try:
        with soundfile.SoundFile(source) as opened:
            rate, frames = opened.samplerate, opened.frames
            if offset_seconds:
                start = round(offset_seconds * rate)
                if start >= frames:
                    raise ValueError(
                        f"it begins at {offset_seconds:g} s of a file of {frames / rate:g} s"
                    )
                opened.seek(start)
            wanted = -1 if duration_seconds is None else round(duration_seconds * rate)
            samples = opened.read(wanted, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as problem:
        raise ValueError(str(problem.error_string).rstrip(".")) from problem
    expected = frames - round(offset_seconds * rate) if wanted < 0 else wanted
    # Half a frame of rounding is no loss, and a lossy codec's length is only an estimate.
    if len(samples) < expected - max(rate // 10, 1):
        raise ValueError(
            f"the audio ends after {len(samples) / rate:.2f} of {expected / rate:.2f} seconds"
        )
    if channel is not None:
        if channel >= samples.shape[1]:
            raise ValueError(f"there is no channel {channel}: it has {samples.shape[1]}")
        mono = samples[:, channel]
    else:
        mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    if not len(mono):
        raise ValueError("there is no sound in it")
    if not np.isfinite(mono).all():
        raise ValueError("it holds samples that are no numbers")
    return resample(mono, rate, sample_rate)


def resample(audio: np.ndarray, rate: float, to_rate: float) -> np.ndarray:
    """float32 [samples] from one rate to another."""
    if rate == to_rate:
        return np.ascontiguousarray(audio, dtype=np.float32)
    import soxr

    return soxr.resample(np.ascontiguousarray(audio, dtype=np.float32), rate, to_rate)
