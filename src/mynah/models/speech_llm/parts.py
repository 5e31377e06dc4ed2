"""Encoder, projector and language model put together, and how each of them learns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mynah.config.schema import ModelConfig
from mynah.config.tuning import FULL, LORA, Tuning, tuning_of_parts
from mynah.errors import UserError
from mynah.models import scratch
from mynah.models.ctc.head import CTCHead
from mynah.models.lora import adapters
from mynah.models.pretrained import hub, weights
from mynah.models.pretrained.part import PretrainedPart
from mynah.models.speech_llm import encoders, network
from mynah.models.speech_llm.config import (
    ADAPTER,
    DECODER,
    ENCODER,
    ENCODER_ADAPTER,
    SpeechLLMConfig,
)
from mynah.models.speech_llm.lora_targets import shared_out
from mynah.models.speech_llm.prompts import add_tokens, load_tokenizer
from mynah.models.text.tokenizers import train_tokenizer

# The parts that LoRA may adapt: the module, and its folders in a checkpoint.
_ADAPTABLE = {
    "encoder": ("encoder", ENCODER, ENCODER_ADAPTER),
    "decoder": ("language_model", DECODER, ADAPTER),
}


@dataclass(frozen=True)
class Parts:
    """A network and what prepares its input."""

    model: network.SpeechLLM
    extractor: Any
    tokenizer: Any
    ctc: CTCHead | None


def from_names(
    config: ModelConfig,
    named: Mapping[str, PretrainedPart],
    texts: Iterable[str],
    sample_rate: int,
) -> Parts:
    """What ``encoder_model_name`` (null: random) and ``decoder_model_name`` name, joined.

    Args:
        config: The ``model`` section.
        named: The parts by their setting.
        texts: Training transcripts.
        sample_rate: Hertz of the audio.

    Raises:
        UserError: A name cannot be loaded, or settings do not fit it.
    """
    learns = tuning_of_parts(config)
    decoding = named["decoder_model_name"]
    if learns.decoder == FULL:
        decoding = dataclasses.replace(decoding, quantization=None)  # it is trained
    spoken = hub.load_config(decoding)
    tokenizer = load_tokenizer(decoding)
    # Tokens that the tokenizer has and the model has no rows of are new to it as well.
    first = min(len(tokenizer), spoken.get_text_config().vocab_size)
    add_tokens(tokenizer, config.new_tokens)
    bases: dict[str, list[str]] = {}
    encoder, encoder_config, extractor = _encoder(
        config, named.get("encoder_model_name"), sample_rate, bases
    )
    language_model = network.load_language_model(decoding)
    _check_reads_vectors(language_model, decoding)
    bases[DECODER] = [decoding.lasting_name, hub.lasting_revision(decoding) or "local"]
    model = network.SpeechLLM(
        SpeechLLMConfig(
            encoder_config=encoder_config,
            text_config=spoken,
            projector_stack=config.projector.stack,
            projector_hidden_size=config.projector.hidden_size,
            prompt=config.prompt or "Transcribe the speech.",
            bases=bases,
            saved_parts=[] if _stays_in_place(bases.get(ENCODER)) else [ENCODER],
            first_new_token=first,
            new_tokens=max(0, len(tokenizer) - first),
            generation_max_length=config.generation_max_length,
            audio_window="native" if config.audio_window == "native" else "clip",
        ),
        encoder,
        language_model,
    )
    ctc = _with_ctc_head(model, config, texts)
    retune(model, learns, config)
    return Parts(model, extractor, tokenizer, ctc)


def asked_length(config: ModelConfig, own: int) -> int:
    """Most tokens of a transcript: a checkpoint's own where the settings say no more than the
    default, which is nobody's wish."""
    asked = config.generation_max_length
    return own if asked == type(config).generation_max_length else asked


def continue_parts(parts: Parts, config: ModelConfig, texts: Iterable[str]) -> Parts:
    """A checkpoint of ours, its parts learning as ``config`` says; as they did where it is silent.
    The instruction is its own too where ``config`` has none, and the most tokens where that has
    the default.

    Raises:
        UserError: New tokens are asked for that it does not have.
    """
    known = parts.tokenizer.get_vocab()
    if unknown := [token for token in config.new_tokens if token not in known]:
        raise UserError(
            f"The checkpoint has no token {unknown[0]!r}, and none is added to one that is trained "
            "already.",
            where="model.new_tokens",
            fix="build the model from model.encoder_model_name and model.decoder_model_name",
        )
    parts.model.config.prompt = config.prompt or parts.model.config.prompt
    parts.model.config.generation_max_length = asked_length(
        config, parts.model.config.generation_max_length
    )
    before = parts.model.config.learns
    learns = Tuning(
        encoder=config.encoder_tuning or before["encoder"],
        projector=config.projector_tuning or before["projector"],
        decoder=config.decoder_tuning or (LORA if config.use_lora else before["decoder"]),
    )
    ctc = parts.ctc or _with_ctc_head(parts.model, config, texts)
    if ctc is not None and config.ctc_head_weight:
        ctc.weight = parts.model.config.ctc_head_weight = config.ctc_head_weight
    if dataclasses.asdict(learns) != before:
        retune(parts.model, learns, config)
    if not any(parameter.requires_grad for parameter in parts.model.parameters()):
        raise UserError(
            "Nothing would be trained: encoder, projector and language model are frozen.",
            where="model.projector_tuning",
            fix="model.projector_tuning=full",
        )
    return dataclasses.replace(parts, ctc=ctc)


