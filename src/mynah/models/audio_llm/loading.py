"""Speech LLMs that transformers ships: which, how they are loaded, and what they are made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.config.tuning import FROZEN, FULL, LORA, Tuning
from mynah.errors import UserError
from mynah.models.lora import adapters
from mynah.models.pretrained import hub, weight_files, weights
from mynah.models.pretrained.part import PretrainedPart

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig

SUPPORTED = (
    "qwen3_asr",
    "granite_speech",
    "granite_speech_plus",
    "voxtral",
    "glmasr",
    "fun_asr_nano",
    "qwen2_audio",
    "audioflamingo3",
    "vibevoice_asr",
    "moss_transcribe_diarize",
    "phi4_multimodal",
    "qwen2_5_omni",
    "qwen2_5_omni_thinker",
)
# What else transformers lists that hears and writes, and why it is not trained here.
UNSUPPORTED = {
    "voxtral_realtime": "it listens to a stream, and its text is delayed",
    "kyutai_speech_to_text": "it listens to a stream of codes, and its text is delayed",
    "musicflamingo": "it describes music",
    "nemo_speechlm": "its speakers and times come from further encoders, which transcripts do "
    "not teach",
    "gemma3n": "its image encoder is timm's, which is not installed with transformers",
    "gemma4": "it sees images and videos beside what it hears",
    "gemma4_unified": "it sees images and videos beside what it hears",
    "qwen3_omni_moe": "it speaks its answers too, with a second language model",
}
# Of the parameters' names, behind which comes what hears and what joins it to the language model.
_ENCODERS = (
    "model.audio_tower.",
    "model.encoder.",
    "model.acoustic_tokenizer_encoder.",
    "model.semantic_tokenizer_encoder.",
    "model.embed_tokens_extend.audio_embed.encoder.",
)
_PROJECTORS = (
    "model.multi_modal_projector.",
    "model.projector.",
    "model.embed_tokens_extend.audio_embed.up_proj_for_speech.",
    "model.embed_tokens_extend.audio_embed.down_proj_for_speech.",
)
# What is for images, or for nothing: no gradient reaches it.
_IDLE = (
    "model.visual.",
    "model.audio_tower.audio_bos_eos_token.",
    "model.embed_tokens_extend.image_embed.",
    "model.embed_tokens_extend.audio_embed.up_proj_for_vision_speech.",
    "model.embed_tokens_extend.audio_embed.down_proj_for_vision_speech.",
)
_DECODERS = ("model.language_model", "model.layers", "model.norm", "model.embed_tokens", "lm_head")
# Where Phi-4-multimodal keeps the matrices that make it hear.
_SPEECH_LORA = "speech-lora"
# Encoders that run without gradients in transformers' own forward pass.
_NEVER_TRAINED = ("vibevoice_asr",)
_RECORD = "mynah"  # the key of config.json that Usage is kept under


@dataclass(frozen=True)
class Usage:
    """How a model is used: recorded in its checkpoint, for who loads it.

    Attributes:
        prompt: ``model.prompt``: the instruction; None: its authors'.
        language: ``model.language``.
        generation_max_length: ``model.generation_max_length``.
    """

    prompt: str | None = None
    language: str | None = None
    generation_max_length: int = 256

    @classmethod
    def of(cls, config: Any) -> Usage:
        """What a model's configuration records, or the defaults of untuned weights."""
        held = getattr(config, _RECORD, None) or {}
        return cls(**{one.name: held[one.name] for one in fields(cls) if one.name in held})

    def record(self, model: Any) -> None:
        """Write it into a model's configuration."""
        setattr(model.config, _RECORD, asdict(self))


