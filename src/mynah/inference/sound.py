"""The sound that is to be transcribed: a file, the bytes of one, or samples."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from mynah.data.audio import files

AudioInput: TypeAlias = "str | Path | bytes | np.ndarray"


@dataclass(frozen=True)
class Sound:
    """One channel of a recording, or all of them mixed.

    Attributes:
        content: A path, the bytes of an audio file, or float32 [samples] or [samples, channels].
        rate: Hertz of samples; a file says its own.
        channel: Which channel is meant; None: the mean of all.
    """

    content: AudioInput
    rate: int
    channel: int | None = None

    @property
    def source(self) -> str:
        """The file's path; "" where there is none."""
        return str(self.content) if isinstance(self.content, str | Path) else ""

    @property
    def is_cut_short(self) -> bool:
        """Whether its file ends before the header says, though it may be decoded up to there.

        Raises:
            ValueError, OSError: It cannot be opened.
        """
        if isinstance(self.content, np.ndarray):
            return False
        file = self.content if isinstance(self.content, bytes) else Path(self.content)
        return files.cut_short(file) is not None

    def open(self, sample_rate: int, longest: int) -> np.ndarray | Iterator[np.ndarray]:
        """The sound at ``sample_rate`` hertz, mono float32.

        Args:
            sample_rate: Hertz to resample to.
            longest: Samples of what is read at once.

        Returns:
            [samples] where there are at most ``longest``, the same as :func:`files.read` gives;
            otherwise an iterator of its blocks in order.

        Raises:
            ValueError, OSError: It cannot be decoded, or goes on behind its end; of blocks, when
                the place is reached.
        """
        if isinstance(self.content, np.ndarray):
            audio = self._samples(self.content, sample_rate)
            if len(audio) <= longest:
                return audio
            return (audio[at : at + longest] for at in range(0, len(audio), longest))
        file = self.content if isinstance(self.content, bytes) else Path(self.content)
        seconds = files.probe(file, channel=self.channel or 0).duration_seconds
        files.check_goes_on(file)  # the rest of it would be missing, and nobody would know
        if seconds is not None and round(seconds * sample_rate) <= longest:
            return files.read(file, sample_rate, channel=self.channel)
        blocks = files.stream(file, sample_rate, channel=self.channel)
        if seconds is not None:
            return blocks
        held: list[np.ndarray] = []
        for block in blocks:
            held.append(block)
            if sum(map(len, held)) > longest:
                return itertools.chain(held, blocks)
        return files.read(file, sample_rate, channel=self.channel)

    def _samples(self, given: np.ndarray, sample_rate: int) -> np.ndarray:
        if given.ndim not in (1, 2) or not given.size:
            raise ValueError(f"samples are [samples] or [samples, channels], not {given.shape}")
        if np.issubdtype(given.dtype, np.integer):
            given = given.astype(np.float32) / -float(np.iinfo(given.dtype).min)
        audio = np.asarray(given, dtype=np.float32)
        if audio.ndim == 2:
            if self.channel is not None and self.channel >= audio.shape[1]:
                raise ValueError(f"it has no channel {self.channel}, only {audio.shape[1]}")
            audio = audio.mean(axis=1) if self.channel is None else audio[:, self.channel]
        with np.errstate(invalid="ignore"):
            total = audio.sum(dtype=np.float64)
        if not np.isfinite(total):
            raise ValueError("it holds samples that are not numbers")
        return files.resample(audio, self.rate, sample_rate)


def channels_of(content: AudioInput, rate: int, channels: str | int) -> Sequence[Sound]:
    """The sounds of a recording under ``channels``: ``mix``, ``split``, or a channel's number.

    Raises:
        ValueError, OSError: It cannot be opened.
    """
    if channels == "mix":
        return [Sound(content, rate)]
    if channels != "split":
        return [Sound(content, rate, int(channels))]
    if isinstance(content, np.ndarray):
        count = content.shape[1] if content.ndim == 2 else 1
    else:
        file = content if isinstance(content, bytes) else Path(content)
        count = files.probe(file).channels
    if count == 1:
        return [Sound(content, rate)]
    return [Sound(content, rate, channel) for channel in range(count)]
