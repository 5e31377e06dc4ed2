"""Tiny random checkpoints of the real classes, laid out as the Hugging Face hub's cache.

With ``HF_HUB_OFFLINE=1`` and ``HF_HUB_CACHE`` (or ``HF_HOME``) pointing there,
``from_pretrained("openai/whisper-small")`` loads one by the same code as the real thing.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import standins_audio_llm
import standins_ctc
import standins_lm
import standins_seq2seq
from standins_lm import SENTENCES, byte_level_tokenizer

__all__ = ["KINDS", "SENTENCES", "byte_level_tokenizer", "install", "write"]

# What the shipped configurations name.
LARGE = {
    "openai/whisper-small": "whisper",
    "HuggingFaceTB/SmolLM2-1.7B-Instruct": "chat_lm",
}


def install(hub_cache: Path, name: str, kind: str) -> Path:
    """Write a stand-in for the hub's ``name`` and return its snapshot's folder.

    Args:
        hub_cache: The cache's folder: ``HF_HUB_CACHE``, or ``HF_HOME/hub``.
        name: A name on the hub, as ``openai/whisper-small``.
        kind: One of ``KINDS``.
    """
    repository = hub_cache / f"models--{name.replace('/', '--')}"
    commit = hashlib.sha1(f"{name} {kind}".encode()).hexdigest()
    snapshot = repository / "snapshots" / commit
    if not snapshot.exists():
        building = repository / "building"
        shutil.rmtree(building, ignore_errors=True)
        write(building, kind)
        snapshot.parent.mkdir(parents=True, exist_ok=True)
        building.rename(snapshot)
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / "main").write_text(commit)
    return snapshot


def write(directory: Path, kind: str) -> Path:
    """Write a stand-in as a plain folder."""
    import torch

    directory.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for part in KINDS[kind]():
            part.save_pretrained(directory)
    return directory


def _whisper() -> list[Any]:
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    config = WhisperConfig(
        vocab_size=64,
        d_model=32,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        num_mel_bins=80,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config.suppress_tokens = None
    model.generation_config.begin_suppress_tokens = None
    return [model, WhisperFeatureExtractor(feature_size=80)]


def _transducer_sizes(encoder: Any) -> tuple[Any, dict[str, Any]]:
    """A tokenizer with a blank behind its pieces, and the sizes that a configuration takes."""
    from mynah.models.text.tokenizers import train_tokenizer

    tokenizer = train_tokenizer(SENTENCES, kind="bpe", vocab_size=48)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<blank>"]})
    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "subsampling_conv_channels": 8,
        "layerdrop": 0.0,
        "dropout": 0.0,
        "activation_dropout": 0.0,
        "attention_dropout": 0.0,
    }
    return tokenizer, {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "blank_token_id": tokenizer.convert_tokens_to_ids("<blank>"),
        "decoder_hidden_size": 24,
        "num_decoder_layers": 2,
        "max_symbols_per_step": 3,
        "encoder_config": encoder(**sizes),
    }


def _begins_with_blank(model: Any) -> Any:
    """What converted checkpoints tell ``generate``; durations are not tokens."""
    config, generation = model.config, model.generation_config
    generation.decoder_start_token_id = config.blank_token_id
    if durations := getattr(config, "durations", ()):
        generation.suppress_tokens = [config.vocab_size + i for i in range(len(durations))]
    return model


def _parakeet_transducer(kind: str) -> list[Any]:
    """Parakeet RNN-T or TDT."""
    import transformers

    tokenizer, sizes = _transducer_sizes(transformers.ParakeetEncoderConfig)
    if kind == "TDT":  # whose generate knows no such limit
        sizes.pop("max_symbols_per_step")
    config = getattr(transformers, f"Parakeet{kind}Config")(**sizes)
    processor = transformers.ParakeetProcessor(
        transformers.ParakeetFeatureExtractor(), tokenizer, decoder_type=kind.lower()
    )
    return [_begins_with_blank(getattr(transformers, f"ParakeetFor{kind}")(config)), processor]


def _nemotron_streaming() -> list[Any]:
    """A streaming FastConformer, which looks a few frames ahead."""
    import transformers

    tokenizer, sizes = _transducer_sizes(transformers.NemotronAsrStreamingEncoderConfig)
    sizes["encoder_config"].sliding_window = 8
    sizes["encoder_config"].default_num_lookahead_tokens = 1
    model = transformers.NemotronAsrStreamingForRNNT(
        transformers.NemotronAsrStreamingConfig(**sizes)
    )
    extractor = transformers.NemotronAsrStreamingFeatureExtractor()
    processor = transformers.NemotronAsrStreamingProcessor(
        extractor, tokenizer, supported_num_lookahead_tokens=[1, 0]
    )
    return [_begins_with_blank(model), processor]


def _nemotron_multilingual() -> list[Any]:
    """The same with a language that it is conditioned on."""
    import transformers

    tokenizer, sizes = _transducer_sizes(transformers.NemotronAsrStreamingEncoderConfig)
    sizes["encoder_config"].sliding_window = 8
    sizes["encoder_config"].default_num_lookahead_tokens = 1
    languages = {"en": 0, "de": 1, "auto": 2}
    config = transformers.Nemotron3_5AsrConfig(
        **sizes, num_prompts=4, prompt_intermediate_size=48, default_prompt_id=2
    )
    processor = transformers.Nemotron3_5AsrProcessor(
        transformers.NemotronAsrStreamingFeatureExtractor(),
        tokenizer,
        supported_num_lookahead_tokens=[1, 0],
        prompt_dictionary=languages,
        num_prompts=4,
    )
    model = _begins_with_blank(transformers.Nemotron3_5AsrForRNNT(config))
    return [model, processor]


KINDS: dict[str, Callable[[], list[Any]]] = {
    "whisper": _whisper,
    **standins_lm.KINDS,
    **standins_ctc.KINDS,
    **standins_seq2seq.KINDS,
    **standins_audio_llm.KINDS,
    "parakeet_rnnt": lambda: _parakeet_transducer("RNNT"),
    "parakeet_tdt": lambda: _parakeet_transducer("TDT"),
    "nemotron_streaming": _nemotron_streaming,
    "nemotron_multilingual": _nemotron_multilingual,
}


def main(arguments: list[str]) -> None:
    """``python tests/standins.py HUB_CACHE NAME=KIND ...``; no name: those of model=large."""
    cache, *named = arguments
    wanted = dict(one.split("=", 1) for one in named) if named else LARGE
    for name, kind in wanted.items():
        print(install(Path(cache), name, kind))


if __name__ == "__main__":
    main(sys.argv[1:])