def _encoder(
    config: ModelConfig,
    encoding: PretrainedPart | None,
    sample_rate: int,
    bases: dict[str, list[str]],
) -> tuple[Any, Any, Any]:
    """Encoder, its configuration and its feature extractor; a pretrained one adds its base."""
    if encoding is None:
        sizes = scratch.fastconformer_config(config.encoder)
        encoder = encoders.initialize_encoder(sizes)
        scratch.spread_weights(encoder)
        return encoder, sizes, scratch.log_mel_extractor(config.encoder.mel_bins, sample_rate)
    written = encoders.encoder_config(hub.load_config(encoding), encoding)
    extractor = hub.feature_extractor(encoding, sample_rate)
    if tuning_of_parts(config).encoder == FULL:
        encoding = dataclasses.replace(encoding, quantization=None)  # it is trained
    bases[ENCODER] = [encoding.lasting_name, hub.lasting_revision(encoding) or "local"]
    return encoders.load_encoder(encoding, written), written, extractor


def _stays_in_place(base: list[str] | None) -> bool:
    """Whether a checkpoint may leave a part where it was loaded from: one from scratch is
    nowhere, and an encoder with LoRA matrices merged into it is nowhere as it is."""
    return base is not None and not (Path(base[0]) / "adapter_config.json").exists()


def _with_ctc_head(
    model: network.SpeechLLM, config: ModelConfig, texts: Iterable[str]
) -> CTCHead | None:
    """A CTC head on the encoder where one is asked for, its tokenizer trained on the texts."""
    import torch

    if not config.ctc_head_weight:
        return None
    tokenizer = train_tokenizer(texts, kind=config.tokenizer, vocab_size=config.vocab_size)
    model.config.ctc_labels = len(tokenizer)
    model.config.ctc_head_weight = config.ctc_head_weight
    width = encoders.width(model.config.encoder_config)
    model.ctc_head = torch.nn.Linear(width, len(tokenizer))
    return CTCHead(tokenizer, config.ctc_head_weight)


def retune(model: network.SpeechLLM, learns: Tuning, config: ModelConfig) -> None:
    """Let each part learn as ``learns`` says from here on; what it knows so far it keeps.

    Args:
        model: Parts as they were loaded or initialized, adapted or not.
        learns: How each is to learn.
        config: The LoRA settings.

    Raises:
        UserError: A target of LoRA names no module.
    """
    own = weights.own(model.language_model)
    if model.new_tokens is not None:
        model.new_tokens.remove(own)  # its layers are not targets
    adapted = [name for name in _ADAPTABLE if getattr(learns, name) == LORA]
    candidates = {
        name: adapters.adaptable_modules(weights.own(getattr(model, _ADAPTABLE[name][0])))
        for name in adapted
    }
    chosen = shared_out(config.lora_target_modules, candidates, learns)
    saved = set(model.config.saved_parts)
    for name, (attribute, folder, adapter) in _ADAPTABLE.items():
        part, how = getattr(model, attribute), getattr(learns, name)
        if how == FULL:
            if adapters.is_adapted(part):
                part = part.merge_and_unload()
            saved = (saved - {adapter}) | {folder}
        elif how == LORA and not adapters.is_adapted(part):
            base, commit = model.config.bases.get(folder, [folder, "local"])
            part = adapters.add_lora(
                part,
                dataclasses.replace(config, lora_target_modules=chosen[name]),
                base=folder if folder in saved else base,
                revision=None if Path(base).is_absolute() or commit == "local" else commit,
            )
            saved.add(adapter)
        setattr(model, attribute, part)
    model.config.saved_parts = sorted(saved)
    model.config.learns = dataclasses.asdict(learns)
    own = weights.own(model.language_model)
    if model.new_tokens is not None and learns.decoder == FULL:
        model.new_tokens.settle(own)
        model.new_tokens = None
        model.config.new_tokens = 0
    elif model.new_tokens is not None:
        model.new_tokens.install(own)
    model.config.text_config = own.config
    network.choose_trained(model)


def merge_parts(model: network.SpeechLLM) -> None:
    """Fold LoRA matrices into the parts they adapt; a checkpoint then holds every part itself.

    Raises:
        UserError: No part has any.
    """
    if not any(adapters.is_adapted(getattr(model, one)) for one, *_ in _ADAPTABLE.values()):
        adapters.merged(model)  # says that there is nothing to merge
    retune(model, Tuning(FULL, FULL, FULL), ModelConfig())


def _check_reads_vectors(language_model: Any, part: PretrainedPart) -> None:
    """Raise where a language model takes token ids alone."""
    import inspect

    if "inputs_embeds" not in inspect.signature(language_model.forward).parameters:
        raise UserError(
            f"{part.name} is a {language_model.config.model_type}, which takes token ids alone, "
            "and no vectors of audio.",
            where=part.setting,
            fix="Name another language model, as HuggingFaceTB/SmolLM2-360M-Instruct.",
        )
