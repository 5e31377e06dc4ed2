"""The record of an audio LLM: all that differs between the architectures of this family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mynah.models.audio_llm.processor import Processor

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

    from mynah.models.audio_llm.frontend import AudioFrontend
    from mynah.models.audio_llm.prompts import Requests
    from mynah.models.pretrained.part import PretrainedPart


P = TypeVar("P", bound=Processor)


@dataclass(frozen=True)
class Modules:
    """Which module of a model is of which part, by paths as ``named_modules`` has them.

    Attributes:
        encoder: What turns audio into frames.
        projector: What joins its frames to the language model; may be empty.
        decoder: The language model and what makes tokens of its output.
        idle: What no gradient of a transcription reaches, as encoders of images: never
            trained, and counted with the encoder.

    What is in none of them is of the decoder. The defaults are the names that most have.
    """

    encoder: tuple[str, ...] = ("model.audio_tower",)
    projector: tuple[str, ...] = ("model.multi_modal_projector",)
    decoder: tuple[str, ...] = ("model.language_model", "lm_head")
    idle: tuple[str, ...] = ()

    @property
    def named(self) -> tuple[str, ...]:
        """All paths that a model must have."""
        return (*self.encoder, *self.projector, *self.decoder)

    def part_of(self, name: str) -> str:
        """``"encoder"``, ``"projector"`` or ``"decoder"``: what a parameter or module is of.

        Args:
            name: Its path in the model or in what peft made of it.
        """
        path = name.removeprefix("base_model.model.")
        if _is_within(path, self.encoder) or self.is_idle(path):
            return "encoder"
        return "projector" if _is_within(path, self.projector) else "decoder"

    def is_idle(self, path: str) -> bool:
        """Whether no gradient reaches a parameter or module of the model."""
        return _is_within(path, self.idle)


def _is_within(path: str, modules: tuple[str, ...]) -> bool:
    return f"{path}.".startswith(tuple(f"{module}." for module in modules))


def auto_processor(part: PretrainedPart) -> Any:
    """The processor that transformers finds beside a model."""
    from transformers import AutoProcessor

    from mynah.models.pretrained import hub

    auto: Any = AutoProcessor
    return hub.from_pretrained(auto, part)


def multimodal_model(part: PretrainedPart, config: PreTrainedConfig) -> PreTrainedModel:
    """The model that transformers lists among its multimodal language models, in fp32.

    Raises:
        UserError: It cannot be had, or its weights are incomplete.
    """
    from transformers import AutoModelForMultimodalLM

    from mynah.models.pretrained import weights

    model: PreTrainedModel = weights.load_weights(AutoModelForMultimodalLM, part, config=config)
    return model


@dataclass(frozen=True)
class Architecture(Generic[P]):
    """How one audio LLM is loaded, what it is given, and which of its modules is what.

    It is found by the ``model_type`` of a model's ``config.json``: see
    :data:`mynah.models.audio_llm.registry.ARCHITECTURES`. Its module is imported before
    anything of such a model is loaded, so that classes of its own can be registered there with
    transformers' ``AutoConfig``, ``AutoModelForMultimodalLM`` and ``AutoProcessor``.

    Attributes:
        frontend: Makes features of audio and counts audio tokens; from the model's processor
            and configuration.
        requests: Writes the transcription request; from the processor, ``model.prompt`` and
            ``model.language``. It raises UserError where the model does not support them.
        modules: Encoder, projector and decoder.
        processor: Loads the processor. What it raises as OSError, ValueError, TypeError or
            AttributeError becomes an error that names the model.
        model: Loads the model with its configuration, in fp32 and strictly. An adapter that
            transformers found beside the weights is merged afterwards.
        trains_encoder: Whether the encoder's forward pass has gradients.
        noise_switch: The argument of ``forward`` and ``generate`` that turns on noise which the
            model adds in training, or None.
    """

    frontend: Callable[[P, PreTrainedConfig], AudioFrontend]
    requests: Callable[[P, str | None, str | None], Requests]
    modules: Modules = Modules()
    processor: Callable[[PretrainedPart], P] = auto_processor
    model: Callable[[PretrainedPart, PreTrainedConfig], PreTrainedModel] = multimodal_model
    trains_encoder: bool = True
    noise_switch: str | None = None
