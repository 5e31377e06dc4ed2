"""A long recording, read piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mynah.data.audio import files


@dataclass
class Recording:
    """An audio file, or one channel of it.

    Attributes:
        path: The file.
        channel: Which channel is meant; None: the mean of all.
    """

    path: Path
    channel: int | None = None

    def __post_init__(self) -> None:
        self._full: tuple[int, np.ndarray] | None = None
        self._seconds: float | None = None

    @property
    def duration_seconds(self) -> float:
        """Its length; decodes all of it where the header does not tell.

        Raises:
            ValueError, OSError: It cannot be decoded.
        """
        if self._seconds is None:
            info = files.probe(self.path)
            self._seconds = info.duration_seconds
            if self._seconds is None:
                self._seconds = len(self._decoded(info.sample_rate)) / info.sample_rate
        return self._seconds

    def read(self, start: int, end: int, sample_rate: int) -> np.ndarray:
        """Samples ``start`` to ``end`` at ``sample_rate`` hertz, mono float32, fewer at its end.

        Raises:
            ValueError, OSError: It cannot be decoded.
        """
        last, seconds = end / sample_rate, self.duration_seconds
        if self._full is not None:
            return self._decoded(sample_rate)[start:end]
        return files.read(
            self.path,
            sample_rate,
            offset_seconds=start / sample_rate,
            duration_seconds=None if last >= seconds else (end - start) / sample_rate,
            channel=self.channel,
        )

    def _decoded(self, sample_rate: int) -> np.ndarray:
        """All of it, where a piece cannot be decoded without what is before it."""
        if self._full is None or self._full[0] != sample_rate:
            decoded = files.read(self.path, sample_rate, channel=self.channel)
            self._full = (sample_rate, decoded)
        return self._full[1]
