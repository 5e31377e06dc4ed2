"""A recognizer with every kind of state that a dry step may touch, and a corpus without files."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from mynah.config.schema import Config
from mynah.data.tables.label_bounds import label_bounds
from mynah.errors import UserError
from mynah.models.family import Example, LossSum

RATE = 1000
HOP = 10  # samples a frame


class FakeModel(nn.Module):
    """Dropout draws from the generator, BatchNorm changes its buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(4, 3)
        self.frozen = nn.Linear(2, 2).requires_grad_(False).eval()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        normed = self.norm(features.transpose(1, 2)).transpose(1, 2)
        return self.head(self.dropout(normed))


class FakeFamily:
    """What dry steps need of a family: one label a character, as CTC would limit them.

    Attributes:
        batches: (rows, frames, labels) of each batch that was collated.
        labelled: How many transcripts were tokenized.
        out_of_memory_at: Rows × frames from which on a batch does not fit.
    """

    def __init__(self, out_of_memory_at: float = float("inf")) -> None:
        self.model: Any = FakeModel()
        self.batches: list[tuple[int, int, int]] = []
        self.labelled = 0
        self.out_of_memory_at = out_of_memory_at
        self.error: Exception = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")

    def features(self, audio: np.ndarray) -> np.ndarray:
        return np.resize(audio[::HOP], (len(audio) // HOP, 4)).astype(np.float32)

    def labels(self, text: str) -> list[int]:
        self.labelled += 1
        return [ord(letter) for letter in text]

    def impossible(self, samples: int, labels: Sequence[int]) -> str | None:
        needed = len(labels) + sum(a == b for a, b in itertools.pairwise(labels))
        return None if needed <= samples // HOP else f"{len(labels)} labels are too many"

    def collate(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        frames = max(len(example.features) for example in examples)
        labels = max(len(example.labels) for example in examples)
        self.batches.append((len(examples), frames, labels))
        padded = np.zeros((len(examples), frames, 4), dtype=np.float32)
        for row, example in enumerate(examples):
            padded[row, : len(example.features)] = example.features
        return {"features": torch.from_numpy(padded)}

    def loss(self, model: Any, batch: dict[str, torch.Tensor]) -> LossSum:
        if batch["features"].shape[0] * batch["features"].shape[1] >= self.out_of_memory_at:
            raise self.error
        total = model(batch["features"]).square().sum()
        return LossSum(total, torch.tensor(float(batch["features"].shape[0])))


@dataclass(frozen=True)
class FakeUtterance:
    id: str
    text: str
    duration_seconds: float


class FakeCorpus:
    """Noise of given lengths; ``unreadable`` rows raise."""

    def __init__(
        self,
        durations: Sequence[float],
        texts: Sequence[str] | None = None,
        unreadable: frozenset[int] = frozenset(),
    ) -> None:
        self.sample_rate = RATE
        self.durations = np.asarray(durations, dtype=np.float64)
        self.texts = list(texts) if texts is not None else ["ab"] * len(durations)
        self.text_lengths = np.asarray([len(text) for text in self.texts], dtype=np.int32)
        self.ids = [f"u{row}" for row in range(len(durations))]
        self.repeats = None
        self.unreadable = unreadable

    def release(self) -> None:
        """Nothing is mapped."""

    def label_bounds(self) -> np.ndarray:
        """Of all transcripts."""
        return label_bounds(self.texts)

    def __len__(self) -> int:
        return len(self.durations)

    def __getitem__(self, row: int) -> FakeUtterance:
        return FakeUtterance(self.ids[row], self.texts[row], float(self.durations[row]))

    def read_audio(self, row: int) -> np.ndarray:
        if row in self.unreadable:
            raise UserError("The recording cannot be read", where=self.ids[row])
        samples = round(self.durations[row] * RATE)
        return np.random.default_rng(row).standard_normal(samples).astype(np.float32)

    def select(self, rows: Sequence[int]) -> FakeCorpus:
        chosen = [int(row) for row in rows]
        made = FakeCorpus(self.durations[chosen], [self.texts[row] for row in chosen])
        made.ids = [self.ids[row] for row in chosen]
        return made


def configured(speed_factors: Sequence[float] = (), **training: Any) -> Config:
    """Settings on the CPU."""
    config = Config()
    augmentation = replace(config.data.augmentation, speed_factors=list(speed_factors))
    return replace(
        config,
        data=replace(config.data, augmentation=augmentation),
        training=replace(config.training, use_cpu=True, optim="adamw_torch", **training),
    )
