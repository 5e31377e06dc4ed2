"""A recognizer of a few thousand parameters, a corpus of noise and a plan: enough to train on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from mynah import distributed
from mynah.config.schema import Config
from mynah.data.audio.files import AudioError
from mynah.data.positions import NumberedBatches
from mynah.models.family import Example, Family, LossSum
from mynah.models.transcript import Clip, Transcript
from mynah.training.trainer import train

RATE = 8000
HOP = 80
BINS = 6
LETTERS = "abcdefgh"


class TinyModel(nn.Module):
    """A GRU with dropout under one linear layer, [batch, frames, bins] to log-probabilities."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.gru = nn.GRU(BINS, 12, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(12, len(LETTERS) + 1)

    def forward(self, features: torch.Tensor, **unused: Any) -> torch.Tensor:
        return self.head(self.dropout(self.gru(features)[0])).log_softmax(-1)


class TinyFamily(Family):
    """CTC over :class:`TinyModel`; what the shared code sees of a real family."""

    name = "tiny"
    sample_rate = RATE
    pretrained = False
    feature_seconds = HOP / RATE

    def __init__(self, dropout: float = 0.1, dtype: torch.dtype = torch.float32) -> None:
        self.dropout = dropout
        self.model = TinyModel(dropout).to(dtype)

    @classmethod
    def model_types(cls) -> tuple[str, ...]:
        return ("tiny",)

    @classmethod
    def build(cls, config: Any, **_: Any) -> TinyFamily:
        return cls()

    @classmethod
    def load(cls, directory: Path, *, offline: bool = False) -> TinyFamily:
        about = json.loads((directory / "config.json").read_text())
        family = cls(about["dropout"], getattr(torch, about["dtype"]))
        family.model.load_state_dict(load_file(str(directory / "model.safetensors")))
        return family

    def save(self, directory: Path) -> None:
        save_file(self.model.state_dict(), str(directory / "model.safetensors"))
        dtype = str(next(self.model.parameters()).dtype).removeprefix("torch.")
        about = {"dropout": self.dropout, "dtype": dtype}
        (directory / "config.json").write_text(json.dumps(about))

    def features(self, audio: np.ndarray) -> np.ndarray:
        frames = len(audio) // HOP
        framed = audio[: frames * HOP].reshape(frames, HOP)
        return np.abs(np.fft.rfft(framed)[:, 1 : BINS + 1]).astype(np.float32)

    def labels(self, text: str) -> list[int]:
        return [LETTERS.index(letter) + 1 for letter in text]

    def output_length(self, samples: int) -> int:
        return samples // HOP

    def impossible(self, samples: int, labels: Sequence[int]) -> str | None:
        needed = 2 * len(labels)
        return "more labels than frames" if needed > self.output_length(samples) else None

    def collate(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        frames = [len(example.features) for example in examples]
        padded = np.zeros((len(examples), max(frames), BINS), dtype=np.float32)
        for row, example in enumerate(examples):
            padded[row, : frames[row]] = example.features
        return {
            "features": torch.from_numpy(padded),
            "frames": torch.tensor(frames),
            "labels": torch.tensor([one for e in examples for one in e.labels], dtype=torch.long),
            "label_lengths": torch.tensor([len(example.labels) for example in examples]),
            "weights": torch.tensor([example.weight for example in examples]),
        }

    def loss(self, model: Any, batch: dict[str, torch.Tensor]) -> LossSum:
        dtype = self.model.head.weight.dtype
        losses = nn.functional.ctc_loss(
            model(batch["features"].to(dtype)).transpose(0, 1),
            batch["labels"],
            batch["frames"],
            batch["label_lengths"],
            reduction="none",
        )
        weights = batch["weights"].to(losses)
        return LossSum((losses * weights).sum(), (batch["label_lengths"] * weights).sum())

    def transcribe(self, clips: Sequence[Clip]) -> list[Transcript]:
        return [Transcript("") for _ in clips]

    def parameter_table(self) -> list[tuple[str, int, int]]:
        total = sum(p.numel() for p in self.model.parameters())
        return [("model", total, total)]

    def base_revisions(self) -> dict[str, str]:
        return {}


@dataclass(frozen=True)
class TinyUtterance:
    id: str
    text: str
    duration_seconds: float
    language: str = ""
    context: str = ""


class TinyCorpus:
    """Tones whose pitches encode their transcripts; ``unreadable`` rows raise."""

    def __init__(self, rows: int = 20, unreadable: frozenset[int] = frozenset()) -> None:
        self.name = "train"
        self.sample_rate = RATE
        self.unreadable = unreadable
        draw = np.random.default_rng(0)
        self.texts = ["".join(draw.choice(list(LETTERS), 2 + row % 4)) for row in range(rows)]
        self.ids = [f"utterance-{row:03d}" for row in range(rows)]
        self.durations = np.array([0.1 * len(text) for text in self.texts])
        self.speakers = self.languages = self.contexts = [""] * rows
        self.sources = self.columns = self.digests = [""] * rows
        self.channels = np.full(rows, -1, dtype=np.int32)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def size(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> TinyUtterance:
        return TinyUtterance(self.ids[row], self.texts[row], float(self.durations[row]))

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(" ".join(self.texts).encode()).hexdigest()[:16]

    def read_audio(self, row: int) -> np.ndarray:
        if row in self.unreadable:
            raise AudioError("The recording cannot be read", where=self.ids[row])
        time = np.arange(RATE // 10) / RATE
        tones = [np.sin(2 * np.pi * 100 * (2 + LETTERS.index(c)) * time) for c in self.texts[row]]
        return np.concatenate(tones).astype(np.float32)


class TinyPlan(NumberedBatches):
    """Batches of a fixed size, in an order redrawn every epoch; the tail has weight zero."""

    def __init__(self, rows: int, batch_size: int, seed: int = 0, world_size: int = 1) -> None:
        self.rows, self.batch_size, self.seed, self.world_size = rows, batch_size, seed, world_size
        self.rank = distributed.rank()

    @property
    def batches_per_epoch(self) -> int:
        return -(-self.rows // (self.batch_size * self.world_size))

    def batch(self, epoch: int, index: int, rank: int = 0) -> list[tuple[int, float]]:
        order = np.random.default_rng([self.seed, epoch]).permutation(self.rows)
        places = range((index * self.world_size + rank) * self.batch_size, self.rows)
        rows = [(int(order[place]), 1.0) for place in places[: self.batch_size]]
        return rows + [(0, 0.0)] * (self.batch_size - len(rows))

    def copies(self, epoch: int, index: int, rank: int = 0) -> list[int]:
        return [0] * self.batch_size

    def padding_fraction(self, epoch: int) -> float:
        return 0.0


def tiny_config(**training: Any) -> Config:
    """Settings that change nothing but what a test asks for: no decay, no warmup, the CPU."""
    config = Config()
    settings = {
        "use_cpu": True,
        "max_steps": 8,
        "learning_rate": 0.01,
        "logging_steps": 3,
        "eval_steps": 4,
        "save_steps": 100,
        "per_device_train_batch_size": 4,
        "disable_tqdm": True,
        "dataloader_num_workers": 0,
        **training,
    }
    return replace(config, training=replace(config.training, **settings))


def tiny_train(
    output: Path,
    config: Config,
    *,
    family: TinyFamily | None = None,
    corpus: TinyCorpus | None = None,
    plan: TinyPlan | None = None,
    evaluate: Any = None,
    **options: Any,
) -> tuple[TinyFamily, Any]:
    """Train the tiny family; returns it, initialized from a seed, and the result."""
    if family is None:
        torch.manual_seed(3)
        family = TinyFamily()
    corpus = corpus or TinyCorpus()
    size = config.training.per_device_train_batch_size
    plan = plan or TinyPlan(len(corpus), size, config.training.seed)
    evaluate = evaluate or (lambda step: {"eval_wer": 1.0 / (1 + step), "eval_cer": 0.5})
    result = train(
        family, corpus, plan, config, output_directory=output, evaluate=evaluate, **options
    )
    return family, result


def weights(family: TinyFamily) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in family.model.state_dict().items()}
