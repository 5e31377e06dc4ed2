"""What can be known of a model's structure before its weights are loaded, or data prepared.

A model is built without memory (on torch's device ``meta``) from its configuration alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mynah.config.tuning import LORA, tuning
from mynah.models.lora import adapters
from mynah.models.pretrained import hub
from mynah.models.pretrained.attention import check_attention
from mynah.models.pretrained.part import PretrainedPart
from mynah.models.speech_llm.lora_targets import shared_out

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig

_HEADS = ("lm_head", "ctc_head", "ctc", "joint.head")  # trained in full where LoRA adapts the rest

# Auto classes of recognizers of which one part may be frozen while LoRA adapts the other.
_IN_TWO_PARTS = ("AutoModelForTDT", "AutoModelForRNNT", "AutoModelForSpeechSeq2Seq")


def check_structure(config: ModelConfig, parts: dict[str, PretrainedPart]) -> None:
    """Find out whether the attention and the LoRA targets asked for are there.

    Args:
        config: The ``model`` section.
        parts: The pretrained parts by their setting, as ``pretrained``; those that are
            checkpoints of our own in several places left out.

    Raises:
        UserError: A part has no such attention, or a target matches nothing.
    """
    learns = tuning(config)
    adapted = {
        "pretrained": learns.adapts,
        "encoder_model_name": learns.encoder == LORA,
        "decoder_model_name": learns.decoder == LORA,
    }
    wanted = config.lora_target_modules if learns.adapts else None
    if config.attn_implementation is None and not wanted:
        return
    candidates: dict[str, list[str]] = {}
    frozen: list[str] = []
    for setting, part in parts.items():
        written = hub.load_config(part)
        kind = _auto_class(setting, written)
        if kind is None:
            continue
        check_attention(kind, part, written)
        if wanted and adapted[setting]:
            side = "encoder" if setting == "encoder_model_name" else "decoder"
            model = _without_memory(kind, written, part)
            candidates[side] = [] if model is None else adapters.adaptable_modules(model)
            in_two = setting == "pretrained" and kind.__name__ in _IN_TWO_PARTS
            if model is not None and in_two:
                candidates[side], frozen = adapters.by_frozen(model, candidates[side], learns)
    if not wanted or not candidates or not all(candidates.values()):
        return
    if config.decoder_model_name is not None:
        shared_out(wanted, candidates, learns)
        return
    ((_, paths),) = candidates.items()
    found = [path for path in paths if path not in _HEADS]
    heads = [path for path in paths if path in _HEADS]
    adapters.matching(wanted, found, in_full=heads, frozen=frozen)


def _auto_class(setting: str, written: Any) -> Any:
    """The auto class that loads a part, or None where it is one of a model's own."""
    import transformers

    if setting == "decoder_model_name":
        names = ["AutoModelForCausalLM"]
    else:
        names = [
            "AutoModelForCTC",
            "AutoModelForTDT",
            "AutoModelForRNNT",
            "AutoModelForSpeechSeq2Seq",
            "AutoModelForMultimodalLM",
            "AutoModel",
        ]
    autos = [getattr(transformers, name) for name in names]
    return next((auto for auto in autos if type(written) in auto._model_mapping), None)


def _without_memory(kind: Any, written: Any, part: PretrainedPart) -> Any:
    """The model on torch's device ``meta``; None where it needs its weights to be initialized, and
    the check has to wait for them."""
    import torch

    try:
        with hub.quiet(), torch.device("meta"):
            return kind.from_config(written, trust_remote_code=part.trust_remote_code)
    except (RuntimeError, NotImplementedError, ValueError):
        return None
