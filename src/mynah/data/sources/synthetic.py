"""The embedded corpus: sentences of a grammar, spoken by espeak-ng.

Each shard is spoken by a process of its own: espeak's state carries over from sentence to
sentence, so that only a fresh process makes the same recordings again.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mynah.config.schema import DataConfig, SynthesisConfig
from mynah.console import progress
from mynah.data.augmentation.telephone import CODECS
from mynah.data.sources.reading.source import Part, Place, Source
from mynah.data.synthetic import espeak, grammar
from mynah.data.tables import table as tables
from mynah.errors import UserError
from mynah.stopping.children import end_with_parent

SYNTHESIS_VERSION = 4  # of how a sentence becomes a recording; a part of the fingerprint
_SHARD_SENTENCES = 250
_REPORTED_SENTENCES = 25
_VOICES = {
    grammar.TRAIN: espeak.TRAIN_VOICES,
    grammar.EVALUATION: espeak.EVALUATION_VOICES,
}


class SyntheticSource(Source):
    """Splits ``train`` and ``validation``."""

    format = "synthetic"
    is_corpus = True
    needs_folder = False

    def __init__(self, config: DataConfig, place: Place) -> None:
        self.name = self.identity = "synthetic"
        # No more is spoken than is kept: the first sentences of a longer draw are the same.
        self._config = dataclasses.replace(
            config.synthesis,
            train_sentences=_least(config.synthesis.train_sentences, config.max_train_samples),
            eval_sentences=_least(config.synthesis.eval_sentences, config.max_eval_samples),
        )
        self._sample_rate = config.sample_rate
        self._place = place

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> SyntheticSource:
        return cls(config, place)

    def splits(self) -> list[str]:
        return [grammar.TRAIN, grammar.EVALUATION]

    def parts(self, split: str) -> list[Part]:
        if split not in self.splits():
            raise self.unknown_split(split)
        return [Part(split, split)]

    def table(self, part: Part, first_rows: int | None = None) -> tables.Table:
        split = part.key
        spoken = plan(split, self._config)
        made_of = {
            "version": SYNTHESIS_VERSION,
            "format": tables.FORMAT_VERSION,
            "espeak": espeak.espeak().version,
            "sample_rate": self._sample_rate,
            "spoken": [
                (one.id, one.text, one.voice, one.rate, one.pitch, one.snr_db, one.seed)
                + ((one.codec,) if one.codec else ())
                for one in spoken
            ],
        }
        digest = hashlib.blake2b(json.dumps(made_of).encode(), digest_size=8).hexdigest()
        directory = self._place.cache / f"synthetic-{split}-{digest}"
        shards = -(-len(spoken) // _SHARD_SENTENCES)

        def make(staging: Path, missing: list[int]) -> None:
            parts = {
                number: spoken[number * _SHARD_SENTENCES : (number + 1) * _SHARD_SENTENCES]
                for number in missing
            }
            _speak(split, parts, staging, self._sample_rate, self._place.processes)

        return tables.open_or_make(directory, shards, make, lambda: {"source": "synthetic"})

    def statement(self) -> dict[str, Any]:
        """What the evaluation part shares with the training part, counted."""
        seed, domain = self._config.seed, self._config.domain
        train = grammar.draw_sentences(
            grammar.TRAIN, self._config.train_sentences, seed=seed, domain=domain
        )
        evaluation = grammar.draw_sentences(
            grammar.EVALUATION, self._config.eval_sentences, seed=seed, domain=domain
        )
        train_words = {word for sentence in train for word in sentence.text.split()}
        words = [word for sentence in evaluation for word in sentence.text.split()]
        types = set(words)
        keys = {sentence.key for sentence in train}
        shared = sum(sentence.key in keys for sentence in evaluation)
        new_words = sum(word not in train_words for word in words) / max(len(words), 1)
        new_types = len(types - train_words) / max(len(types), 1)
        voices = sorted(set(espeak.EVALUATION_VOICES) & set(espeak.TRAIN_VOICES))
        counted = {
            "sentences": len(evaluation),
            "words": len(words),
            "word_types": len(types),
            "voices": len(espeak.EVALUATION_VOICES),
            "voices_shared_with_training": len(voices),
            "sentences_shared_with_training": shared,
            "train_sentences": len(train),
            "train_word_types": len(train_words),
            "train_voices": len(espeak.TRAIN_VOICES),
            "reachable_word_types": len(grammar.load_grammar(self._config.domain).vocabulary()),
            "share_of_words_never_in_training": round(new_words, 4),
            "share_of_word_types_never_in_training": round(new_types, 4),
        }
        text = (
            f"{len(evaluation):,} sentences with {len(types):,} different words, spoken by "
            f"{len(espeak.EVALUATION_VOICES)} voices of which {len(voices)} occur in "
            f"training; {shared} of the sentences fill a template with the same words as one "
            f"of the {len(train):,} training sentences; {new_words:.1%} of the words spoken "
            f"({new_types:.1%} of the different ones) never occur in training."
        )
        return {"text": text, **counted}


def plan(split: str, config: SynthesisConfig) -> list[espeak.Spoken]:
    """What is said and how: a pure function of the split and the settings."""
    evaluation = split == grammar.EVALUATION
    count = config.eval_sentences if evaluation else config.train_sentences
    sentences = grammar.draw_sentences(split, count, seed=config.seed, domain=config.domain)
    voices = _VOICES[split]
    codecs = CODECS if config.channel == "telephone" else (None,)
    generator = np.random.default_rng([config.seed, int(evaluation), 1])
    spoken = []
    for position, sentence in enumerate(sentences):
        if position % len(voices) == 0:
            order = generator.permutation(len(voices))
        rate = int(generator.integers(espeak.RATES[0], espeak.RATES[1] + 1))
        pitch = int(generator.integers(espeak.PITCHES[0], espeak.PITCHES[1] + 1))
        ratio = generator.random()
        seed = int(generator.integers(2**31))
        spoken.append(
            espeak.Spoken(
                id=f"{split}-{position:06d}",
                text=sentence.text,
                voice=voices[order[position % len(voices)]],
                rate=rate,
                pitch=pitch,
                snr_db=_between(config.noise_snr_db, ratio),
                seed=seed,
                codec=codecs[seed % len(codecs)],
            )
        )
    return spoken


def _least(wanted: int, limit: int | None) -> int:
    return wanted if limit is None else min(wanted, limit)


def _between(limits: list[float], ratio: float) -> float | None:
    return round(limits[0] + (limits[-1] - limits[0]) * ratio, 2) if limits else None


def _speak(
    split: str,
    parts: dict[int, list[espeak.Spoken]],
    staging: Path,
    sample_rate: int,
    processes: int,
) -> None:
    """Speak shards in processes of their own, ``processes`` at a time."""
    total = sum(len(part) for part in parts.values())
    running: set[subprocess.Popen[str]] = set()
    lock = threading.Lock()

    def spoken(line: str) -> None:
        with lock:
            advance(int(line))

    def one(number: int) -> None:
        job = {
            "path": str(tables.shard(staging, number)),
            "sample_rate": sample_rate,
            "parent": os.getpid(),
            "spoken": [dataclasses.asdict(one) for one in parts[number]],
        }
        last = _run(job, running, spoken)
        if last is not None:
            raise UserError(
                f"Synthesizing the embedded corpus failed: {last}",
                where=f"a process that synthesizes {len(parts[number])} sentences into {staging}",
                fix="Run it again: what was spoken is kept. data.num_proc=1 needs less memory.",
            )

    what = "training" if split == grammar.TRAIN else "evaluation"
    with (
        progress(f"Synthesizing the {what} sentences", total, "sentences") as advance,
        concurrent.futures.ThreadPoolExecutor(processes) as pool,
    ):
        futures = [pool.submit(one, number) for number in parts]
        try:
            for future in concurrent.futures.as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(running):
                process.kill()
            raise


def _run(
    job: dict[str, Any], running: set[subprocess.Popen[str]], on_line: Callable[[str], None]
) -> str | None:
    """Speak a shard in a process of its own.

    Args:
        job: What :func:`_main` reads.
        running: Holds the process while it runs, so that it can be killed.
        on_line: Called with each line that it prints.

    Returns:
        The last line of its complaints where it failed.
    """
    with tempfile.TemporaryFile("w+") as complaints:
        # Not multiprocessing: it would import the caller's main module again.
        process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env=_environment(),
        )
        running.add(process)
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(json.dumps(job))
        for line in process.stdout:
            on_line(line)
        process.stdout.close()
        running.discard(process)
        if process.wait() == 0:
            return None
        complaints.seek(0)
        return (complaints.read().strip().splitlines() or ["it was killed"])[-1]


def _environment() -> dict[str, str]:
    """The parent's, in which this very package is found and one thread computes."""
    root = str(Path(__file__).parents[3])
    path = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root,
        "OMP_NUM_THREADS": "1",
    }


def _rows(spoken: list[dict[str, Any]], sample_rate: int) -> Iterator[dict[str, Any]]:
    """Rows of a shard; how many were spoken since the last time is printed now and then."""
    printed = 0
    for number, one in enumerate(spoken, 1):
        if number % _REPORTED_SENTENCES == 0 or number == len(spoken):
            print(number - printed, flush=True)
            printed = number
        audio = espeak.record_speech(espeak.Spoken(**one), sample_rate)
        content = espeak.to_flac(audio, sample_rate)
        yield {
            "id": one["id"],
            "audio": {"path": None, "bytes": content},
            "offset_seconds": 0.0,
            "duration_seconds": len(audio) / sample_rate,
            "channel": None,
            "text": one["text"],
            "speaker": one["voice"],
            "language": "en",
            "source": "espeak-ng",
            "digest": hashlib.blake2b(content, digest_size=8).hexdigest(),
            "error": None,
        }


def _main() -> None:
    job = json.load(sys.stdin)
    end_with_parent(job["parent"])
    tables.write_shard(Path(job["path"]), _rows(job["spoken"], job["sample_rate"]))


if __name__ == "__main__":
    _main()
