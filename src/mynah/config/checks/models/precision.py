"""The precision that frozen weights are held in, and what it can be asked of."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mynah.config.tuning import FROZEN, tuning

if TYPE_CHECKING:
    from mynah.config.checks.checker import Checker
    from mynah.config.schema import Config

EXTRA = "pip install 'mynah-asr[quantization]'"


def check_precision(checker: Checker) -> None:
    """Report a quantization that cannot be: before torch is imported, as far as it is known."""
    config = checker.config
    model = config.model
    if model.quantization is None or config.eval_checkpoint is not None:
        return
    without = "model.quantization=null"
    if not (model.pretrained or model.encoder_model_name or model.decoder_model_name):
        checker.wrong(
            "model.quantization",
            "There are no weights to hold in four bits: nothing pretrained is named.",
            without,
        )
    elif not tuning(model).adapts:
        checker.wrong(
            "model.quantization",
            "Weights in four bits can be adapted with LoRA, and not be trained: nothing is "
            "adapted here.",
            ["model.quantization=4bit", "model.use_lora=true"],
        )
    elif getattr(config.training, "use_cpu", False) or sys.platform == "darwin":
        device = "the CPU (training.use_cpu)" if sys.platform != "darwin" else "a Mac"
        checker.wrong(
            "model.quantization",
            f"Weights in four bits need a CUDA GPU, and this run is on {device}.",
            without,
        )
    elif importlib.util.find_spec("bitsandbytes") is None:
        checker.wrong(
            "model.quantization",
            f"Weights in four bits need the package bitsandbytes: {EXTRA}",
            without,
        )


def precision_notices(config: Config) -> Iterator[str]:
    """What a person should know of the precision asked for, one sentence each."""
    model = config.model
    if model.dtype in (None, "float32") or config.eval_checkpoint is not None:
        return
    named = model.pretrained or model.encoder_model_name or model.decoder_model_name
    parts = tuning(model)
    if not named or not (parts.adapts or FROZEN in (parts.encoder, parts.projector, parts.decoder)):
        yield (
            f"model.dtype={model.dtype} has no effect: it is of frozen weights, and all are "
            "trained, in float32 (training.bf16=true computes in bfloat16)."
        )
    elif model.dtype == "float16":
        if getattr(config.training, "use_cpu", False):
            yield "model.dtype=float16 is slow on a CPU, where float32 is the fastest."
        elif not config.training.fp16:
            yield (
                "model.dtype=float16 computes in half precision, in which small gradients vanish: "
                "training.fp16=true scales the loss, and model.dtype=bfloat16 has no such limit."
            )
