"""What is trained of an audio LLM, by encoder, projector and decoder."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from mynah.config.tuning import FROZEN, FULL, LORA, Tuning
from mynah.errors import UserError
from mynah.models.audio_llm.registry import ARCHITECTURES
from mynah.models.lora import adapters
from mynah.models.pretrained import hub

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig
    from mynah.models.audio_llm.architecture import Modules
    from mynah.models.pretrained.part import PretrainedPart

# Sinusoids of encoders after Whisper's, which transformers names alike in all of them.
_FIXED = "embed_positions"


def tuning_of(config: ModelConfig, kind: str) -> Tuning:
    """What is done with each part: LoRA is the language model's unless settings say more.

    Args:
        config: The ``model`` section.
        kind: The model's type, one of the registered audio LLMs.

    Raises:
        UserError: The encoder is one that cannot be trained, or nothing would be.
    """
    adapts = config.use_lora or LORA in (config.encoder_tuning, config.decoder_tuning)
    rest = FROZEN if adapts else FULL
    never = not ARCHITECTURES.get(kind).trains_encoder
    if never and config.encoder_tuning not in (None, FROZEN):
        raise UserError(
            f"The encoders of a {kind} stay frozen: transformers runs them without gradients.",
            where=f"model.encoder_tuning={config.encoder_tuning}",
            fix="model.encoder_tuning=null",
        )
    found = Tuning(
        encoder=FROZEN if never else config.encoder_tuning or rest,
        projector=config.projector_tuning or rest,
        decoder=config.decoder_tuning or (LORA if adapts else FULL),
    )
    if found.encoder == found.projector == found.decoder == FROZEN:
        raise UserError(
            "Nothing would be trained: encoder, projector and language model are frozen.",
            where="model.decoder_tuning",
            fix="model.decoder_tuning=full",
        )
    return found


def freeze_audio_llm(model: Any, learns: Tuning, modules: Modules) -> None:
    """Let train what is trained in full, but what is idle or of fixed positions.

    Args:
        model: The model.
        learns: What is done with each part.
        modules: Which of its modules is of which part.
    """
    for name, parameter in model.named_parameters():
        full = getattr(learns, modules.part_of(name)) == FULL
        parameter.requires_grad_(full and _FIXED not in name and not modules.is_idle(name))


def add_lora_to_parts(
    model: Any, config: ModelConfig, learns: Tuning, part: PretrainedPart, modules: Modules
) -> Any:
    """The model with LoRA in the parts that get it; parts trained in full are trained beside it.

    Args:
        model: The model.
        config: The ``model`` section.
        learns: What is done with each part.
        part: Where the weights are from.
        modules: Which of its modules is of which part.

    Raises:
        UserError: A target names no module that LoRA can adapt.
    """
    paths = [
        path
        for path in adapters.adaptable_modules(model)
        if getattr(learns, modules.part_of(path)) == LORA and not modules.is_idle(path)
    ]
    if config.lora_target_modules is not None:
        paths = adapters.matching(config.lora_target_modules, paths)
    heads = [
        path
        for name in ("encoder", "projector", "decoder")
        if getattr(learns, name) == FULL
        for path in getattr(modules, name)
    ]
    return adapters.add_lora(
        model,
        dataclasses.replace(config, lora_target_modules=paths),
        heads=heads,
        base=part.lasting_name,
        revision=hub.lasting_revision(part),
    )
