"""How audio LLMs are loaded, and what is checked before their weights are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mynah.errors import UserError
from mynah.models.audio_llm.architecture import Architecture
from mynah.models.audio_llm.processor import Processor
from mynah.models.audio_llm.registry import ARCHITECTURES
from mynah.models.audio_llm.tuning import tuning_of
from mynah.models.pretrained import hub, hub_errors, weight_files
from mynah.models.pretrained.part import PretrainedPart
from mynah.models.pretrained.usage import RecordedUsage

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig


@dataclass(frozen=True)
class AudioLLMUsage(RecordedUsage):
    """How a model is used: recorded in its checkpoint, for who loads it.

    Attributes:
        prompt: ``model.prompt``: the instruction; None: its authors'.
        language: ``model.language``.
        generation_max_length: ``model.generation_max_length``.
    """

    prompt: str | None = None
    language: str | None = None
    generation_max_length: int = 256


def usage_of(config: ModelConfig, recorded: AudioLLMUsage) -> AudioLLMUsage:
    """What the settings ask for; the instruction that a checkpoint was trained with where they
    have none."""
    return AudioLLMUsage(
        prompt=config.prompt or recorded.prompt,
        language=config.language,
        generation_max_length=config.generation_max_length,
    )


def load_audio_llm(architecture: Architecture[Processor], part: PretrainedPart, config: Any) -> Any:
    """The model in fp32, whatever precision its file has, every weight accounted for.

    An adapter that lies beside the weights on the hub, as Granite Speech 3.3's or the one of
    Phi-4-multimodal for speech, is merged.

    Args:
        architecture: Its record.
        part: Where it is.
        config: Its configuration.

    Raises:
        UserError: It cannot be had, its weights are incomplete, or it does not have the modules
            that the record names.
    """
    model = architecture.model(part, config)
    if getattr(model, "_hf_peft_config_loaded", False):
        _merge_adapter_of_its_own(model)
    with ARCHITECTURES.blame(config.model_type):
        for path in architecture.modules.named:
            model.get_submodule(path)  # raises AttributeError where there is none
    return model


def _merge_adapter_of_its_own(model: Any) -> None:
    from peft.tuners.tuners_utils import BaseTunerLayer

    for path, module in list(model.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, module.get_base_layer())
    model._hf_peft_config_loaded = False
    del model.peft_config  # by which an adapted model is known
    model._weight_conversions = []  # the adapter's, which saving would turn back
    model.config.has_lora_adapter = False


def holds_adapter_alone(part: PretrainedPart) -> bool:
    """Whether a folder is an adapter of our own; Granite Speech has weights beside its own."""
    return part.is_folder and weight_files.adapter_alone(part.folder)


def audio_llm_processor(architecture: Architecture[Processor], part: PretrainedPart) -> Processor:
    """The model's processor.

    Raises:
        UserError: It has none.
    """
    try:
        with hub.quiet():
            found = architecture.processor(part)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{part.name} has no processor: {(str(error).splitlines() or ['?'])[0]}",
            where=part.setting,
            fix="Name a recognizer with its tokenizer and preprocessor_config.json.",
        ) from None
    if getattr(found, "tokenizer", None) is None:
        raise hub_errors.no_tokenizer(part.name, part.setting)
    return found


def check_audio_llm(config: ModelConfig, part: PretrainedPart, sample_rate: int) -> None:
    """Find what is wrong with the settings or the small files before weights are loaded.

    Raises:
        UserError: The model takes another rate, or does not support what is asked of it.
    """
    written = hub.load_config(part)
    if any(name.endswith("ForTokenClassification") for name in written.architectures or ()):
        raise UserError(
            f"{part.name} aligns words that it is given with audio, and does not write any.",
            where=part.setting,
            fix="Use the recognizer beside it, as Qwen/Qwen3-ASR-1.7B-hf.",
        )
    kind: str = written.model_type
    architecture = ARCHITECTURES.get(kind)
    found = audio_llm_processor(architecture, part)
    with ARCHITECTURES.blame(kind):
        rate = architecture.frontend(found, written).sample_rate
        architecture.requests(found, config.prompt, config.language)
    check_rate(rate, part, sample_rate)
    tuning_of(config, kind)


def rate_of(part: PretrainedPart) -> int:
    """Hertz of the audio that a model takes.

    Raises:
        UserError: It has no processor.
    """
    written = hub.load_config(part)
    architecture = ARCHITECTURES.get(written.model_type)
    found = audio_llm_processor(architecture, part)
    with ARCHITECTURES.blame(written.model_type):
        return architecture.frontend(found, written).sample_rate


def check_rate(rate: int, part: PretrainedPart, sample_rate: int) -> None:
    """Raise where the audio would be of another rate than the model's, in hertz both."""
    if rate != sample_rate:
        raise UserError(
            f"{part.name} takes {rate} Hz, and data.sample_rate is {sample_rate}.",
            where=part.setting,
            fix=f"data.sample_rate={rate}",
        )


def context_length(config: Any) -> int | None:
    """Most tokens that the language model holds, audio included, or None."""
    found: int | None = getattr(config.get_text_config(), "max_position_embeddings", None)
    return found


def end_tokens(model: Any) -> list[int]:
    """The tokens at which the model stops, as its configurations say.

    Raises:
        UserError: No configuration says one.
    """
    for config in (model.generation_config, model.config, model.config.get_text_config()):
        found = getattr(config, "eos_token_id", None)
        if found is not None:
            return [int(one) for one in (found if isinstance(found, (list, tuple)) else [found])]
    raise UserError(
        "The model's configuration does not say which token ends a text.",
        where="model.pretrained",
        fix="Set eos_token_id in its config.json, or name another model.",
    )
