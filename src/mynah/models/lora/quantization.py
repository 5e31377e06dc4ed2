"""Frozen weights in four bits, for LoRA on a CUDA GPU (QLoRA, arXiv 2305.14314)."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from mynah import console
from mynah.config.checks.models.precision import EXTRA
from mynah.errors import UserError

# The key of a checkpoint's config.json that says in what its base was held.
QUANTIZATION_RECORD = "mynah_quantization"

FOUR_BITS = "4bit"

# What is never held in four bits: heads, and what joins an encoder to what follows it. It is
# small, and what it scores or hands on would be all the coarser. Granite's encoders score in the
# middle (out), and hand that on (out_mid).
NEVER_QUANTIZED = (
    "lm_head", "ctc_head", "ctc", "proj_out", "joint", "encoder_projector", "decoder_projector",
    "projector", "multi_modal_projector", "audio_projector", "classifier",
    r"encoder\.out", r"encoder\.out_mid",
)  # fmt: skip

_ALLOWED = ContextVar("quantization allowed", default=True)


def config_4bit() -> Any:
    """NF4 with double quantization, computed in bfloat16 where the GPU can (section 3)."""
    import torch
    from transformers import BitsAndBytesConfig

    on_gpu = torch.cuda.is_available()
    computed = torch.bfloat16 if on_gpu and torch.cuda.is_bf16_supported() else torch.float16
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=computed if on_gpu else torch.float32,
        # They are expressions, read from the beginning of a module's path.
        llm_int8_skip_modules=[rf"(?:.*\.)?{name}" for name in NEVER_QUANTIZED],
    )


def prepared_for_lora(model: Any) -> Any:
    """A quantized model, frozen, with all that is not quantized in float32."""
    from peft import prepare_model_for_kbit_training

    model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    # What was quantized here is not stored so: a checkpoint's configuration must not say it is.
    for module in model.modules():
        config = getattr(module, "config", None)
        if config is not None and hasattr(config, "quantization_config"):
            del config.quantization_config
    return model


def holds_four_bits(model: Any) -> bool:
    """Whether any layer of a model is bitsandbytes' own."""
    return any(type(module).__name__ == "Linear4bit" for module in model.modules())


def check_device() -> None:
    """Raise where weights in four bits cannot be used.

    Raises:
        UserError: There is no CUDA GPU, or bitsandbytes is missing.
    """
    if problem := _problem():
        what, fix = problem
        raise UserError(what, where="model.quantization=4bit", fix=fix)


def _problem() -> tuple[str, str] | None:
    import torch

    if not torch.cuda.is_available():
        there = "an Apple GPU" if torch.backends.mps.is_available() else "none"
        return (
            f"Weights in four bits need a CUDA GPU, and there is {there}.",
            "model.quantization=null",
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        return "Weights in four bits need the package bitsandbytes.", EXTRA
    return None


def quantization_here(recorded: str | None) -> str | None:
    """How the base of a checkpoint is to be held: as in its training, where that can be.

    Args:
        recorded: What it was held in while it was trained.
    """
    if recorded is None or is_full_precision_wanted():
        return None
    if problem := _problem():
        console.notice(
            "This checkpoint was trained on weights in four bits and runs on float32 ones here, "
            f"so that its scores differ a little. {problem[0]}"
        )
        return None
    return recorded


def is_full_precision_wanted() -> bool:
    """Whether :func:`in_full_precision` is around."""
    return not _ALLOWED.get()


@contextlib.contextmanager
def in_full_precision(wanted: bool = True) -> Iterator[None]:
    """Within, where it is wanted, every checkpoint is loaded in float32, whatever it was trained
    on."""
    before = _ALLOWED.set(_ALLOWED.get() and not wanted)
    try:
        yield
    finally:
        _ALLOWED.reset(before)
