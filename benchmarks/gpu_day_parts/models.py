"""Models with random weights: tiny ones of every family, some as large as published ones."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpu_day_parts.context import Context

# Tiny ones, and the tokenizers of all, are the tests' stand-ins.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

_DONE = ".complete"


@dataclass(frozen=True)
class Sizes:
    """Of a language model of Llama's kind.

    Attributes:
        layers: How many.
        width: Of a token.
        inner: Of the feed-forward block.
        vocabulary: Rows of the embeddings, which are tied to the head.
    """

    layers: int
    width: int
    inner: int
    vocabulary: int


SMOLLM2_1_7B = Sizes(layers=24, width=2048, inner=8192, vocabulary=49152)

# In the place of each, where all is tiny: a stand-in of the tests.
TINY: Mapping[str, str] = {
    "smollm2_1.7b": "chat_lm",
    "whisper_small": "whisper",
    "whisper_large_v3_turbo": "whisper_asr",
    "parakeet_ctc_0.6b": "parakeet_ctc",
}


def tiny(context: Context, kind: str) -> Path:
    """The folder of a stand-in of the tests, written when it is first asked for."""
    import standins

    folder = context.models / "tiny" / kind
    if not (folder / _DONE).exists():
        standins.write(folder, kind)
        (folder / _DONE).touch()
    return folder


def large(context: Context, name: str) -> Path:
    """The folder of a model at its published sizes; where all is tiny, of a stand-in.

    Raises:
        FileNotFoundError: The part that writes them did not.
    """
    if context.toy:
        return tiny(context, TINY[name])
    folder = context.models / name
    if not (folder / _DONE).exists():
        raise FileNotFoundError(f"{folder} was not written: see the part `models`")
    return folder


def write_large(context: Context, name: str) -> None:
    """Write one at its published sizes, in bfloat16, its weights sampled on the GPU."""
    import torch

    folder = context.models / name
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    for part in _LARGE[name]():
        part.save_pretrained(folder)
    (folder / _DONE).touch()


def parameters(folder: Path) -> int:
    """Values in a folder's files of weights."""
    from safetensors import safe_open

    total = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as weights:
            for key in weights.keys():  # noqa: SIM118 - not a mapping
                shape = weights.get_slice(key).get_shape()
                size = 1
                for length in shape:
                    size *= length
                total += size
    return total


def _on_device(make: Callable[[Any], Any], config: Any) -> Any:
    import torch

    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        return make(config)


def _smollm2() -> list[Any]:
    import standins
    from transformers import LlamaConfig, LlamaForCausalLM

    _, tokenizer = standins.KINDS["chat_lm"]()
    sizes = SMOLLM2_1_7B
    config = LlamaConfig(
        vocab_size=sizes.vocabulary, hidden_size=sizes.width, intermediate_size=sizes.inner,
        num_hidden_layers=sizes.layers, num_attention_heads=32, num_key_value_heads=32,
        max_position_embeddings=8192, tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return [_on_device(LlamaForCausalLM, config), tokenizer]


def _whisper_small() -> list[Any]:
    from transformers import WhisperConfig, WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = WhisperConfig(
        d_model=768, encoder_layers=12, encoder_attention_heads=12, encoder_ffn_dim=3072
    )
    return [_on_device(WhisperEncoder, config), WhisperFeatureExtractor()]


def _whisper_large_v3_turbo() -> list[Any]:
    """The stand-in's tokens, more rows than there are tokens, and the published layers."""
    import standins
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
    )

    small, processor = standins.KINDS["whisper_asr"]()
    config = WhisperConfig(
        **{name: getattr(small.config, name) for name in (
            "pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")},
        vocab_size=51866, num_mel_bins=128, d_model=1280, encoder_layers=32, decoder_layers=4,
        encoder_attention_heads=20, decoder_attention_heads=20, encoder_ffn_dim=5120,
        decoder_ffn_dim=5120,
    )  # fmt: skip
    model = _on_device(WhisperForConditionalGeneration, config)
    generation = small.generation_config
    generation.max_length = 448
    # Random weights might end a text at once: each goes to its limit.
    generation.suppress_tokens = [*generation.suppress_tokens, config.eos_token_id]
    model.generation_config = generation
    extractor = WhisperFeatureExtractor(feature_size=128)
    return [model, WhisperProcessor(extractor, processor.tokenizer)]


def _parakeet_ctc() -> list[Any]:
    from standins import SENTENCES
    from transformers import (
        ParakeetCTCConfig,
        ParakeetEncoderConfig,
        ParakeetFeatureExtractor,
        ParakeetForCTC,
        ParakeetProcessor,
    )

    from mynah.models.text.tokenizers import train_tokenizer

    tokenizer = train_tokenizer(SENTENCES, kind="bpe", vocab_size=48)
    encoder = ParakeetEncoderConfig(
        hidden_size=1024, num_hidden_layers=24, num_attention_heads=8, intermediate_size=4096
    )
    config = ParakeetCTCConfig(
        vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, encoder_config=encoder
    )
    processor = ParakeetProcessor(ParakeetFeatureExtractor(), tokenizer)
    return [_on_device(ParakeetForCTC, config), processor]


_LARGE: Mapping[str, Callable[[], list[Any]]] = {
    "smollm2_1.7b": _smollm2,
    "whisper_small": _whisper_small,
    "whisper_large_v3_turbo": _whisper_large_v3_turbo,
    "parakeet_ctc_0.6b": _parakeet_ctc,
}
LARGE = tuple(_LARGE)
