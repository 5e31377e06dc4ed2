"""What transformers reads beside the weights of a Whisper, written from its sizes and tokens.

The values that no file of CTranslate2's says are those of openai/whisper-tiny.en on the hub.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mynah.models.pretrained.ctranslate2.whisper_tensors import WhisperSizes
from mynah.models.pretrained.ctranslate2.whisper_tokens import WhisperTokens

SETTINGS, EXTRACTOR = "config.json", "preprocessor_config.json"
_FRAMES_A_SECOND = 100  # a hop of 160 samples at 16 kHz
_FRAMES_A_POSITION = 2  # the stride of the second convolution
_TEXT_POSITIONS = 1024  # tokens: GPT-2's, whose tokenizer it is


def read_whisper_settings(folder: Path, sizes: WhisperSizes) -> dict[str, Any]:
    """CTranslate2's ``config.json``: tokens that are never written, and heads that align.

    Raises:
        ValueError: It is missing or damaged, or not of this model; the text ends a sentence that
            begins with the folder's name.
    """
    path = folder / SETTINGS
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        never = [int(one) for one in written["suppress_ids"] or ()]
        first = [int(one) for one in written["suppress_ids_begin"] or ()]
        heads = [(int(layer), int(head)) for layer, head in written.get("alignment_heads") or ()]
    except FileNotFoundError:
        raise ValueError(f"has no {SETTINGS}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(f"has a {SETTINGS} that is not a Whisper's of CTranslate2") from None
    if any(not -1 <= one < sizes.vocabulary for one in (*never, *first)):  # -1: none
        raise ValueError(f"names tokens in {SETTINGS} that its model does not have")
    layers, each = range(sizes.decoder_layers), range(sizes.decoder_heads)
    if any(layer not in layers or head not in each for layer, head in heads):
        raise ValueError(f"names heads in {SETTINGS} that its model does not have")
    _check_extractor(folder, sizes)
    return {
        "suppress_tokens": [one for one in never if one >= 0],
        "begin_suppress_tokens": first,
        "alignment_heads": [list(one) for one in heads],
    }


def _check_extractor(folder: Path, sizes: WhisperSizes) -> None:
    """Raise where features are described that are not those of the first convolution."""
    path = folder / EXTRACTOR
    if not path.is_file():
        return
    try:
        bins = json.loads(path.read_text(encoding="utf-8")).get("feature_size")
    except (ValueError, AttributeError):
        raise ValueError(f"has an {EXTRACTOR} that is not JSON") from None
    if bins not in (None, sizes.mel_bins):
        raise ValueError(
            f"makes {bins} mel bins by its {EXTRACTOR}, and its model takes {sizes.mel_bins}"
        )


def model_files(
    sizes: WhisperSizes, tokens: WhisperTokens, settings: Mapping[str, Any], dtype: str
) -> dict[str, dict[str, Any]]:
    """The JSON files of a Whisper in transformers' layout, by name.

    Args:
        sizes: Of the model.
        tokens: Of the model.
        settings: As :func:`read_whisper_settings` gives them.
        dtype: What the weights are held in.
    """
    return {
        "config.json": _config(sizes, tokens, settings, dtype),
        "generation_config.json": _generation(sizes, tokens, settings),
        "preprocessor_config.json": _extractor(sizes),
        "tokenizer_config.json": _tokenizer(tokens),
    }


def _config(
    sizes: WhisperSizes, tokens: WhisperTokens, settings: Mapping[str, Any], dtype: str
) -> dict[str, Any]:
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "is_encoder_decoder": True,
        "activation_function": "gelu",
        "d_model": sizes.width,
        "encoder_layers": sizes.encoder_layers,
        "encoder_attention_heads": sizes.encoder_heads,
        "encoder_ffn_dim": sizes.encoder_inner,
        "decoder_layers": sizes.decoder_layers,
        "decoder_attention_heads": sizes.decoder_heads,
        "decoder_ffn_dim": sizes.decoder_inner,
        "num_mel_bins": sizes.mel_bins,
        "max_source_positions": sizes.source_positions,
        "max_target_positions": sizes.target_positions,
        "vocab_size": sizes.vocabulary,
        "scale_embedding": False,
        "tie_word_embeddings": True,
        "bos_token_id": tokens.end,
        "eos_token_id": tokens.end,
        "pad_token_id": tokens.end,
        "decoder_start_token_id": tokens.start,
        "suppress_tokens": settings["suppress_tokens"],
        "begin_suppress_tokens": settings["begin_suppress_tokens"],
        "dtype": dtype,
    }


def _generation(
    sizes: WhisperSizes, tokens: WhisperTokens, settings: Mapping[str, Any]
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "begin_suppress_tokens": settings["begin_suppress_tokens"],
        "bos_token_id": tokens.end,
        "decoder_start_token_id": tokens.start,
        "eos_token_id": tokens.end,
        "is_multilingual": tokens.multilingual,
        "max_initial_timestamp_index": 50,
        "max_length": sizes.target_positions,
        "no_timestamps_token_id": tokens.no_times,
        "pad_token_id": tokens.end,
        "prev_sot_token_id": tokens.previous,
        "return_timestamps": False,
        "suppress_tokens": settings["suppress_tokens"],
    }
    if settings["alignment_heads"]:
        found["alignment_heads"] = settings["alignment_heads"]
    if tokens.multilingual:
        found["lang_to_id"] = tokens.languages
        found["task_to_id"] = tokens.tasks
    return found


def _extractor(sizes: WhisperSizes) -> dict[str, Any]:
    seconds = sizes.source_positions * _FRAMES_A_POSITION // _FRAMES_A_SECOND
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "feature_size": sizes.mel_bins,
        "sampling_rate": 16000,
        "hop_length": 160,
        "n_fft": 400,
        "chunk_length": seconds,
        "n_samples": seconds * 16000,
        "nb_max_frames": seconds * _FRAMES_A_SECOND,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
    }


def _tokenizer(tokens: WhisperTokens) -> dict[str, Any]:
    end = next(name for name, at in tokens.ids.items() if at == tokens.end)
    return {
        "tokenizer_class": "WhisperTokenizer",
        "processor_class": "WhisperProcessor",
        "bos_token": end,
        "eos_token": end,
        "unk_token": end,
        "pad_token": end,
        "extra_special_tokens": [name for name in tokens.special if name != end],
        "add_prefix_space": False,
        "model_max_length": _TEXT_POSITIONS,
    }
