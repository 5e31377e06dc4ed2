"""Full trainings of tiny random models of the real classes, without anything random in them.

What the gradient of an optimizer step was, for any batches: of every family, in fp64 or fp32.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import standins
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from mynah import distributed
from mynah.config.schema import (
    Config,
    EncoderConfig,
    ModelConfig,
    ProjectorConfig,
    SpecAugmentConfig,
)
from mynah.data.positions import NumberedBatches
from mynah.data.utterances import Utterance
from mynah.machine import seed_everything
from mynah.models import registry
from mynah.models.family import Family
from mynah.training.trainer import train

RATE = 16000
TEXTS = ("call anna", "ten minutes", "nine", "next song", "paris", "lights", "set a timer", "play")
EQUAL_SECONDS = (1.92,) * 16
MIXED_SECONDS = (1.5, 1.84, 1.24, 1.92, 1.36, 1.7, 1.6, 1.28) * 2
SMALLEST_SHARE = 1e-4  # of the full gradient, that a parameter's difference is measured against

# Which stand-ins of tests/standins.py, by the part of the model's settings they go to.
FAMILIES: dict[str, dict[str, Any]] = {
    "ctc, FastConformer from scratch": {},
    "ctc, FastConformer, InterCTC and CR-CTC": {"ctc_intermediate": 0.3, "ctc_consistency": 0.2},
    "ctc, wav2vec2 (group norm)": {"pretrained": "wav2vec2_ctc"},
    "ctc, wav2vec2 (layer norm), LoRA": {"pretrained": "wav2vec2_ctc_layer_norm", "use_lora": True},
    "ctc, HuBERT": {"pretrained": "hubert_ctc"},
    "ctc, WavLM": {"pretrained": "wavlm_ctc"},
    "ctc, w2v-BERT": {"pretrained": "w2v_bert"},
    "ctc, Parakeet": {"pretrained": "parakeet_ctc"},
    "ctc, Parakeet, LoRA": {"pretrained": "parakeet_ctc", "use_lora": True},
    "transducer, Parakeet RNN-T": {"pretrained": "parakeet_rnnt"},
    "transducer, Parakeet TDT, LoRA": {"pretrained": "parakeet_tdt", "use_lora": True},
    "seq2seq, Whisper": {"pretrained": "whisper_asr", "language": "en", "audio_window": "clip"},
    "seq2seq, Canary, LoRA": {"pretrained": "canary", "language": "en", "use_lora": True},
    "audio_llm, Qwen3-ASR": {"pretrained": "qwen3_asr"},
    "audio_llm, Qwen3-ASR, LoRA": {"pretrained": "qwen3_asr", "use_lora": True},
    "audio_llm, Granite Speech": {"pretrained": "granite_speech"},
    "speech_llm, Whisper, LoRA": {"encoder_model_name": "whisper", "use_lora": True},
    "speech_llm, Whisper, all trained": {"encoder_model_name": "whisper", "encoder_tuning": "full"},
    "speech_llm, wav2vec2, all trained": {
        "encoder_model_name": "wav2vec2_base",
        "encoder_tuning": "full",
    },
    "speech_llm, w2v-BERT, LoRA": {"encoder_model_name": "w2v_bert", "use_lora": True},
    "speech_llm, Parakeet, all trained": {
        "encoder_model_name": "parakeet_ctc",
        "encoder_tuning": "full",
    },
}

Batch = list[Any]  # of rows, or of (row, weight)

FULL: list[Batch] = [[0, 1, 2, 3, 4, 5, 6, 7]]
SINGLE: list[Batch] = [[row] for row in range(8)]
SPLITS: dict[str, list[Batch]] = {
    "2 x 4": [[0, 1, 2, 3], [4, 5, 6, 7]],
    "4 x 2": [[0, 1], [2, 3], [4, 5], [6, 7]],
    "8 x 1": SINGLE,
    "uneven": [[0], [1, 2, 3, 4, 5], [6, 7]],
    "a filled tail": [[0, 1, 2, 3, 4], [5, 6, 7, (9, 0.0), (9, 0.0)]],
}
# Batches of both ranks in turn: the first, the third and so on are the first rank's.
RANK_SPLITS: dict[str, list[Batch]] = {
    "2 ranks x 4": [[0, 1, 2, 3], [4, 5, 6, 7]],
    "2 ranks x 2 x 2": [[0, 1], [2, 3], [4, 5], [6, 7]],
    "2 ranks, uneven": [[0], [1, 2, 3, 4, 5, 6, 7]],
    "2 ranks, one without rows": [[0, 1, 2, 3, 4, 5, 6, 7], [(9, 0.0)]],
}
EPOCH: list[Batch] = [[4 * n, 4 * n + 1, 4 * n + 2, 4 * n + 3] for n in range(4)]
RANK_EPOCH: list[Batch] = [half for rows in EPOCH for half in (rows[:2], rows[2:])]


class Clips:
    """A corpus in memory: noise of given lengths, and transcripts."""

    name = "train"
    sample_rate = RATE
    fingerprint = "noise"

    def __init__(self, seconds: Sequence[float]) -> None:
        self.durations = np.asarray(seconds)
        self.texts = [TEXTS[row % len(TEXTS)] for row in range(len(seconds))]
        self.ids = [f"clip-{row}" for row in range(len(seconds))]
        self.size = len(seconds)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> Utterance:
        seconds = float(self.durations[row])
        return Utterance(self.ids[row], self.texts[row], seconds, "", "", "")

    def read_audio(self, row: int) -> np.ndarray:
        noise = np.random.default_rng(row).standard_normal(round(RATE * self.durations[row]))
        return (0.1 * noise).astype(np.float32)


class FixedPlan(NumberedBatches):
    """Given batches, every epoch the same; with two ranks they take turns."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._batches = batches
        self._ranks = distributed.world_size()
        self.rank = distributed.rank()
        self.batches_per_epoch = len(batches) // self._ranks

    def batch(self, epoch: int, index: int, rank: int = 0) -> list[tuple[int, float]]:
        rows = self._batches[index * self._ranks + rank]
        return [row if isinstance(row, tuple) else (row, 1.0) for row in rows]

    def copies(self, epoch: int, index: int, rank: int = 0) -> list[int]:
        return [0] * len(self.batch(epoch, index, rank))


