"""A corpus and a family that need no model: each clip carries its own number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from mynah.config.schema import Config
from mynah.data.audio.files import AudioError
from mynah.evaluation.evaluate import Evaluation, evaluate_split
from mynah.models.transcript import Clip, Transcript


@dataclass
class FakeCorpus:
    texts: list[str]
    durations: np.ndarray = None
    speakers: list[str] = None
    columns: list[str] = None
    name: str = "validation"
    sample_rate: int = 16000
    fingerprint: str = "f00d"
    unreadable: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.durations is None:
            self.durations = np.linspace(0.5, 2.0, len(self.texts))
        self.durations = np.asarray(self.durations, dtype=np.float64)
        self.speakers = self.speakers or [f"s{row % 2}" for row in range(len(self.texts))]
        self.ids = [f"utt-{row}" for row in range(len(self.texts))]
        self.languages = ["en"] * len(self.texts)
        self.contexts = [""] * len(self.texts)
        self.columns = self.columns or [""] * len(self.texts)
        self.sources = [""] * len(self.texts)
        self.channels = np.full(len(self.texts), -1, dtype=np.int32)
        self.digests = [""] * len(self.texts)

    @property
    def hours(self) -> float:
        return float(self.durations.sum()) / 3600

    def __len__(self) -> int:
        return len(self.texts)

    def read_audio(self, row: int) -> np.ndarray:
        if row in self.unreadable:
            raise AudioError("the file is cut off", where=self.ids[row])
        audio = np.zeros(int(self.durations[row] * self.sample_rate), dtype=np.float32)
        audio[0] = (row + 1) / 10000
        audio[1:] = 0.1 * np.sin(np.arange(1, len(audio)) * 0.2)
        return audio

    def read_as_recorded(self, row: int) -> tuple[np.ndarray, int]:
        return self.read_audio(row), self.sample_rate

    def audio_file(self, row: int) -> Path | None:
        return None


class FakeFamily:
    """Says ``texts[row]`` for the clip of that row, and remembers its batches."""

    def __init__(self, texts: Sequence[str], *, before: Callable | None = None) -> None:
        self.texts = list(texts)
        self.sample_rate = 16000
        self.model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.5))
        self.batches: list[list[int]] = []
        self.before = before or (lambda rows: None)

    def encoded_seconds(self, seconds: float) -> float:
        return seconds

    def transcribe(self, clips: Sequence[Clip]) -> list[Transcript]:
        rows = [round(float(clip.audio[0]) * 10000) - 1 for clip in clips]
        self.batches.append(rows)
        self.before(rows)
        return [Transcript(self.texts[row]) for row in rows]


def evaluation_of(corpus: FakeCorpus, recognized: Sequence[str], **settings) -> Evaluation:
    """The evaluation of a corpus for which a model wrote ``recognized``."""
    config = Config()
    config.evaluation.bootstrap_samples = 50
    for name, value in settings.items():
        setattr(config.evaluation, name, value)
    return evaluate_split(FakeFamily(recognized), corpus, config, progress=False)
