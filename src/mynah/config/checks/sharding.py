"""What ``training.fsdp`` cannot be combined with."""

from __future__ import annotations

import re
from importlib import metadata

from mynah.config.checks.checker import Checker
from mynah.config.values import typed

# Each step of theirs is of one value alone, or gathers what it looks at: a part of a weight
# learns what it would learn in the full one. muon gathers each matrix.
OPTIMIZERS = ("adamw_torch", "adamw_torch_fused", "sgd", "adagrad", "rmsprop", "muon")
_LOWEST_TORCH = (2, 13)  # the first whose fully_shard knows weights that a step leaves out
_OFF = "training.fsdp=false"


def check_sharding(checker: Checker) -> None:
    """Report what sharded weights cannot be trained with."""
    config = checker.config
    training = config.training
    if not training.fsdp or config.eval_checkpoint is not None:
        return
    installed = metadata.version("torch")
    if tuple(int(number) for number in re.findall(r"\d+", installed)[:2]) < _LOWEST_TORCH:
        checker.wrong(
            "training.fsdp",
            f"Sharded training needs torch {'.'.join(map(str, _LOWEST_TORCH))} or newer, and this "
            f"is {installed}.",
            _OFF,
        )
    if training.optim not in (None, *OPTIMIZERS):
        checker.wrong(
            "training.optim",
            f"training.optim={typed(training.optim)} has not been tried with training.fsdp, where "
            "it would see a part of each weight and could differ without a word: "
            f"{', '.join(OPTIMIZERS)} take the same steps.",
            "training.optim=adamw_torch",
        )
    if config.model.quantization is not None:
        checker.wrong(
            "training.fsdp",
            "Weights in four bits are packed, and cannot be sharded (model.quantization).",
            _OFF,
        )
    if training.fp16:
        checker.wrong(
            "training.fp16",
            "The scale of fp16's loss has not been tried with training.fsdp; bf16 needs none.",
            "training.fp16=false",
        )
    if getattr(training, "torch_compile", False):
        checker.wrong(
            "training.torch_compile",
            "torch.compile has not been tried around weights that are gathered layer by layer "
            "(training.fsdp).",
            "training.torch_compile=false",
        )
    how = getattr(training, "gradient_checkpointing_kwargs", None) or {}
    if training.gradient_checkpointing and how.get("use_reentrant"):
        checker.wrong(
            "training.gradient_checkpointing_kwargs",
            "Re-entrant checkpoints of activations have not been tried with training.fsdp; the "
            "others have.",
            remove=True,
        )
