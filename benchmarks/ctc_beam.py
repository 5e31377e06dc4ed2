"""How fast a CTC model's beam search decodes beside its greedy decoding, from recordings to texts.

    python benchmarks/ctc_beam.py [MODEL CORPUS] [--split test] [--language-model words] \
        [--repeats 5] [--threads 1]

MODEL is a checkpoint of a trained CTC model, CORPUS what data.dataset_name takes; without them a
small model learns a language of tones first (some minutes), which needs nothing. Each way decodes
all utterances as ``mynah eval`` does, with audio, features, forward pass and text, in turns; before
each turn the model is loaded again, so that nothing is remembered. Ways are greedy decoding, a beam
of 12 with n-grams of words (a file's, or ``words``: the training transcripts'), and the same with
hot words: a file's, or the 20 longest words of the corpus. Printed are medians: seconds, processor
seconds, and the speed over that of greedy decoding, of each turn's times.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import turns

import mynah
from mynah.config.schema import ModelConfig
from mynah.data.corpus import Corpus

_RATE = 16000
_WORDS = 60  # of the language of tones, of 2 to 6 letters out of 12
_SENTENCES = {"train": 400, "test": 60}
_SETTINGS = [
    "model=small", "model.tokenizer=character", "model.language_model=words",
    "model.encoder.hidden_size=96", "model.encoder.layers=3", "training.max_steps=600",
    "training.per_device_train_batch_size=8", "training.learning_rate=2e-3",
    "training.eval_steps=600", "training.save_steps=600", "data.eval_splits=[test]",
]  # fmt: skip


def main() -> None:
    """Print what each way takes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", help="a checkpoint of a CTC model")
    parser.add_argument("corpus", nargs="?", help="what data.dataset_name takes")
    parser.add_argument("--split", default="test")
    parser.add_argument("--language-model", default="words", help="words, or FILE.arpa")
    parser.add_argument("--context-file", help="hot words, one a line")
    parser.add_argument("--utterances", type=int, help="at most so many, evenly chosen")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()

    import torch

    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        model, data = arguments.model, arguments.corpus
        if model is None or data is None:
            model, data = tone_model(Path(folder))
        corpus = mynah.prepare(
            data, [f"data.train_splits=[{arguments.split}]", "data.eval_splits=[]"]
        )
        if arguments.utterances is not None:
            rows = np.linspace(0, len(corpus) - 1, min(arguments.utterances, len(corpus)))
            corpus = corpus.select(np.unique(rows.round().astype(int)))
        listed = arguments.context_file or long_words(corpus, Path(folder) / "hot_words.txt")
        joined = ModelConfig(language_model=arguments.language_model)
        ways = {
            "greedy": ModelConfig(language_model="none"),
            "n-grams": joined,
            "n-grams, hot words": dataclasses.replace(joined, context_file=str(listed)),
        }
        measure(Path(model), corpus, ways, arguments.repeats)


def measure(
    model: Path, corpus: Corpus, ways: dict[str, ModelConfig], repeats: int
) -> dict[str, list[float]]:
    """Print the table, and return each way's processor seconds over greedy decoding's, by turn."""
    decoders = {name: decoder(model, corpus, config) for name, config in ways.items()}
    decoders["greedy"]()  # what torch makes once
    wall: dict[str, list[float]] = {name: [] for name in ways}
    used: dict[str, list[float]] = {name: [] for name in ways}
    texts: dict[str, list[str]] = {}
    for repeat in range(repeats):
        for name in list(ways)[:: 1 if repeat % 2 else -1]:
            seconds, processor, texts[name] = decoders[name]()
            wall[name].append(seconds)
            used[name].append(processor)
    audio = float(np.sum(corpus.durations))
    print(f"{len(corpus)} utterances, {audio:.0f} s, {repeats} turns")
    for name in ways:
        speed, least, most = turns.ratios(wall[name], wall["greedy"])
        by_processor, *_ = turns.ratios(used[name], used["greedy"])
        pairs = zip(texts[name], corpus.texts, strict=True)
        right = float(np.mean([found.lower() == said.lower() for found, said in pairs]))
        print(
            f"{name:18} {statistics.median(wall[name]):6.2f} s, processor "
            f"{statistics.median(used[name]):6.2f} s; of greedy's speed {speed:.2f} ({least:.2f} "
            f"to {most:.2f}), by processor {by_processor:.2f}; {right:.0%} of texts right"
        )
    return used


def decoder(
    model: Path, corpus: Corpus, config: ModelConfig
) -> Callable[[], tuple[float, float, list[str]]]:
    """A way of decoding: seconds, processor seconds and texts of a model that is newly loaded."""
    from mynah.evaluation.decoding.decode import decode
    from mynah.models import registry

    def run() -> tuple[float, float, list[str]]:
        family = registry.load_family(model, offline=True)
        family.configure_decoding(config)
        decode_all = partial(decode, family, corpus, batch_seconds=240.0, progress=False)
        gc.collect()
        started, began = time.perf_counter(), time.process_time()
        hypotheses = decode_all()
        seconds, processor = time.perf_counter() - started, time.process_time() - began
        return seconds, processor, [one.text for one in hypotheses]

    return run


def long_words(corpus: Corpus, path: Path) -> Path:
    """A list of the 20 longest words of a corpus."""
    words = sorted({word for text in corpus.texts for word in text.split()})
    longest = sorted(words, key=len, reverse=True)[:20]
    path.write_text("\n".join(longest) + "\n", encoding="utf-8")
    return path


def tone_model(folder: Path) -> tuple[str, str]:
    """A model that has learned a language of tones, and the corpus of it."""
    generator = np.random.default_rng(0)
    letters = list("abcdefghijkl")
    words = ["".join(generator.choice(letters, generator.integers(2, 7))) for _ in range(_WORDS)]
    corpus = folder / "tones"
    for split, count in _SENTENCES.items():
        (corpus / split).mkdir(parents=True)
        lines = ["file_name,transcription"]
        for number in range(count):
            said = " ".join(generator.choice(words, generator.integers(3, 9)))
            samples = tones(said, generator)
            soundfile.write(corpus / split / f"{number}.wav", samples, _RATE)
            lines.append(f"{number}.wav,{said}")
        (corpus / split / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings: Sequence[str] = [*_SETTINGS, f"data.dataset_name={corpus}"]
    run = mynah.train([*settings, f"hydra.run.dir={folder / 'run'}"])
    return str(run.model), str(corpus)


def tones(text: str, generator: np.random.Generator) -> np.ndarray:
    """Each letter 80 ms of a tone of its own, in noise that makes some unclear: [samples]."""
    pieces = []
    for letter in text:
        times = np.arange(round(0.08 * _RATE)) / _RATE
        hertz = 0.0 if letter == " " else 400.0 + 60.0 * (ord(letter) - ord("a"))
        pieces.append(0.3 * np.sin(2 * np.pi * hertz * times))
        pieces.append(np.zeros(round(generator.uniform(0.02, 0.08) * _RATE)))
    samples: np.ndarray = np.concatenate(pieces)
    return samples + 0.05 * generator.standard_normal(len(samples))


if __name__ == "__main__":
    main()
