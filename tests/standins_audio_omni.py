"""Stand-ins for models that hear, and see or speak as well; see ``standins_audio_llm``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from standins_audio_parts import PLAIN_LAYERS, SPREAD, WIDTH, Files, LoraFiles

_PHI_TEMPLATE = (
    "{%- for turn in messages -%}{{- '<|' + turn.role + '|>' -}}"
    "{%- if turn.content is string -%}{{- turn.content -}}{%- else -%}"
    "{%- for part in turn.content -%}"
    "{{- '<|audio|>' if part.type == 'audio' else part.text -}}"
    "{%- endfor -%}{%- endif -%}{{- '<|end|>' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)


def _phi4_multimodal() -> list[Any]:
    """A conformer and an image encoder in front of one decoder, with LoRA for each beside it.

    Its processor cannot be made without torchvision, which its image half needs.
    """
    from standins import byte_level_tokenizer
    from transformers import (
        GenerationConfig,
        Phi4MultimodalConfig,
        Phi4MultimodalFeatureExtractor,
        Phi4MultimodalForCausalLM,
    )

    roles = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
    tokenizer = byte_level_tokenizer(["<|endoftext|>", "<|image|>", "<|audio|>", *roles])
    tokenizer.bos_token = tokenizer.eos_token = tokenizer.pad_token = "<|endoftext|>"
    named = {"image_token": "<|image|>", "audio_token": "<|audio|>"}
    tokenizer._set_model_specific_special_tokens(special_tokens=named)
    tokenizer.init_kwargs["extra_special_tokens"] = named
    tokenizer.chat_template = _PHI_TEMPLATE
    ids = tokenizer.get_vocab()
    ends = {"bos_token_id": 0, "pad_token_id": 0, "eos_token_id": [0, ids["<|end|>"]]}
    config = Phi4MultimodalConfig(
        **{name: size for name, size in PLAIN_LAYERS.items() if name != "initializer_range"},
        initializer_range=SPREAD,
        vocab_size=len(tokenizer),
        tie_word_embeddings=True,
        audio_config={
            "hidden_size": WIDTH,
            "intermediate_size": 64,
            "num_blocks": 2,
            "num_attention_heads": 4,
            "ext_pw_out_channel": WIDTH,
            "depthwise_separable_out_channel": WIDTH,
            "nemo_conv_channels": 8,
            "bias_max_distance": 20,
            "audio_token_id": ids["<|audio|>"],
        },
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 28,
            "crop_size": 28,
            "image_token_id": ids["<|image|>"],
        },
        **ends,
    )
    model = Phi4MultimodalForCausalLM(config)
    model.generation_config = GenerationConfig(**ends)
    told = {
        "processor_class": "Phi4MultimodalProcessor",
        "image_processor_type": "Phi4MultimodalImageProcessor",
        "dynamic_hd": 36,
        **Phi4MultimodalFeatureExtractor().to_dict(),
    }
    files = Files(
        {
            "preprocessor_config.json": told,
            "processor_config.json": {"processor_class": "Phi4MultimodalProcessor"},
        }
    )
    return [model, tokenizer, files, LoraFiles(config, "model.layers", folder="speech-lora")]


KINDS: dict[str, Callable[[], list[Any]]] = {
    "phi4_multimodal": _phi4_multimodal,
}
