"""Transducer models with their processors: initialized from scratch, or pretrained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mynah.config.tuning import FROZEN, tuning_of_recognizer
from mynah.errors import UserError
from mynah.models import scratch
from mynah.models.lora import adapters
from mynah.models.pretrained import hub, weights
from mynah.models.pretrained.part import PretrainedPart
from mynah.models.text.tokenizers import train_tokenizer

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig
    from mynah.config.tuning import Tuning

HEAD = "joint.head"  # the layer that scores tokens (and durations), in all of transformers' classes
# What LoRA adapts unasked: the encoder's attention and feed-forward blocks, and what carries
# encoder and prediction network into the joint. There is no LoRA of an LSTM.
_LORA_INSIDE = ("encoder.layers.*",)
_LORA_BEHIND = ("encoder_projector", "decoder.decoder_projector")


@dataclass(frozen=True)
class TransducerParts:
    """A transducer, its processor, and where its weights are from."""

    model: Any
    processor: Any
    revisions: dict[str, str]


def transducer_from_scratch(
    config: ModelConfig, texts: Sequence[str], sample_rate: int
) -> TransducerParts:
    """A FastConformer with an LSTM over the labels and a joint network; a tokenizer of ``texts``.

    The blank is the padding token, so that transformers' own losses leave padding out as well.
    """
    import torch
    from transformers import (
        ParakeetForRNNT,
        ParakeetForTDT,
        ParakeetProcessor,
        ParakeetRNNTConfig,
        ParakeetTDTConfig,
    )

    encoder = scratch.fastconformer_config(config.encoder)
    tokenizer = train_tokenizer(texts, kind=config.tokenizer, vocab_size=config.vocab_size)
    blank = tokenizer.pad_token_id
    sizes = config.transducer
    settings = {
        "vocab_size": len(tokenizer),
        "decoder_hidden_size": sizes.hidden_size,
        "num_decoder_layers": sizes.prediction_layers,
        "encoder_config": encoder,
        "pad_token_id": blank,
        "blank_token_id": blank,
    }
    model: Any
    if sizes.max_duration:
        durations = list(range(sizes.max_duration + 1))
        model = ParakeetForTDT(ParakeetTDTConfig(**settings, durations=durations))
    else:
        model = ParakeetForRNNT(ParakeetRNNTConfig(**settings))
    scratch.spread_weights(model)
    torch.nn.init.normal_(model.decoder.embedding.weight)
    # What transformers' generate() begins with, and what it must not take for a token.
    model.generation_config.decoder_start_token_id = blank
    if sizes.max_duration:
        scores = range(len(tokenizer), len(tokenizer) + sizes.max_duration + 1)
        model.generation_config.suppress_tokens = list(scores)
    processor = ParakeetProcessor(
        scratch.log_mel_extractor(config.encoder.mel_bins, sample_rate),
        tokenizer,
        blank_token=tokenizer.pad_token,
        decoder_type="tdt" if sizes.max_duration else "rnnt",
    )
    return TransducerParts(model, processor, {})


def transducer_from_pretrained(
    config: ModelConfig, part: PretrainedPart, sample_rate: int
) -> TransducerParts:
    """Any checkpoint of AutoModelForRNNT or AutoModelForTDT, with its own tokenizer.

    Raises:
        UserError: It is not to be had, takes another rate, has no tokenizer, or its weights
            are not intact.
    """
    hub.feature_extractor(part, sample_rate)
    processor = load_transducer_processor(part)
    model = load_transducer_base(part)
    return TransducerParts(model, processor, {part.name: hub.commit_of(part)})


def load_transducer_processor(part: PretrainedPart) -> Any:
    """The processor of a checkpoint, feature extractor and tokenizer included.

    Raises:
        UserError: There is none, or no tokenizer.
    """
    from transformers import AutoProcessor

    try:
        processor = hub.from_pretrained(AutoProcessor, part)
    except (OSError, ValueError, TypeError, AttributeError):
        processor = None
    # Where parts are missing, AutoProcessor gives one of the others alone.
    if not all(hasattr(processor, part) for part in ("feature_extractor", "tokenizer")):
        raise UserError(
            f"{part.name} has no tokenizer with a processor, so its labels mean nothing.",
            where=part.setting,
            fix="Name a transducer with a tokenizer, as nvidia/parakeet-tdt-0.6b-v3.",
        )
    return processor


def load_transducer_base(part: PretrainedPart) -> Any:
    """A transducer with pretrained weights in fp32, whatever precision they are stored in.

    Args:
        part: Where the weights are.

    Raises:
        UserError: Weights are missing or left over.
    """
    from transformers import AutoModelForRNNT, AutoModelForTDT
    from transformers.models.auto.modeling_auto import MODEL_FOR_TDT_MAPPING_NAMES

    is_tdt = hub.model_type(part) in MODEL_FOR_TDT_MAPPING_NAMES
    return weights.load_weights(AutoModelForTDT if is_tdt else AutoModelForRNNT, part)


def transducer_lora_targets(model: Any, config: ModelConfig) -> list[str]:
    """Modules that get LoRA: those named, or what suits; of parts that are not frozen alone.

    Raises:
        UserError: A target names no module that LoRA can adapt in such a part.
    """
    learns, targets = tuning_of_recognizer(config), config.lora_target_modules
    if not targets:
        inside = () if learns.encoder == FROZEN else _LORA_INSIDE
        return [*inside, *(() if learns.decoder == FROZEN else _LORA_BEHIND)]
    if FROZEN not in (learns.encoder, learns.decoder):
        return targets
    heads = [] if learns.decoder == FROZEN else [HEAD]
    candidates = adapters.adaptable_modules(model, exclude=heads)
    paths, frozen = adapters.by_frozen(model, candidates, learns)
    return adapters.matching(targets, paths, in_full=heads, frozen=frozen)


def freeze_transducer(model: Any, learns: Tuning) -> None:
    """Leave as they are the encoder, or all that follows it, where they are frozen."""
    for name, parameter in model.named_parameters():
        part = learns.encoder if name.startswith("encoder.") else learns.decoder
        if part == FROZEN:
            parameter.requires_grad_(False)
