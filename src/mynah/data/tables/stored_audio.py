"""Where the audio of one row of a table lies, and how it is read there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mynah.data.audio import files
from mynah.data.audio.byte_ranges import byte_range

# What a row of a table says of its audio.
AUDIO_COLUMNS = (
    "audio", "byte_offset", "byte_length", "offset_seconds", "duration_seconds", "channel",
)  # fmt: skip


@dataclass(frozen=True)
class StoredAudio:
    """The audio of a row.

    Attributes:
        file: The file or shard that holds it, or the bytes of an audio file; None: nowhere.
        byte_offset: Where in ``file``, a shard, the audio file begins; None: it is one itself.
        byte_length: How many bytes it has there.
        offset_seconds: Where the utterance begins in the audio file.
        duration_seconds: How long it is; None: to the end.
        channel: Which channel it is on; None: all are mixed.
    """

    file: str | bytes | None
    byte_offset: int | None
    byte_length: int | None
    offset_seconds: float
    duration_seconds: float | None
    channel: int | None

    @classmethod
    def of(cls, held: Mapping[str, Any], folder: Path | None = None) -> StoredAudio:
        """As a table has it.

        Args:
            held: The row's :data:`AUDIO_COLUMNS`.
            folder: What the table's paths are relative to; None: they are absolute.
        """
        content, path = held["audio"]["bytes"], held["audio"]["path"]
        if path is not None and folder is not None:
            path = str(folder / path)
        return cls(
            file=content if content is not None else path,
            byte_offset=held["byte_offset"],
            byte_length=held["byte_length"],
            offset_seconds=held["offset_seconds"] or 0.0,
            duration_seconds=held["duration_seconds"] or None,
            channel=held["channel"],
        )

    @property
    def path(self) -> str | None:
        """The file or shard that holds it; None where its bytes are in the table."""
        return self.file if isinstance(self.file, str) else None

    @property
    def own_file(self) -> Path | None:
        """The file that holds it and nothing else; None where there is none."""
        in_another = self.offset_seconds or self.byte_offset is not None
        if self.path is None or in_another or self.channel is not None:
            return None
        return Path(self.path)

    def content(self) -> bytes:
        """The bytes of the audio file that the utterance is in.

        Raises:
            ValueError, OSError, TypeError: They cannot be read.
        """
        if isinstance(self.file, bytes):
            return self.file
        if self.byte_offset is None:
            return Path(self._file).read_bytes()
        return byte_range(self._file, self.byte_offset, self.byte_length)

    def sample_rate(self) -> int:
        """Hertz of the audio file.

        Raises:
            ValueError, OSError, TypeError: It cannot be read.
        """
        return files.probe(
            self._file,
            channel=self.channel,
            byte_offset=self.byte_offset,
            byte_length=self.byte_length,
        ).sample_rate

    def read(self, sample_rate: int) -> np.ndarray:
        """Mono float32 [samples] at ``sample_rate`` hertz.

        Raises:
            ValueError, OSError, TypeError: It cannot be read.
        """
        return files.read(
            self._file,
            sample_rate,
            offset_seconds=self.offset_seconds,
            duration_seconds=self.duration_seconds,
            channel=self.channel,
            byte_offset=self.byte_offset,
            byte_length=self.byte_length,
        )

    @property
    def _file(self) -> Any:
        if self.file is None:
            raise TypeError("the table holds no audio for it")
        return self.file
