"""Speech encoders without a head: how each is loaded, how wide it is, how it is run."""

from __future__ import annotations

from typing import Any

import torch

from mynah.errors import UserError
from mynah.models.lora import adapters
from mynah.models.patches import fastconformer, padding, whisper_length
from mynah.models.pretrained import hub, weights
from mynah.models.pretrained.part import PretrainedPart

# Encoders that transformers has alone, whatever head stands in the file.
_ALONE = (
    "wav2vec2",
    "wav2vec2-bert",
    "wav2vec2-conformer",
    "hubert",
    "wavlm",
    "data2vec-audio",
    "sew",
    "sew-d",
    "unispeech",
    "unispeech-sat",
    "parakeet_encoder",
    "lasr_encoder",
)
# Recognizers that are loaded in full, and the class that does it; their encoder is kept.
_IN_FULL = {
    "whisper": "WhisperForConditionalGeneration",
    "parakeet_ctc": "AutoModelForCTC",
    "lasr_ctc": "AutoModelForCTC",
    "parakeet_tdt": "AutoModelForTDT",
    "parakeet_rnnt": "AutoModelForRNNT",
    "canary": "AutoModelForSpeechSeq2Seq",
}
SPEECH_ENCODERS = (*_IN_FULL, *_ALONE)
_HEADS = ("lm_head.", "ctc_head.")
# Weights of a complete recognizer, or of its pretraining, that its encoder alone does not have.
_NOT_ENCODER = (
    *_HEADS, "decoder.", "proj_out.", "quantizer.", "project_", "ctc_proj.", "final_proj.",
    "label_embeddings_concat", "speaker_proj.", "layer_norm_for_extract.",
)  # fmt: skip


def encoder_config(config: Any, part: PretrainedPart) -> Any:
    """The configuration of the encoder in a model of configuration ``config``.

    Raises:
        UserError: The architecture has no speech encoder that is supported.
    """
    if config.model_type not in SPEECH_ENCODERS:
        raise UserError(
            f"{part.name} is a {config.model_type}, and no speech encoder that is supported.",
            where=part.setting,
            fix="Supported are: " + ", ".join(SPEECH_ENCODERS),
        )
    return getattr(config, "encoder_config", config)


def initialize_encoder(config: Any) -> Any:
    """An encoder with random weights."""
    from transformers import AutoModel
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    if config.model_type == "whisper":
        return _ready(WhisperEncoder(config))
    return _ready(AutoModel.from_config(config))


def load_encoder(part: PretrainedPart, config: Any) -> Any:
    """The pretrained encoder in fp32; the rest of its checkpoint is dropped.

    Args:
        part: A complete recognizer or an encoder alone; a checkpoint of ours with LoRA too, whose
            matrices are merged into what they adapt.
        config: What :func:`encoder_config` made of its configuration.

    Raises:
        UserError: It is not to be had, or its weights are not intact.
    """
    import transformers

    written = hub.load_config(part)
    if part.is_folder and (part.folder / "adapter_config.json").exists():
        return _ready(_merged(part, written))
    kind = _IN_FULL.get(written.model_type, "AutoModel")
    if written.model_type == "whisper" and "WhisperEncoder" in (written.architectures or ()):
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        return _ready(weights.load_weights(WhisperEncoder, part))
    model = weights.load_weights(getattr(transformers, kind), part, dropped=_NOT_ENCODER)
    return _ready(_encoder_of(model) if kind != "AutoModel" else model)


def _merged(part: PretrainedPart, config: Any) -> Any:
    """The encoder of a recognizer of ours that was adapted with LoRA."""
    import transformers

    directory = part.folder
    base = adapters.adapted_base(directory, offline=part.offline)
    kind = getattr(transformers, _IN_FULL.get(config.model_type, "AutoModelForCTC"))
    model = weights.load_weights(
        kind, base, config=config, initialized=_HEADS, dropped=_NOT_ENCODER
    )
    adapted = adapters.load_lora(model, directory, trainable=False)
    return _encoder_of(adapted.merge_and_unload())


def _encoder_of(model: Any) -> Any:
    """The encoder in a complete recognizer."""
    for holder in (model, getattr(model, "model", None)):
        if (found := getattr(holder, "encoder", None)) is not None:
            return found
    return getattr(model, model.base_model_prefix)


def _ready(encoder: Any) -> Any:
    """The encoder, its forward pass computed as ours is."""
    fastconformer.install_fastconformer(encoder)
    padding.install_padding(encoder)
    whisper_length.install_true_length(encoder)
    return encoder


def keep_as_authors_do(encoder: Any) -> None:
    """Freeze what the authors of an encoder leave alone when it is fine-tuned.

    The convolutions over samples of wav2vec2 and its relatives (arXiv 2006.11477), and Whisper's
    sinusoids.
    """
    if hasattr(encoder, "feature_extractor"):
        encoder.feature_extractor._freeze_parameters()
    if encoder.config.model_type == "whisper":
        encoder.embed_positions.requires_grad_(False)


def width(config: Any) -> int:
    """Size of a frame that the encoder puts out."""
    if config.model_type == "whisper":
        return config.d_model
    return getattr(config, "output_hidden_size", None) or config.hidden_size


def encode(
    encoder: Any,
    features: torch.Tensor,
    lengths: torch.Tensor,
    mask: torch.Tensor | None,
) -> torch.Tensor:
    """Features [batch, frames, bins] or samples [batch, samples] to [batch, time, width].

    Args:
        encoder: What :func:`load_encoder` gave.
        features: Padded with zeros.
        lengths: Real features of each row, [batch].
        mask: [batch, frames], for encoders that are given the padding; None for the others.
    """
    if encoder.config.model_type == "whisper":
        frames = features.shape[1]
        real = torch.arange(frames, device=features.device) < lengths[:, None]
        padded = bool((lengths < frames).any())
        encoded = encoder(features.transpose(1, 2), real=real if padded else None)
        return encoded.last_hidden_state
    name = encoder.main_input_name
    return encoder(**{name: features}, attention_mask=mask).last_hidden_state
