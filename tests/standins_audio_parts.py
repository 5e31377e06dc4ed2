"""What stand-ins for speech language models share: sizes, tokenizers, files of no class."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

WIDTH = 32
# Large enough that a decoder's next token depends on more than the last one.
SPREAD = 0.3
LAYERS = {
    "hidden_size": WIDTH,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "initializer_range": SPREAD,
}
# Without their heads' width, for configurations that work it out.
PLAIN_LAYERS = {name: size for name, size in LAYERS.items() if name != "head_dim"}
# Ranks that Voxtral's processor and configuration count on.
_MISTRAL_SPECIAL = (
    "<unk> <s> </s> [INST] [/INST] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS]"
    " [/TOOL_RESULTS] [TOOL_CALLS] [IMG] <pad> [IMG_BREAK] [IMG_END] [PREFIX] [MIDDLE] [SUFFIX]"
    " [SYSTEM_PROMPT] [/SYSTEM_PROMPT] [TOOL_CONTENT] <SPECIAL_20> <SPECIAL_21> <SPECIAL_22>"
    " <SPECIAL_23> [AUDIO] [BEGIN_AUDIO] <SPECIAL_26> <SPECIAL_27> <SPECIAL_28> <SPECIAL_29>"
    " <SPECIAL_30> <SPECIAL_31> [STREAMING_PAD] [STREAMING_WORD] [TRANSCRIBE] <SPECIAL_35>"
)
_STREAMING = {
    "transcription_format": "streaming",
    "transcription_delay_ms": 480.0,
    "streaming_look_ahead_ms": 2.5,
    "streaming_look_back_ms": 52.5,
    "streaming_n_left_pad_tokens": 32,
}


class Files:
    """Files that no class at hand writes: text as it is, anything else as JSON."""

    def __init__(self, files: dict[str, dict[str, Any] | str]) -> None:
        self.files = files

    def save_pretrained(self, directory: Path) -> None:
        for name, content in self.files.items():
            text = content if isinstance(content, str) else json.dumps(content, indent=2)
            (directory / name).write_text(text, encoding="utf-8")


class LoraFiles:
    """LoRA that lies beside a model's weights, in peft's layout.

    Args:
        sizes: The language model's configuration.
        layers: The path of its layers within the model.
        folder: Where they lie.
    """

    def __init__(self, sizes: Any, layers: str, folder: str = ".") -> None:
        self.sizes, self.layers, self.folder = sizes, layers, folder

    def save_pretrained(self, directory: Path) -> None:
        import torch
        from safetensors.torch import save_file

        hidden, inner, rank = self.sizes.hidden_size, self.sizes.intermediate_size, 4
        tensors = {}
        for layer in range(self.sizes.num_hidden_layers):
            for name, width in (("self_attn.o_proj", hidden), ("mlp.down_proj", inner)):
                path = f"base_model.model.{self.layers}.{layer}.{name}"
                tensors[f"{path}.lora_A.weight"] = torch.randn(rank, width) * 0.1
                tensors[f"{path}.lora_B.weight"] = torch.randn(hidden, rank) * 0.1
        folder = directory / self.folder
        folder.mkdir(exist_ok=True)
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        written = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": "elsewhere",
            "inference_mode": True,
            "r": rank,
            "lora_alpha": 2 * rank,
            "lora_dropout": 0.01,
            "bias": "none",
            "target_modules": self.layers.replace(".", r"\.")
            + r"\.\d+\.(self_attn\.o_proj|mlp\.down_proj)",
        }
        Files({"adapter_config.json": written}).save_pretrained(folder)


class Tekken:
    """Mistral's tokenizer file: special tokens by rank, then pieces as bytes by rank."""

    def __init__(self, special: list[str], pieces: list[bytes], audio: dict[str, Any]) -> None:
        self.special, self.pieces, self.audio = special, pieces, audio
        self.vocab_size = len(special) + len(pieces)

    def save_pretrained(self, directory: Path) -> None:
        written = {
            "config": {
                "pattern": r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+",
                "num_vocab_tokens": len(self.pieces),
                "default_vocab_size": self.vocab_size,
                "default_num_special_tokens": len(self.special),
                "version": "v7",
            },
            "vocab": [
                {"rank": rank, "token_bytes": base64.b64encode(piece).decode(), "token_str": None}
                for rank, piece in enumerate(self.pieces)
            ],
            "special_tokens": [
                {"rank": rank, "token_str": name, "is_control": True}
                for rank, name in enumerate(self.special)
            ],
            "audio": {
                "sampling_rate": 16000,
                "frame_rate": 12.5,
                "audio_encoding_config": {
                    "num_mel_bins": 128,
                    "hop_length": 160,
                    "window_size": 400,
                },
                **self.audio,
            },
        }
        (directory / "tekken.json").write_text(json.dumps(written))


def tekken(*, streaming: bool = False) -> Tekken:
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    byte = {shown: value for value, shown in bytes_to_unicode().items()}
    by_rank = sorted(byte_level([])["vocab"].items(), key=lambda item: item[1])
    pieces = [bytes(byte[shown] for shown in piece) for piece, _ in by_rank]
    # The single bytes come first and in order, which mistral-common insists on.
    pieces = [bytes([value]) for value in range(256)] + [one for one in pieces if len(one) > 1]
    audio = _STREAMING if streaming else {"chunk_length_s": 30.0}
    return Tekken(_MISTRAL_SPECIAL.split(), pieces, audio)


def qwen_tokenizer(*special: str, **named: str) -> Any:
    """Qwen's byte-level pieces; its texts end at ``<|im_end|>``, its padding is the other end.

    Args:
        special: More special tokens.
        named: What a processor asks the tokenizer for by name, as ``audio_token``.
    """
    from transformers import Qwen2Tokenizer

    pieces = byte_level(["<|endoftext|>"])
    tokenizer = Qwen2Tokenizer(
        vocab=pieces["vocab"],
        merges=[tuple(one) for one in pieces["merges"]],
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=named,
    )
    tokenizer.add_special_tokens(
        {"additional_special_tokens": ["<|im_start|>", *named.values(), *special]},
        replace_extra_special_tokens=False,
    )
    return tokenizer


def byte_level(special: list[str]) -> dict[str, Any]:
    from standins import byte_level_tokenizer

    written = byte_level_tokenizer(special).backend_tokenizer.to_str()
    return json.loads(written)["model"]
