"""Tiny random speech language models of the real classes, with their processors.

The geometry of the audio (mel bins, strides, windows) is the real checkpoints', because
their processors count audio tokens by it; widths, depths and vocabularies are tiny.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_WIDTH = 32
# Large enough that a decoder's next token depends on more than the last one.
_SPREAD = 0.3
_LAYERS = {
    "hidden_size": _WIDTH,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "initializer_range": _SPREAD,
}
# A conversation as Qwen's: a system turn that is always there, the user's is audio alone.
_QWEN3_ASR_TEMPLATE = (
    "{%- set said = namespace(system='', audio='') -%}"
    "{%- for turn in messages if turn.content is not string -%}{%- for part in turn.content -%}"
    "{%- if part.type == 'audio' -%}"
    "{%- set said.audio = said.audio + '<|audio_start|><|audio_pad|><|audio_end|>' -%}"
    "{%- elif turn.role == 'system' -%}{%- set said.system = said.system + part.text -%}"
    "{%- endif -%}{%- endfor -%}{%- endfor -%}"
    "{{- '<|im_start|>system\\n' + said.system + '<|im_end|>\\n' -}}"
    "{{- '<|im_start|>user\\n' + said.audio + '<|im_end|>\\n' -}}"
    "{%- for turn in messages if turn.role == 'assistant' -%}"
    "{{- '<|im_start|>assistant\\n' -}}"
    "{%- generation -%}{{- turn.content | map(attribute='text') | join + '<|im_end|>\\n' -}}"
    "{%- endgeneration -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)


def _qwen3_asr() -> list[Any]:
    from transformers import (
        GenerationConfig,
        Qwen3ASRConfig,
        Qwen3ASRFeatureExtractor,
        Qwen3ASRForConditionalGeneration,
        Qwen3ASRProcessor,
    )

    tokenizer = _qwen_tokenizer(
        audio_token="<|audio_pad|>",
        audio_bos_token="<|audio_start|>",
        audio_eos_token="<|audio_end|>",
    )
    # Kept where special tokens are left out: what follows it is the transcript.
    tokenizer.add_tokens(["<asr_text>", "<timestamp>"])
    ids = tokenizer.get_vocab()
    ends = {
        "pad_token_id": ids["<|im_end|>"],
        "eos_token_id": [ids["<|endoftext|>"], ids["<|im_end|>"]],
    }
    config = Qwen3ASRConfig(
        audio_config={
            "encoder_layers": 2,
            "encoder_attention_heads": 4,
            "encoder_ffn_dim": 64,
            "d_model": _WIDTH,
            "downsample_hidden_size": 8,
            "output_dim": _WIDTH,
        },
        text_config={
            "model_type": "qwen3",
            **_LAYERS,
            "vocab_size": len(tokenizer),
            "tie_word_embeddings": True,
        },
        audio_token_id=ids["<|audio_pad|>"],
        timestamp_token_id=ids["<timestamp>"],
        **ends,
    )
    model = Qwen3ASRForConditionalGeneration(config)
    model.generation_config = GenerationConfig(do_sample=False, max_new_tokens=512, **ends)
    processor = Qwen3ASRProcessor(
        Qwen3ASRFeatureExtractor(), tokenizer, chat_template=_QWEN3_ASR_TEMPLATE
    )
    return [model, processor]


def _qwen_tokenizer(**named: str) -> Any:
    """Qwen's byte-level pieces; its texts end at ``<|im_end|>``, its padding is the other end.

    Args:
        named: What a processor asks the tokenizer for by name, as ``audio_token``.
    """
    from transformers import Qwen2Tokenizer

    pieces = _byte_level(["<|endoftext|>"])
    tokenizer = Qwen2Tokenizer(
        vocab=pieces["vocab"],
        merges=[tuple(one) for one in pieces["merges"]],
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=named,
    )
    tokenizer.add_special_tokens(
        {"additional_special_tokens": ["<|im_start|>", *named.values()]},
        replace_extra_special_tokens=False,
    )
    return tokenizer


def _byte_level(special: list[str]) -> dict[str, Any]:
    import json

    from standins import byte_level_tokenizer

    written = byte_level_tokenizer(special).backend_tokenizer.to_str()
    return json.loads(written)["model"]


KINDS: dict[str, Callable[[], list[Any]]] = {
    "qwen3_asr": _qwen3_asr,
}
