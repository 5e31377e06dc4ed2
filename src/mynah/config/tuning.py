"""How each part of a model learns: left as it is, adapted with LoRA, or trained in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig

FROZEN = "frozen"
LORA = "lora"
FULL = "full"
PARTS = ("encoder", "projector", "decoder")


@dataclass(frozen=True)
class Tuning:
    """What is done with each part of a model.

    Attributes:
        encoder: ``"frozen"``, ``"lora"`` or ``"full"``: what encodes audio.
        projector: ``"frozen"`` or ``"full"``: what joins it to a language model.
        decoder: ``"frozen"``, ``"lora"`` or ``"full"``: what writes, be it a language model, the
            decoder of a recognizer or the head behind its encoder.
    """

    encoder: str
    projector: str
    decoder: str

    @property
    def adapts(self) -> bool:
        """Whether any part gets LoRA."""
        return LORA in (self.encoder, self.decoder)


def tuning_of_recognizer(model: ModelConfig) -> Tuning:
    """What is done with the parts of one full pretrained recognizer."""
    adapts = model.use_lora or LORA in (model.encoder_tuning, model.decoder_tuning)
    rest = LORA if adapts else FULL
    return Tuning(model.encoder_tuning or rest, FULL, model.decoder_tuning or rest)


def tuning_of_parts(model: ModelConfig) -> Tuning:
    """What is done with speech encoder, projector and language model of a ``speech_llm``."""
    pretrained = model.pretrained or model.encoder_model_name
    return Tuning(
        encoder=model.encoder_tuning or (FROZEN if pretrained else FULL),
        projector=model.projector_tuning or FULL,
        decoder=model.decoder_tuning or (LORA if model.use_lora else FULL),
    )


def tuning(model: ModelConfig) -> Tuning:
    """What is done with the parts of the model that the settings name."""
    return tuning_of_parts(model) if model.decoder_model_name else tuning_of_recognizer(model)


def target_of(target: str) -> tuple[str | None, str]:
    """A LoRA target of a ``speech_llm`` as the part it is meant in (None: any) and its path there.

    ``encoder.q_proj`` is meant in the encoder, ``decoder.layers.0.q_proj`` in the language model.
    """
    part, dot, path = target.partition(".")
    return (part, path) if dot and part in ("encoder", "decoder") else (None, target)
