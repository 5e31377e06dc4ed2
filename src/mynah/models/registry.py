"""From settings, or from a checkpoint's directory, to a family."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mynah import console
from mynah.config.options import check_given
from mynah.config.schema import Nature
from mynah.config.settings import leaves
from mynah.errors import UserError, reading_checkpoint
from mynah.models.audio_llm.registry import ARCHITECTURES, UNSUPPORTED
from mynah.models.family import Family
from mynah.models.lora import adapters, quantization
from mynah.models.pretrained import bases, hub, hub_errors, sizes, structure, weight_files, weights
from mynah.models.pretrained.attention import check_attention
from mynah.models.pretrained.part import PretrainedName, PretrainedPart
from mynah.models.seq2seq import registry as seq2seq

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig

_SPEECH_LLM = "mynah_speech_llm"  # SpeechLLMConfig.model_type, here without importing torch


@dataclass(frozen=True)
class CheckedModel:
    """A model that was asked for, its names found and its settings known to fit.

    Attributes:
        config: The ``model`` section, with one word for what can be said in two.
        family: What it is of.
        parts: The pretrained parts that it names, found, by their setting.
        sample_rate: Hertz of the audio that it is for.
    """

    config: ModelConfig
    family: type[Family]
    parts: Mapping[str, PretrainedPart]
    sample_rate: int

    def build(self, texts: Iterable[str]) -> Family:
        """The model, initialized or with pretrained weights; nothing is asked for a second time.

        Args:
            texts: Training transcripts; they train a tokenizer where one is needed.

        Raises:
            UserError: Weights cannot be loaded, or settings do not fit them.
        """
        family = self.family.build(
            self.config, self.parts, texts=texts, sample_rate=self.sample_rate
        )
        weights.settle(family.model, self.config)
        return family


def build(config: ModelConfig, *, texts: Iterable[str], sample_rate: int, offline: bool) -> Family:
    """The family that ``config`` asks for: :func:`check`, and :meth:`CheckedModel.build`.

    Args:
        config: The ``model`` section.
        texts: Training transcripts; they train a tokenizer where one is needed.
        sample_rate: Hertz of the audio that the model is for.
        offline: Load nothing that is not on this machine.

    Raises:
        UserError: A name cannot be loaded, or settings do not fit the model.
    """
    return check(config, sample_rate=sample_rate, offline=offline).build(texts)


def load(
    directory: Path,
    *,
    offline: bool = False,
    attention: str | None = None,
    as_trained: bool = True,
) -> Family:
    """The family of a checkpoint, with its weights, strictly.

    Args:
        directory: The checkpoint.
        offline: Load nothing that is not on this machine.
        attention: Attention kernel, or None for the library's choice.
        as_trained: Hold what was frozen in the precision of its training; otherwise all weights
            are whole, and in float32.

    Raises:
        UserError: The directory is no checkpoint, its weights do not fit, or the weights it
            builds on are not to be had.
    """
    directory = Path(directory)
    if not (directory / "config.json").is_file():
        raise UserError(
            "This is no checkpoint: it has no config.json.",
            where=str(directory),
            fix="Name a directory checkpoint-N that a training wrote.",
        )
    part = hub.checkpoint(directory)
    held = contextlib.nullcontext() if as_trained else quantization.whole_weights()
    with held, reading_checkpoint(directory):
        sizes.check(directory)
        family = _family_of(part).load(directory, offline=offline)
        weights.hold_as_recorded(family.model, directory)
    if attention is not None:
        own = weights.own(family.model)
        check_attention(type(own), dataclasses.replace(part, attention=attention))
        own.set_attn_implementation(attention)
    return family


def family_name(part: PretrainedPart) -> str:
    """The family of a checkpoint or of a pretrained recognizer, before any of it is loaded.

    Raises:
        UserError: It cannot be had, or is of no family.
    """
    return _family_of(part).name


def check(config: ModelConfig, *, sample_rate: int, offline: bool) -> CheckedModel:
    """Find what is wrong with the names in ``config`` before anything is prepared or loaded.

    Only small files are fetched: configurations, tokenizers, and those of the feature extractor.

    Args:
        config: The ``model`` section.
        sample_rate: Hertz of the audio that the model is for.
        offline: Use nothing that is not on this machine.

    Raises:
        UserError: A name is unknown or out of reach, of an architecture that is not
            supported, with weights in pickle files alone, or of another sample rate.
    """
    config = _plain(config)
    parts = {
        setting: hub.resolve(PretrainedName.of(config, setting, offline=offline))
        for setting in leaves(Nature.NAME, "model")
        if getattr(config, setting) is not None
    }
    family = _family(config, parts)
    _check_told(config, family.name)
    check_given(
        "model.options",
        config.options,
        getattr(family, "Options", None),
        f"the family {family.name}",
    )
    ours = {setting for setting, part in parts.items() if _is_ours(part)}
    for setting, part in parts.items():
        if setting in ours:
            bases.check_bases(part.folder, offline=offline)
        else:
            _check_part(config, setting, part, sample_rate)
    others = {setting: part for setting, part in parts.items() if setting not in ours}
    structure.check_structure(config, others)
    return CheckedModel(config, family, parts, sample_rate)


def _check_part(config: ModelConfig, setting: str, part: PretrainedPart, sample_rate: int) -> None:
    """Find what is wrong with a part that is not a checkpoint of our own in several places."""
    loaded = hub.load_config(part)
    weight_files.check_weights(part)
    hub.check_own_code(part)
    if setting == "decoder_model_name":
        _check_language_model(loaded.model_type, part)
        return
    if setting == "encoder_model_name":
        from mynah.models.speech_llm import encoders

        encoders.encoder_config(loaded, part)
    if setting == "pretrained" and _family_of_kind(loaded.model_type) == "audio_llm":
        from mynah.models.audio_llm import loading

        loading.check_settings(config, part, sample_rate)
        return
    hub.feature_extractor(part, sample_rate)
    if setting == "pretrained" and loaded.model_type in seq2seq.SUPPORTED:
        from mynah.models.seq2seq.loading import check_settings

        check_settings(config, part)


def check_machine(config: ModelConfig) -> None:
    """Find out whether this machine can train what ``config`` asks for.

    Raises:
        UserError: It cannot.
    """
    if config.quantization is not None:
        quantization.check_device()


def check_checkpoint(directory: Path, *, offline: bool = False) -> None:
    """Find out whether a checkpoint can be loaded, as far as that costs nothing.

    Raises:
        UserError: The weights it builds on are not to be had, or are others.
    """
    with reading_checkpoint(Path(directory)):
        sizes.check(Path(directory))
        bases.check_bases(Path(directory), offline=offline)


def _check_told(config: ModelConfig, family: str) -> None:
    """Raise where a model is to be told, or given, what no model of its family is."""
    if config.new_tokenizer and family != "ctc":
        raise UserError(
            f"A new tokenizer is for CTC models alone, and this one is a {family}.",
            where=f"model.new_tokenizer={config.new_tokenizer}",
            fix="model.new_tokenizer=null",
        )
    never = {
        "ctc": ("language", "task", "timestamps"),
        "speech_llm": ("language", "task", "timestamps"),
        "audio_llm": ("task", "timestamps"),
    }
    for name in never.get(family, ()):
        value = getattr(config, name)
        if value and (name, value) != ("task", "transcribe"):
            raise UserError(
                f"A model of the family {family} is told no {name}.",
                where=f"model.{name}={value}",
                fix=f"leave model.{name} out",
            )


def _is_ours(part: PretrainedPart) -> bool:
    """Whether the part is a checkpoint whose weights lie in several places."""
    if not part.is_folder:
        return False
    held = part.folder / "projector.safetensors"
    return weight_files.adapter_alone(part.folder) or held.exists()


def _plain(config: ModelConfig) -> ModelConfig:
    """The settings with one word for what can be said in two."""
    if config.lora_target_modules == [adapters.AUTO]:
        config = dataclasses.replace(config, lora_target_modules=None)
    if config.encoder_model_name is None or config.decoder_model_name is not None:
        return config
    # A pretrained encoder without a language model gets a CTC head.
    return dataclasses.replace(
        config, pretrained=config.encoder_model_name, encoder_model_name=None
    )


def _family(config: ModelConfig, parts: Mapping[str, PretrainedPart]) -> type[Family]:
    """The family that the names in ``config`` lead to.

    Raises:
        UserError: None does, or ``model.family`` says otherwise.
    """
    if config.decoder_model_name is not None:
        found = _named("speech_llm")
    elif config.pretrained is not None:
        found = _family_of(parts["pretrained"])
    else:
        found = _named("ctc" if config.family == "auto" else config.family)
    if config.family not in ("auto", found.name):
        raise UserError(
            f"The names given lead to the family {found.name}, and model.family is "
            f"{config.family}.",
            where="model.family",
            fix="model.family=auto",
        )
    return found


def _named(name: str) -> type[Family]:
    if name == "speech_llm":
        from mynah.models.speech_llm.family import SpeechLLMFamily

        return SpeechLLMFamily
    if name == "audio_llm":
        from mynah.models.audio_llm.family import AudioLLM

        return AudioLLM
    if name == "seq2seq":
        from mynah.models.seq2seq.family import Seq2Seq

        return Seq2Seq
    if name == "transducer":
        from mynah.models.transducer.family import Transducer

        return Transducer
    from mynah.models.ctc.family import CTC

    return CTC


def _family_of(part: PretrainedPart) -> type[Family]:
    """The family of one whole pretrained recognizer.

    Raises:
        UserError: Its architecture is none that can be trained.
    """
    from transformers import CONFIG_MAPPING

    kind = hub.model_type(part)
    found = _family_of_kind(kind)
    _say_what_is_not_used(kind, found)
    if found == "audio_llm":
        ARCHITECTURES.get(kind)  # which may register classes of its own with transformers
    elif kind not in CONFIG_MAPPING and (brought := hub.own_code(part)):
        return _family_of_code(part, brought)
    if found is not None:
        return _named(found)
    unsupported = {**seq2seq.UNSUPPORTED, **UNSUPPORTED}
    if kind in unsupported:
        raise UserError(
            f"{part.name} is a {kind}, which cannot be trained here: {unsupported[kind]}.",
            where=part.setting,
            fix="Use another model, as openai/whisper-small.",
        )
    if _is_language_model(kind):
        raise UserError(
            f"{part.name} is a language model ({kind}), and no recognizer.",
            where=part.setting,
            fix=f"model.encoder_model_name=openai/whisper-small "
            f"model.decoder_model_name={part.name} model.pretrained=null",
        )
    raise UserError(
        f"{part.name} is a {kind}, and no recognizer that can be trained here.",
        where=part.setting,
        fix="Supported are "
        + ", ".join(sorted({kind for kinds in _kinds().values() for kind in kinds}))
        + "; and a speech encoder with a language model, by model.encoder_model_name and "
        "model.decoder_model_name.",
    )


def _kinds() -> dict[str, Iterable[str]]:
    """The architectures of each family by transformers' model types; the first that has one counts.

    A plug-in's come last, so that it takes none from another family.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_CTC_MAPPING_NAMES

    from mynah.models.transducer import loading as transducer_loading

    return {
        "ctc": MODEL_FOR_CTC_MAPPING_NAMES,
        "transducer": transducer_loading.kinds(),
        "seq2seq": seq2seq.SUPPORTED,
        "audio_llm": ARCHITECTURES.names,
    }