def load(part: PretrainedPart, config: Any) -> Any:
    """The model in fp32, whatever precision its file has, every weight accounted for.

    An adapter that lies beside the weights on the hub, as Granite Speech 3.3's or the one of
    Phi-4-multimodal for speech, is merged.

    Args:
        part: Where it is.
        config: Its configuration.

    Raises:
        UserError: It is not to be had, or its weights are not whole.
    """
    import transformers

    kind: Any = transformers.AutoModelForMultimodalLM
    if config.model_type == "audioflamingo3":  # which transformers lists elsewhere
        kind = transformers.AutoModelForSeq2SeqLM
    elif config.model_type == "qwen2_5_omni":  # what writes, without what speaks
        kind = transformers.Qwen2_5OmniThinkerForConditionalGeneration
        config = config.thinker_config
    model = weights.load(kind, part, config=config)
    if config.model_type == "phi4_multimodal":
        _add_speech_lora(model, part)
    if getattr(model, "_hf_peft_config_loaded", False):
        _merge_adapter_of_its_own(model)
    if (adaptor := getattr(model.config, "adaptor_config", None)) is not None:
        # transformers sets it for models alone, and without it Fun-ASR's adaptor hears padding.
        adaptor._attn_implementation = model.config.audio_config._attn_implementation
    return model


def _add_speech_lora(model: Any, part: PretrainedPart) -> None:
    """Phi-4-multimodal's own, where it is still apart: a checkpoint of ours has it merged."""
    if hub.fetch(part, f"{_SPEECH_LORA}/adapter_config.json") is None:
        return
    options = {
        "subfolder": _SPEECH_LORA,
        "revision": part.revision,
        "local_files_only": hub.is_local(part),
    }
    with hub.quiet():
        model.load_adapter(hub.place(part), adapter_name="hears", adapter_kwargs=options)


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
    return part.is_folder and weight_files.adapter_alone(Path(part.name))


def processor(part: PretrainedPart, kind: str) -> Any:
    """The model's processor, without what transformers needs torchaudio for.

    Raises:
        UserError: It has none.
    """
    from transformers import (
        AutoProcessor,
        Phi4MultimodalFeatureExtractor,
        WhisperFeatureExtractor,
    )

    from mynah.models.audio_llm.halves import HearingHalf

    try:
        with hub.quiet():
            if kind == "phi4_multimodal":
                found: Any = HearingHalf.of(part, Phi4MultimodalFeatureExtractor)
            elif kind.startswith("qwen2_5_omni"):
                found = HearingHalf.of(part, WhisperFeatureExtractor)
            elif kind.startswith("granite_speech") or kind == "fun_asr_nano":
                found = _processor_without_torchaudio(part, kind)
            else:
                found = AutoProcessor.from_pretrained(hub.place(part), **hub.options(part))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{part.name} has no processor: {(str(error).splitlines() or ['?'])[0]}",
            where=part.setting,
            fix="Name a recognizer with its tokenizer and preprocessor_config.json.",
        ) from None
    if getattr(found, "tokenizer", None) is None:
        raise UserError(
            f"{part.name} has no tokenizer.",
            where=part.setting,
            fix="Name a recognizer with its tokenizer.json.",
        )
    return found


def _processor_without_torchaudio(part: PretrainedPart, kind: str) -> Any:
    from transformers import AutoTokenizer, FunAsrNanoProcessor, GraniteSpeechProcessor

    from mynah.models.audio_llm import extractors as ours

    extractor, made = (
        (ours.FunAsrNanoFeatureExtractor, FunAsrNanoProcessor)
        if kind == "fun_asr_nano"
        else (ours.GraniteSpeechFeatureExtractor, GraniteSpeechProcessor)
    )
    written, _ = made.get_processor_dict(part.name, **hub.options(part))
    return made.from_args_and_dict(
        [
            extractor.from_pretrained(hub.place(part), **hub.options(part)),
            AutoTokenizer.from_pretrained(hub.place(part), **hub.options(part)),
        ],
        written,
    )


