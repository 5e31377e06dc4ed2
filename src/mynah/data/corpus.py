"""A split that is ready to be heard: one Arrow table, memory-mapped."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.data import audio
from mynah.data.audio import AudioError

if TYPE_CHECKING:
    import datasets

COLUMNS = (
    "id", "audio", "offset_seconds", "duration_seconds", "channel", "text", "speaker",
    "language", "source",
)  # fmt: skip


@dataclass(frozen=True)
class Utterance:
    """One row, without its audio."""

    id: str
    text: str
    duration_seconds: float
    speaker: str
    language: str
    source: str


class Corpus:
    """The utterances of one split, in a fixed order.

    It can be pickled into workers: they map the same files.

    Attributes:
        name: The split's name.
        sample_rate: Hertz of what :meth:`read_audio` gives.
    """

    def __init__(
        self,
        dataset: datasets.Dataset,
        *,
        name: str,
        sample_rate: int,
        texts: Sequence[str] | None = None,
        language: str | None = None,
    ) -> None:
        """
        Args:
            dataset: A table with :data:`COLUMNS`, and with ``digest`` and ``error`` where
                the audio was looked at.
            name: The split's name.
            sample_rate: Hertz to give audio at.
            texts: Transcripts in place of the table's own.
            language: Language in place of the table's own.
        """
        self.name = name
        self.sample_rate = sample_rate
        self._dataset = dataset
        self._texts = list(texts) if texts is not None else None
        self._language = language

    def __getstate__(self) -> dict[str, Any]:
        # What can be read again from the table is not sent to workers.
        return {name: value for name, value in vars(self).items() if name.startswith("_")} | {
            "name": self.name,
            "sample_rate": self.sample_rate,
        }

    def __len__(self) -> int:
        return len(self._dataset)

    def __repr__(self) -> str:
        return f"Corpus({self.name!r}, {len(self):,} utterances, {self.hours:.2f} hours)"

    @cached_property
    def ids(self) -> list[str]:
        """Ids, unique in the split."""
        return self._column("id")

    @cached_property
    def texts(self) -> list[str]:
        """Transcripts, under the text policy in a training split."""
        if self._texts is not None:
            return self._texts
        return [text or "" for text in self._column("text")]

    @cached_property
    def speakers(self) -> list[str]:
        """Speakers, "" where one is not known."""
        return [speaker or "" for speaker in self._column("speaker")]

    @cached_property
    def durations(self) -> np.ndarray:
        """float64 [rows], seconds; 0 where the audio cannot be read."""
        return np.asarray(self._column("duration_seconds"), dtype=np.float64)

    @property
    def hours(self) -> float:
        """Hours of audio."""
        return float(self.durations.sum()) / 3600

    @cached_property
    def fingerprint(self) -> str:
        """Of the content: ids, transcripts and audio, in their order; not of where it lies."""
        digest = hashlib.blake2b(digest_size=16)
        names = ["offset_seconds", "duration_seconds", "channel"]
        if "digest" in self._dataset.column_names:
            names.append("digest")
        columns = [self.ids, self.texts, *(self._column(name) for name in names)]
        for row in zip(*columns, strict=True):
            digest.update("\x1f".join(map(str, row)).encode())
            digest.update(b"\x1e")
        digest.update(str(self.sample_rate).encode())
        return digest.hexdigest()

    def __getitem__(self, row: int) -> Utterance:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        row %= len(self)
        held = self._details[row]
        return Utterance(
            id=held["id"],
            text=self.texts[row],
            duration_seconds=float(self.durations[row]),
            speaker=held["speaker"] or "",
            language=self._language or held["language"] or "",
            source=held["source"] or "",
        )

    def read_audio(self, row: int) -> np.ndarray:
        """The utterance: mono float32 [samples] at :attr:`sample_rate`.

        Raises:
            AudioError: It cannot be read.
        """
        held = self._dataset[int(row)]
        content = held["audio"]["bytes"]
        path = held["audio"]["path"]
        try:
            return audio.read(
                content if content is not None else path,
                self.sample_rate,
                offset_seconds=held["offset_seconds"] or 0.0,
                duration_seconds=held["duration_seconds"] or None,
                channel=held["channel"],
            )
        except (ValueError, OSError, TypeError) as problem:
            raise AudioError(
                f"The audio of utterance {held['id']} cannot be read: {problem}.",
                where=path or f"{self.name}, row {row}",
                fix="Mend or remove the file, then run again.",
            ) from problem

    def audio_file(self, row: int) -> Path | None:
        """The file that holds the utterance, where it is one of its own on this machine."""
        held = self._dataset[int(row)]
        path = held["audio"]["path"]
        if held["audio"]["bytes"] is not None or path is None or held["offset_seconds"]:
            return None
        return Path(path)

    def select(self, rows: Sequence[int] | np.ndarray) -> Corpus:
        """Some rows, in the order given."""
        positions = [int(row) for row in rows]
        texts = None if self._texts is None else [self._texts[row] for row in positions]
        return Corpus(
            self._dataset.select(positions),
            name=self.name,
            sample_rate=self.sample_rate,
            texts=texts,
            language=self._language,
        )

    @cached_property
    def _details(self) -> datasets.Dataset:
        return self._dataset.select_columns(["id", "speaker", "language", "source"])

    def _column(self, name: str) -> list[Any]:
        return self._dataset.with_format("arrow").select_columns([name])[:][name].to_pylist()