def _family_of_kind(kind: str) -> str | None:
    if kind == _SPEECH_LLM:
        return "speech_llm"
    return next((family for family, kinds in _kinds().items() if kind in kinds), None)


@functools.cache
def _say_what_is_not_used(kind: str, family: str | None) -> None:
    """Say once that a plug-in has a name which is taken already."""
    for text in ARCHITECTURES.notices(kind):
        console.notice(text)
    plugin = ARCHITECTURES.plugin(kind)
    if plugin is not None and family != "audio_llm":
        console.notice(
            f"The audio LLM {kind} of {plugin.distribution} is not used: Mynah trains such a "
            f"model as a {family}."
        )


_FAMILY_OF_AUTO_CLASS = {
    "AutoModelForCTC": "ctc",
    "AutoModelForRNNT": "transducer",
    "AutoModelForTDT": "transducer",
    "AutoModelForSpeechSeq2Seq": "seq2seq",
}


def _family_of_code(part: PretrainedPart, brought: Iterable[str]) -> type[Family]:
    """The family of a recognizer of an architecture that comes as code with its weights.

    Raises:
        UserError: The code may not be run, or none of its classes is a recognizer's.
    """
    if not part.trust_remote_code:
        raise hub_errors.brings_code(part)
    for auto, family in _FAMILY_OF_AUTO_CLASS.items():
        if auto in brought:
            return _named(family)
    raise UserError(
        f"The code that {part.name} brings along has no class of a recognizer.",
        where=part.setting,
        fix="Its config.json would name one in auto_map, as " + ", ".join(_FAMILY_OF_AUTO_CLASS),
    )


def _is_language_model(kind: str) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES


def _check_language_model(kind: str, part: PretrainedPart) -> None:
    from mynah.models.speech_llm.encoders import SUPPORTED

    if kind in SUPPORTED or not _is_language_model(kind):
        raise UserError(
            f"{part.name} is a {kind}, and no causal language model.",
            where=part.setting,
            fix="Name a language model, as HuggingFaceTB/SmolLM2-360M-Instruct.",
        )
