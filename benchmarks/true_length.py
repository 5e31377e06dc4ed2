"""A speech LLM with a Whisper encoder on short clips: as long as they are, or padded to 30 s.

    python benchmarks/true_length.py [--encoder base|small] [--encoder-tuning frozen|lora|full]
        [--seconds 4] [--clips 8] [--repeats 5] [--threads 1]

Encoder and language model are random, in the sizes of openai/whisper-base or -small and
of a small Llama, saved, and put together as `mynah train` does, once with model.audio_window=clip
and once with native (the baseline). Timed are training steps (forward, backward, AdamW; the
language model adapted with LoRA) on one batch of noise, in turns, after one step of each to warm
up: utterances a second of each, and the median of the ratios of the turns. The peak memory of
each is that of a process of its own that does two steps.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import turns

from mynah.config.schema import ModelConfig
from mynah.models import registry
from mynah.models.family import Example
from mynah.models.pretrained import hub

RATE = 16000
TEXT = "turn on the lights in the kitchen and set a timer for ten minutes"
WINDOWS = ("clip", "native")
SIZES = {"base": (512, 6, 8), "small": (768, 12, 12)}  # width, layers, heads
_KILOBYTES = 1 if sys.platform != "darwin" else 1024  # ru_maxrss is in bytes on macOS


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--encoder", choices=sorted(SIZES), default="base")
    parser.add_argument("--encoder-tuning", choices=("frozen", "lora", "full"), default="frozen")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory-of", choices=WINDOWS, help=argparse.SUPPRESS)
    parser.add_argument("--models", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory_of:
        print(json.dumps(_memory(arguments)))
        return
    with tempfile.TemporaryDirectory() as folder:
        arguments.models = folder
        _write_models(Path(folder), arguments.encoder)
        memory = {window: _memory_apart(arguments, window) for window in WINDOWS}
        steps = {window: _step(arguments, window) for window in WINDOWS}
        for step in steps.values():
            step()
        seconds = turns.in_turns(steps, arguments.repeats)
    print(
        f"whisper-{arguments.encoder} ({arguments.encoder_tuning}), {arguments.clips} clips of "
        f"{arguments.seconds:g} s, {arguments.threads} threads, {arguments.repeats} turns"
    )
    for window in WINDOWS:
        speed = arguments.clips / statistics.median(seconds[window])
        process, above = memory[window]
        print(
            f"{window:>7}: {speed:7.2f} utterances/s, peak {process:5.2f} GiB, of which the steps "
            f"{above:5.2f} GiB"
        )
    middle, least, most = turns.ratios(seconds["clip"], seconds["native"])
    print(
        f"clip against native: {middle:.1f} x the utterances ({least:.1f} to {most:.1f}), "
        f"{memory['clip'][0] / memory['native'][0]:.2f} x the peak memory"
    )


def _write_models(folder: Path, size: str) -> None:
    """A Whisper encoder and a language model with random weights, as they lie on the hub."""
    from transformers import LlamaConfig, LlamaForCausalLM, WhisperConfig, WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    torch.manual_seed(0)
    width, layers, heads = SIZES[size]
    config = WhisperConfig(
        d_model=width,
        encoder_layers=layers,
        encoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
    )
    tokenizer = _tokenizer()
    small = LlamaConfig(
        vocab_size=8192,
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=8,
        num_attention_heads=6,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
    )
    with hub.quiet():
        WhisperEncoder(config).save_pretrained(folder / "encoder")
        WhisperFeatureExtractor().save_pretrained(folder / "encoder")
        LlamaForCausalLM(small).save_pretrained(folder / "language_model")
        tokenizer.save_pretrained(folder / "language_model")


def _tokenizer() -> Any:
    """Bytes, and a token that ends a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={one: i for i, one in enumerate(pieces)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=pieces[0])


def _step(arguments: argparse.Namespace, window: str) -> Callable[[], None]:
    """A training step of the model that encodes in this way."""
    torch.manual_seed(0)
    config = ModelConfig(
        encoder_model_name=f"{arguments.models}/encoder",
        decoder_model_name=f"{arguments.models}/language_model",
        audio_window=window,
        encoder_tuning=arguments.encoder_tuning,
        use_lora=True,
    )
    family = registry.build(config, texts=[TEXT], sample_rate=RATE, offline=True)
    family.model.train()
    draw = np.random.default_rng(0)
    clips = 0.1 * draw.standard_normal((arguments.clips, round(arguments.seconds * RATE)))
    batch = family.collate(
        [
            Example(str(row), family.features(clip.astype(np.float32)), family.labels(TEXT))
            for row, clip in enumerate(clips)
        ]
    )
    trained = [p for p in family.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)

    def step() -> None:
        loss = family.loss(family.model, batch)
        (loss.total / loss.count).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def _memory(arguments: argparse.Namespace) -> tuple[float, float]:
    """GiB that this process has held at most, and what two steps took of them."""
    step = _step(arguments, arguments.memory_of)
    before = _peak_gibibytes()
    step()
    step()
    return _peak_gibibytes(), _peak_gibibytes() - before


def _memory_apart(arguments: argparse.Namespace, window: str) -> tuple[float, float]:
    command = [sys.executable, __file__, "--memory-of", window, "--models", arguments.models]
    for name in ("encoder", "encoder_tuning", "seconds", "clips", "threads"):
        command += [f"--{name.replace('_', '-')}", str(getattr(arguments, name))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    process, above = json.loads(done.stdout.splitlines()[-1])
    return process, above


def _peak_gibibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KILOBYTES / 2**20


if __name__ == "__main__":
    main()
