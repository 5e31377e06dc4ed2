"""Stand-ins for models that take audio and pictures, or synthesize; see ``standins_audio_llm``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from standins_audio_parts import PLAIN_LAYERS, SPREAD, WIDTH, Files, LoraFiles, qwen_tokenizer

_PHI_TEMPLATE = (
    "{%- for turn in messages -%}{{- '<|' + turn.role + '|>' -}}"
    "{%- if turn.content is string -%}{{- turn.content -}}{%- else -%}"
    "{%- for part in turn.content -%}"
    "{{- '<|audio|>' if part.type == 'audio' else part.text -}}"
    "{%- endfor -%}{%- endif -%}{{- '<|end|>' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)
_OMNI_TEMPLATE = (
    "{%- if messages[0].role != 'system' -%}"
    "{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}{%- endif -%}"
    "{%- for turn in messages -%}{{- '<|im_start|>' + turn.role + '\\n' -}}"
    "{%- if turn.content is string -%}{{- turn.content -}}{%- else -%}"
    "{%- for part in turn.content -%}"
    "{{- '<|audio_bos|><|AUDIO|><|audio_eos|>' if part.type == 'audio' else part.text -}}"
    "{%- endfor -%}{%- endif -%}{{- '<|im_end|>\\n' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
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
    written = {
        "processor_class": "Phi4MultimodalProcessor",
        "image_processor_type": "Phi4MultimodalImageProcessor",
        "dynamic_hd": 36,
        **Phi4MultimodalFeatureExtractor().to_dict(),
    }
    files = Files(
        {
            "preprocessor_config.json": written,
            "processor_config.json": {"processor_class": "Phi4MultimodalProcessor"},
        }
    )
    return [model, tokenizer, files, LoraFiles(config, "model.layers", folder="speech-lora")]


def _qwen2_5_omni(*, full: bool) -> list[Any]:
    """A thinker that takes audio and pictures, with Qwen2; as published, with the talker behind it.

    Its processor cannot be made without torchvision. Of the talker there is one weight: the
    thinker is read without it.
    """
    from transformers import (
        GenerationConfig,
        Qwen2_5OmniConfig,
        Qwen2_5OmniThinkerConfig,
        Qwen2_5OmniThinkerForConditionalGeneration,
        WhisperFeatureExtractor,
    )

    named = {
        "audio_token": "<|AUDIO|>",
        "image_token": "<|IMAGE|>",
        "video_token": "<|VIDEO|>",
        "audio_bos_token": "<|audio_bos|>",
        "audio_eos_token": "<|audio_eos|>",
        "vision_bos_token": "<|vision_bos|>",
        "vision_eos_token": "<|vision_eos|>",
    }
    tokenizer = qwen_tokenizer(**named)
    ids = tokenizer.get_vocab()
    thinker = Qwen2_5OmniThinkerConfig(
        audio_config={
            "d_model": WIDTH,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 64,
            "output_dim": WIDTH,
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": WIDTH,
            "fullatt_block_indexes": [0],
        },
        text_config={
            **PLAIN_LAYERS,
            "vocab_size": len(tokenizer),
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 1, 1]},
        },
        audio_token_index=ids["<|AUDIO|>"],
        image_token_index=ids["<|IMAGE|>"],
        video_token_index=ids["<|VIDEO|>"],
        audio_start_token_id=ids["<|audio_bos|>"],
        audio_end_token_id=ids["<|audio_eos|>"],
        vision_start_token_id=ids["<|vision_bos|>"],
        vision_end_token_id=ids["<|vision_eos|>"],
        user_token_id=1,
        pad_token_id=ids["<|endoftext|>"],
        initializer_range=SPREAD,
    )
    model = Qwen2_5OmniThinkerForConditionalGeneration(thinker)
    model.generation_config = GenerationConfig(
        eos_token_id=[ids["<|im_end|>"], ids["<|endoftext|>"]], pad_token_id=ids["<|endoftext|>"]
    )
    written = {
        **WhisperFeatureExtractor(feature_size=128, chunk_length=300).to_dict(),
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2_5OmniProcessor",
        "return_attention_mask": True,
        "min_pixels": 3136,
        "max_pixels": 12845056,
        "patch_size": 14,
        "merge_size": 2,
        "temporal_patch_size": 2,
    }
    files = {
        "preprocessor_config.json": written,
        "chat_template.json": {"chat_template": _OMNI_TEMPLATE},
    }
    parts = [model, tokenizer, Files(files)]
    if full:
        config = Qwen2_5OmniConfig(thinker_config=thinker.to_dict())
        config.architectures = ["Qwen2_5OmniModel"]
        parts += [config, _Speaking()]
    return parts


class _Speaking:
    """Puts the thinker's weights under its name, and one of those that speak beside them."""

    def save_pretrained(self, directory: Path) -> None:
        import torch
        from safetensors.torch import load_file, save_file

        path = directory / "model.safetensors"
        held = {f"thinker.{name}": tensor for name, tensor in load_file(path).items()}
        held["talker.codec_head.weight"] = torch.zeros(4, 4)
        save_file(held, path, metadata={"format": "pt"})


KINDS: dict[str, Callable[[], list[Any]]] = {
    "phi4_multimodal": _phi4_multimodal,
    "qwen2_5_omni": lambda: _qwen2_5_omni(full=True),
    "qwen2_5_omni_thinker": lambda: _qwen2_5_omni(full=False),
}