@dataclass(frozen=True)
class Outcome:
    """What the optimizer saw in the last step, by parameter, and what came of it."""

    gradients: dict[str, torch.Tensor]
    weights: dict[str, torch.Tensor]
    loss: float
    gradient_norm: float


def build(name: str, folder: Path, dtype: torch.dtype, *, frozen_norms: bool = True) -> Family:
    """A family with random weights, the same every time, without anything random in training."""
    settings = dict(FAMILIES[name])
    for part in ("pretrained", "encoder_model_name"):
        if part in settings:
            settings[part] = str(standin(folder, settings[part]))
    if "encoder_model_name" in settings:
        settings["decoder_model_name"] = str(standin(folder, "chat_lm"))
    config = ModelConfig(
        encoder=EncoderConfig(
            hidden_size=16, layers=2, heads=2, feed_forward_size=32, conv_kernel_size=5,
            subsampling_channels=4, mel_bins=24,
        ),
        vocab_size=40, projector=ProjectorConfig(stack=5, hidden_size=32), lora_r=4, lora_alpha=8,
    )  # fmt: skip
    seed_everything(1)
    family = registry.build(
        dataclasses.replace(config, **settings), texts=TEXTS, sample_rate=RATE, offline=True
    )
    family.model.to(dtype)
    take_randomness_out(family.model)
    with torch.no_grad():  # LoRA's second matrices begin at zero, and so would the first's gradient
        for name_of, parameter in family.model.named_parameters():
            if "lora_B" in name_of:
                parameter.normal_(std=0.05)
    if frozen_norms:
        for module in family.model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.eval()
                module.train = lambda mode=True, kept=module: kept  # type: ignore[method-assign]

    def cast(module: Any, positional: Any, named: dict[str, Any]) -> Any:
        return positional, {
            key: value.to(dtype) if torch.is_tensor(value) and value.is_floating_point() else value
            for key, value in named.items()
        }

    family.model.register_forward_pre_hook(cast, with_kwargs=True)
    return family


def standin(folder: Path, kind: str) -> Path:
    """The folder of a stand-in, written when it is first asked for."""
    path = folder / kind
    return path if path.exists() else standins.write(path, kind)


