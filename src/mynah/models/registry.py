"""From settings, or from a checkpoint's directory, to a family."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.config.checks.models.tuning import recognizer_mistakes
from mynah.config.options import check_given
from mynah.config.plugins.families import AUTO_FAMILY, FAMILIES
from mynah.config.schema import Nature
from mynah.config.settings import leaves
from mynah.config.values import argument
from mynah.errors import UserError, reading_checkpoint
from mynah.models.families import class_of, family_of, is_language_model, say_provisional
from mynah.models.family import Family
from mynah.models.lora import adapters, quantization
from mynah.models.pretrained import bases, hub, sizes, structure, weight_files, weights
from mynah.models.pretrained.attention import check_attention
from mynah.models.pretrained.part import PretrainedName, PretrainedPart

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig


_IN_ONE_PIECE = ("ctc", "transducer", "seq2seq")  # families without a projector


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
        with FAMILIES.blame(self.family.name):
            family = self.family.build(
                self.config, self.parts, texts=texts, sample_rate=self.sample_rate
            )
        weights.settle(family.model, self.config)
        return family

    def packing(self, how: str | None) -> CheckedModel:
        """The same, known to compute rows of several utterances where it is to.

        Args:
            how: ``training.sequence_packing``.

        Raises:
            UserError: It is known not to.
        """
        if how is not None:
            self.family.check_packing(how, self.parts)
        return self


def build(config: ModelConfig, *, texts: Iterable[str], sample_rate: int, offline: bool) -> Family:
    """The family that ``config`` asks for: :func:`check_model`, and :meth:`CheckedModel.build`.

    Args:
        config: The ``model`` section.
        texts: Training transcripts; they train a tokenizer where one is needed.
        sample_rate: Hertz of the audio that the model is for.
        offline: Load nothing that is not on this machine.

    Raises:
        UserError: A name cannot be loaded, or settings do not fit the model.
    """
    return check_model(config, sample_rate=sample_rate, offline=offline).build(texts)


def pretrained(config: ModelConfig, *, offline: bool = False, setting: str) -> Family:
    """A recognizer by its name on the hub, or of a folder of transformers, as it is.

    Args:
        config: Its name in ``pretrained``, and how it is run.
        offline: Load nothing that is not on this machine.
        setting: What names it, for messages.

    Raises:
        UserError: It cannot be had, is not a recognizer, or its weights do not fit.
    """
    asked = dataclasses.replace(
        PretrainedName.of(config, "pretrained", offline=offline), setting=setting
    )
    part = hub.resolve(asked)
    found = family_of(part)  # says of what is not a recognizer that it is none
    check_recognizes(found, part, setting=setting)
    return build(config, texts=[], sample_rate=_own_rate(found, part), offline=offline)


def check_recognizes(family: type[Family], part: PretrainedPart, *, setting: str) -> None:
    """Find out whether weights that are to be used as they are were trained to recognize.

    Args:
        family: What they are of.
        part: Where they are.
        setting: What names them, for messages.

    Raises:
        UserError: They are an encoder alone.
    """
    from mynah.models.ctc import loading

    if family.name != "ctc" or (part.is_folder and weight_files.adapter_alone(part.folder)):
        return
    if not loading.recognizes(part):
        raise UserError(
            f"{part.name} was never trained to recognize: it has no CTC head or no tokenizer.",
            where=setting,
            fix=f"mynah train model.pretrained={part.name} data.dataset_name=FOLDER",
        )


def _own_rate(family: type[Family], part: PretrainedPart) -> int:
    """Hertz of the audio that a recognizer takes.

    Raises:
        UserError: It has no feature extractor, or no processor.
    """
    if family.name == "audio_llm":  # their own extractors may ask for torchaudio
        from mynah.models.audio_llm.loading import rate_of

        return rate_of(part)
    rate: int = hub.feature_extractor(part).sampling_rate
    return rate


def load_family(
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
            are held in float32.

    Raises:
        UserError: The directory is not a checkpoint, its weights do not fit, or the weights it
            builds on are not to be had.
    """
    directory = Path(directory)
    if not (directory / "config.json").is_file():
        raise UserError(
            "This is not a checkpoint: it has no config.json.",
            where=str(directory),
            fix="Name a directory checkpoint-N that a training wrote.",
        )
    part = hub.checkpoint(directory)
    held = contextlib.nullcontext() if as_trained else quantization.in_full_precision()
    with held, reading_checkpoint(directory):
        sizes.check_sizes(directory)
        kind = family_of(part)
        with FAMILIES.blame(kind.name):
            family = kind.load(directory, offline=offline)
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
    return family_of(part).name