def check_settings(config: ModelConfig, part: PretrainedPart, sample_rate: int) -> None:
    """Find what is wrong with the settings or the small files before weights are loaded.

    Raises:
        UserError: The model hears another rate, or cannot be told what it is to be told.
    """
    from mynah.models.audio_llm.frontends import audio_llm_frontend
    from mynah.models.audio_llm.requests import requests_for

    written = hub.load_config(part)
    if any(name.endswith("ForTokenClassification") for name in written.architectures or ()):
        raise UserError(
            f"{part.name} aligns words that it is given with audio, and writes none.",
            where=part.setting,
            fix="Use the recognizer beside it, as Qwen/Qwen3-ASR-1.7B-hf.",
        )
    found = processor(part, written.model_type)
    check_rate(audio_llm_frontend(found, written).sample_rate, part, sample_rate)
    requests_for(written.model_type, found, prompt=config.prompt, language=config.language)
    tuning_of(config, written.model_type)


def check_rate(hears: int, part: PretrainedPart, sample_rate: int) -> None:
    """Raise where the audio would be of another rate than the model hears."""
    if hears != sample_rate:
        raise UserError(
            f"{part.name} hears {hears} Hz, and data.sample_rate is {sample_rate}.",
            where=part.setting,
            fix=f"data.sample_rate={hears}",
        )


def part_of(name: str) -> str:
    """``"encoder"``, ``"projector"`` or ``"decoder"``: what a parameter or module is of."""
    name = f"{name.removeprefix('base_model.model.')}."
    if name.startswith((*_ENCODERS, *_IDLE)):
        return "encoder"
    return "projector" if name.startswith(_PROJECTORS) else "decoder"


def tuning_of(config: ModelConfig, kind: str) -> Tuning:
    """What is done with each part: LoRA is the language model's unless settings say more.

    Raises:
        UserError: The encoder is one that cannot learn, or nothing would learn.
    """
    adapts = config.use_lora or LORA in (config.encoder_tuning, config.decoder_tuning)
    rest = FROZEN if adapts else FULL
    never = kind in _NEVER_TRAINED
    if never and config.encoder_tuning not in (None, FROZEN):
        raise UserError(
            f"The encoders of a {kind} stay as they are: transformers runs them without gradients.",
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


def freeze(model: Any, learns: Tuning) -> None:
    """Let train what is trained in full, but what is for images or of fixed positions."""
    for name, parameter in model.named_parameters():
        full = getattr(learns, part_of(name)) == FULL
        still = "embed_positions" in name or name.startswith(_IDLE)
        parameter.requires_grad_(full and not still)


def add_lora(model: Any, config: ModelConfig, learns: Tuning, part: PretrainedPart) -> Any:
    """The model with LoRA in the parts that get it; parts trained in full are kept whole.

    Raises:
        UserError: A target names no module that LoRA can adapt.
    """
    import dataclasses

    def of(tuning: str, path: str) -> bool:
        return getattr(learns, part_of(path)) == tuning

    paths = [
        path
        for path in adapters.adaptable_modules(model)
        if of(LORA, path) and not f"{path}.".startswith(_IDLE)
    ]
    if config.lora_target_modules is not None:
        paths = adapters.matching(config.lora_target_modules, paths)
    heads = [
        name.removesuffix(".")
        for name in (*_ENCODERS, *_PROJECTORS)
        if of(FULL, name) and _has(model, name.removesuffix("."))
    ]
    if learns.decoder == FULL:
        heads += [name for name in _DECODERS if _has(model, name)]
    return adapters.add_lora(
        model,
        dataclasses.replace(config, lora_target_modules=paths),
        heads=heads,
        base=str(Path(part.name).resolve()) if part.is_folder else part.name,
        revision=None if part.is_folder else hub.commit_of(part),
    )


def _has(model: Any, path: str) -> bool:
    try:
        model.get_submodule(path)
    except AttributeError:
        return False
    return True


def context_length(config: Any) -> int | None:
    """Most tokens that the language model holds, audio included, or None."""
    return getattr(config.get_text_config(), "max_position_embeddings", None)


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
