"""LoRA on a Whisper with short clips, against a loop written by hand with transformers and peft.

    python benchmarks/lora_window.py [--model openai/whisper-tiny.en] [--seconds 4] [--clips 8]
        [--tail 5] [--repeats 5] [--threads 1]

Timed are training steps (forward, backward, AdamW) on one batch of noise, its
features ready, in turns after one step of each to warm up. The hand-written loop is
WhisperForConditionalGeneration with peft's LoRA of the same rank on the same layers, once at the
30-s window that transformers insists on, and once with its position embeddings cut to the clips'
length. Ours is the model as `mynah train` builds it, on bare clips and with a tail of silence.
Printed are utterances a second, and the medians of the turns' ratios. The peak memory of each is
that of a process of its own that does two steps.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import turns

from mynah.config.schema import ModelConfig
from mynah.models import registry
from mynah.models.family import Example

RATE, WINDOW_SECONDS = 16000, 30
RANK, ALPHA, LEARNING_RATE = 8, 16, 1e-3
TEXT = "turn on the lights in the kitchen and set a timer for ten minutes"
WAYS = ("ours", "ours, tail", "by hand, same length", "by hand, 30 s")
RATIOS = (
    ("ours", "by hand, 30 s"),
    ("ours, tail", "by hand, 30 s"),
    ("ours", "by hand, same length"),
)
_KILOBYTES = 1 if sys.platform != "darwin" else 1024  # ru_maxrss is in bytes on macOS
_FRAMES_A_POSITION = 2  # of Whisper's second convolution


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="openai/whisper-tiny.en")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--tail", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory-of", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory_of:
        step = _step(arguments, arguments.memory_of)
        step()
        step()
        print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KILOBYTES / 2**20))
        return
    memory = {way: _memory_apart(arguments, way) for way in WAYS}
    steps = {way: _step(arguments, way) for way in WAYS}
    for step in steps.values():
        step()
    seconds = turns.in_turns(steps, arguments.repeats)
    print(
        f"{arguments.model}, LoRA r {RANK}, {arguments.clips} clips of {arguments.seconds:g} s, "
        f"{arguments.threads} threads, {arguments.repeats} turns"
    )
    for way in WAYS:
        speed = arguments.clips / statistics.median(seconds[way])
        print(f"{way:>20}: {speed:6.2f} utterances/s, peak {memory[way]:5.2f} GiB")
    for fast, slow in RATIOS:
        middle, least, most = turns.ratios(seconds[fast], seconds[slow])
        print(
            f"{fast} against {slow}: {middle:.1f} x the utterances ({least:.1f} to {most:.1f}), "
            f"{memory[fast] / memory[slow]:.2f} x the peak memory"
        )


def _step(arguments: argparse.Namespace, way: str) -> Callable[[], None]:
    torch.manual_seed(0)
    noise = np.random.default_rng(0).standard_normal(
        (arguments.clips, round(arguments.seconds * RATE))
    )
    clips = (0.1 * noise).astype(np.float32)
    if way.startswith("ours"):
        return _ours(arguments.model, clips, arguments.tail if way.endswith("tail") else 0.0)
    seconds = WINDOW_SECONDS if way.endswith("30 s") else arguments.seconds
    return _by_hand(arguments.model, clips, seconds)


def _ours(model: str, clips: np.ndarray, tail: float) -> Callable[[], None]:
    """A step of the model as a training builds it."""
    config = ModelConfig(
        family="seq2seq",
        pretrained=model,
        use_lora=True,
        lora_r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=0.0,
        audio_window="clip",
        audio_tail_seconds=tail,
    )
    family = registry.build(config, texts=[TEXT], sample_rate=RATE, offline=True)
    family.model.train()
    batch = family.collate(
        [
            Example(str(row), family.features(clip), family.labels(TEXT))
            for row, clip in enumerate(clips)
        ]
    )
    optimizer = _optimizer(family.model)

    def step() -> None:
        loss = family.loss(family.model, batch)
        (loss.total / loss.count).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def _by_hand(model: str, clips: np.ndarray, seconds: float) -> Callable[[], None]:
    """A step as a tutorial of transformers and peft writes it, on windows of so many seconds."""
    from peft import LoraConfig, get_peft_model
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    folder = _folder(model)
    processor = WhisperProcessor.from_pretrained(folder)
    whisper = WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    samples = round(seconds * RATE)
    features = processor.feature_extractor(
        list(clips), sampling_rate=RATE, max_length=samples, return_tensors="pt"
    ).input_features
    _cut_positions(whisper, features.shape[-1] // _FRAMES_A_POSITION)
    labels = processor.tokenizer([TEXT] * len(clips), return_tensors="pt").input_ids
    layers = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]
    tuned = get_peft_model(
        whisper, LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=layers)
    )
    tuned.train()
    optimizer = _optimizer(tuned)

    def step() -> None:
        tuned(input_features=features, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def _cut_positions(whisper: Any, positions: int) -> None:
    """Let an encoder take windows of so many positions; a full one stays as it is."""
    encoder = whisper.get_encoder()
    weight = encoder.embed_positions.weight.data[:positions].clone()
    encoder.embed_positions = torch.nn.Embedding.from_pretrained(weight)
    encoder.config.max_source_positions = whisper.config.max_source_positions = positions


def _folder(model: str) -> str:
    """Where the weights lie for transformers, found as a training finds them."""
    config = ModelConfig(family="seq2seq", pretrained=model)
    part = registry.check_model(config, sample_rate=RATE, offline=True).parts["pretrained"]
    return str(part.folder)


def _optimizer(model: torch.nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=LEARNING_RATE)


def _memory_apart(arguments: argparse.Namespace, way: str) -> float:
    command = [sys.executable, __file__, "--memory-of", way]
    for name in ("model", "seconds", "clips", "tail", "threads"):
        command += [f"--{name}", str(getattr(arguments, name))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