def check_model(
    config: ModelConfig,
    *,
    sample_rate: int,
    offline: bool,
    languages: Mapping[str, str] | None = None,
) -> CheckedModel:
    """Find what is wrong with the names in ``config`` before anything is prepared or loaded.

    Only small files are fetched: configurations, tokenizers, and those of the feature extractor.

    Args:
        config: The ``model`` section.
        sample_rate: Hertz of the audio that the model is for.
        offline: Use nothing that is not on this machine.
        languages: Of what it is to recognize, by the setting that names them.

    Raises:
        UserError: A name is unknown or out of reach, of an architecture that is not
            supported, with weights in pickle files alone, or of another sample rate.
    """
    config = _plain(config)
    parts = named_parts(config, offline=offline)
    family = _family(config, parts)
    family.check_settings(config)
    check_given(
        "model.options",
        config.options,
        family.Options,
        f"the family {family.name}",
    )
    if "pretrained" in parts and family.name in _IN_ONE_PIECE:
        _check_tuning(config)
    ours = {setting for setting, part in parts.items() if _is_ours(part)}
    for setting, part in parts.items():
        if setting in ours:
            bases.check_bases(part.folder, offline=offline)
            _check_fit(config, family, setting, part, sample_rate)
        else:
            _check_part(config, family, setting, part, sample_rate)
    others = {setting: part for setting, part in parts.items() if setting not in ours}
    structure.check_structure(config, others)
    if "pretrained" in parts:
        family.check_named_languages(parts["pretrained"], languages or {})
    return CheckedModel(config, family, parts, sample_rate)


def named_parts(config: ModelConfig, *, offline: bool) -> dict[str, PretrainedPart]:
    """Where each name in ``config`` leads to, by its setting.

    Args:
        config: The ``model`` section.
        offline: Use nothing that is not on this machine.

    Raises:
        UserError: A name is unknown or out of reach.
    """
    return {
        setting: hub.resolve(PretrainedName.of(config, setting, offline=offline))
        for setting in leaves(Nature.NAME, "model")
        if getattr(config, setting) is not None
    }


def _check_part(
    config: ModelConfig, family: type[Family], setting: str, part: PretrainedPart, sample_rate: int
) -> None:
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
    _check_fit(config, family, setting, part, sample_rate)


def _check_fit(
    config: ModelConfig, family: type[Family], setting: str, part: PretrainedPart, sample_rate: int
) -> None:
    """Find out whether a part takes the audio, and a recognizer the settings."""
    if setting == "pretrained":
        with FAMILIES.blame(family.name):
            family.check_pretrained(config, part, sample_rate)
    elif setting == "encoder_model_name":
        hub.feature_extractor(part, sample_rate)


def _check_tuning(config: ModelConfig) -> None:
    """Find what does not apply to a recognizer in one piece: of a folder it is known only now that
    it is one.

    Raises:
        UserError: Something does not.
    """
    for wrong in recognizer_mistakes(config):
        name = f"model.{wrong.name}"
        raise UserError(
            wrong.what,
            where=argument(name, getattr(config, wrong.name)),
            fix=wrong.instead or f"leave {name} out",
        )


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
        sizes.check_sizes(Path(directory))
        bases.check_bases(Path(directory), offline=offline)


def _is_ours(part: PretrainedPart) -> bool:
    """Whether the part is a checkpoint whose weights lie in several places."""
    if not part.is_folder:
        return False
    held = part.folder / "projector.safetensors"
    return weight_files.adapter_alone(part.folder) or held.exists()


def _plain(config: ModelConfig) -> ModelConfig:
    """The settings with one word for what can be said in two."""
    if config.lora_target_modules == [adapters.AUTO_TARGETS]:
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
        found = class_of("speech_llm")
    elif config.pretrained is not None:
        found = family_of(parts["pretrained"], asked=config.family)
    else:
        found = class_of("ctc" if config.family == AUTO_FAMILY else config.family)
    if config.family not in (AUTO_FAMILY, found.name):
        raise UserError(
            f"The names given lead to the family {found.name}, and model.family is "
            f"{config.family}.",
            where="model.family",
            fix="model.family=auto",
        )
    say_provisional(found.name)
    return found


def _check_language_model(kind: str, part: PretrainedPart) -> None:
    from mynah.models.speech_llm.encoders import SPEECH_ENCODERS

    if kind in SPEECH_ENCODERS or not is_language_model(kind):
        raise UserError(
            f"{part.name} is a {kind}, and no causal language model.",
            where=part.setting,
            fix="Name a language model, as HuggingFaceTB/SmolLM2-360M-Instruct.",
        )