def take_randomness_out(model: torch.nn.Module) -> None:
    """No dropout, no dropped layers, no masks, under whatever name a class has them."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for holder in (module, getattr(module, "config", None)):
            for name, value in list(vars(holder).items()) if holder is not None else []:
                random = "drop" in name or name in ("mask_time_prob", "mask_feature_prob")
                if random and isinstance(value, float):
                    setattr(holder, name, 0.0)


def settings_of(accumulation: int, **training: Any) -> Config:
    """Plain SGD on the CPU, and nothing else that changes a weight."""
    config = Config()
    settings = {
        "use_cpu": True, "optim": "sgd", "learning_rate": 0.05, "lr_scheduler_type": "constant",
        "warmup_steps": 0.0, "weight_decay": 0.0, "max_grad_norm": 0.0, "max_steps": 1,
        "gradient_accumulation_steps": accumulation, "per_device_train_batch_size": 8,
        "dataloader_num_workers": 0, "logging_steps": 1, "eval_strategy": "no",
        "report_to": ["none"], "disable_tqdm": True, **training,
    }  # fmt: skip
    return dataclasses.replace(config, training=dataclasses.replace(config.training, **settings))


def in_copies(config: Config, family: Family) -> Config:
    """With each utterance masked twice, where the family's loss is of two copies."""
    if not (weight := getattr(family, "_consistency", 0.0)):
        return config
    masks = SpecAugmentConfig(time_masks=2, time_mask_fraction=0.2, frequency_masks=2)
    augmentation = dataclasses.replace(config.data.augmentation, spec_augment=masks)
    return dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, ctc_consistency=weight),
        data=dataclasses.replace(config.data, augmentation=augmentation),
    )


def outcome(
    family: Family,
    batches: Sequence[Batch],
    *,
    seconds: Sequence[float] = EQUAL_SECONDS,
    accumulation: int | None = None,
    **training: Any,
) -> Outcome:
    """Train a family on these batches; without ``accumulation`` they are one optimizer step."""
    if accumulation is None:
        accumulation = len(batches) // distributed.world_size()
    names = {id(value): name for name, value in family.model.named_parameters()}
    seen: dict[str, torch.Tensor] = {}

    def look(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    seen[names[id(parameter)]] = parameter.grad.detach().clone()

    hook = register_optimizer_step_pre_hook(look)
    with tempfile.TemporaryDirectory() as directory, silence():
        try:
            result = train(
                family, Clips(seconds), FixedPlan(batches),  # type: ignore[arg-type]
                in_copies(settings_of(accumulation, **training), family),
                output_directory=Path(directory), evaluate=lambda step: {},
            )  # fmt: skip
        finally:
            hook.remove()
    weights = {name: value.detach().clone() for name, value in family.model.named_parameters()}
    logged = result.history[-1]
    return Outcome(seen, weights, logged["loss"], logged["grad_norm"])


def several_steps(
    name: str, folder: Path, batches: Sequence[Batch], steps: int
) -> dict[str, torch.Tensor]:
    """Trained weights after SGD steps of a batch a rank each, clipped, in fp64."""
    family = build(name, folder, torch.float64)
    made = outcome(family, batches, accumulation=1, max_steps=steps, max_grad_norm=1.0)
    trained = {name for name, value in family.model.named_parameters() if value.requires_grad}
    return {name: made.weights[name] for name in trained}


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep what a training says to itself."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def difference(found: dict[str, torch.Tensor], reference: dict[str, torch.Tensor]) -> float:
    """Norm of the difference over the norm, where it is largest among the parameters."""
    assert found.keys() == reference.keys() and reference, found.keys() ^ reference.keys()
    full = torch.stack([value.double().norm() for value in reference.values()]).norm()
    return max(
        float((found[name].double() - value.double()).norm())
        / max(float(value.double().norm()), SMALLEST_SHARE * float(full))
        for name, value in reference.items()
    )


def full_difference(found: dict[str, torch.Tensor], reference: dict[str, torch.Tensor]) -> float:
    """Norm of the difference over the norm, of all parameters as one vector."""

    def norm(values: Iterable[torch.Tensor]) -> float:
        return float(torch.stack([value.double().norm() for value in values]).norm())

    apart = (found[name] - value for name, value in reference.items())
    return norm(apart) / norm(reference.values())


def has_batch_norm(family: Family) -> bool:
    """Whether a BatchNorm is trained in it."""
    return any(
        isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
        and any(parameter.requires_grad for parameter in module.parameters())
        for module in family.model.modules()
    )


def cost(name: str, folder: Path, *, frozen_norms: bool, seconds: Sequence[float]) -> str:
    """Difference of one batch of eight and eight of one, in fp64; - without BatchNorm."""
    first = build(name, folder, torch.float64, frozen_norms=frozen_norms)
    if not frozen_norms and not has_batch_norm(first):
        return "-"
    second = build(name, folder, torch.float64, frozen_norms=frozen_norms)
    full = outcome(first, FULL, seconds=seconds)
    split = outcome(second, SINGLE, seconds=seconds)
    return f"{full_difference(split.gradients, full.gradients):.1e}"
