"""How well long recordings are cut into utterances, on AN4's test set joined into long files.

    python benchmarks/segmentation.py MODEL AN4 [--seeds 3] [--replaced 0.1] [--split test] \
        [--min-score -1.2] [--file-seconds 600]

MODEL is a CTC model (a checkpoint or a hub name), AN4 the folder with etc/ and wav/. For each
seed, the utterances of the split are put in a sampled order, freed of the silence at their ends,
and joined into files of ten minutes; between them lie 0.4 to 2.5 s of faint noise, and
at one join in ten an utterance of the training split that the transcript does not have. The
transcript has no punctuation and no lines. In a second pass one transcript in ten is replaced
by one of the training split, which is to be found out.

Printed, as the median over the seeds: the distance of the utterances' edges from the true ones
where both lie between the same two words, and the share of words that lie in a kept utterance
whose audio is that of its words (no more than 0.3 s of it missing or too much). The baseline
gives each utterance a share of the file by its number of characters, and the ratio compares
both medians of the distance.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from mynah.config.schema import DataConfig
from mynah.data.audio import files as audio_files
from mynah.data.row import Row
from mynah.data.sources.an4 import AN4Source
from mynah.data.sources.reading.source import Part, Place
from mynah.segmentation.aligning.aligned_text import Rules
from mynah.segmentation.segment import SegmentationRequest, segment
from mynah.segmentation.utterance import CutUtterance

_RATE = 16000
_PAUSE_SECONDS = (0.4, 2.5)
_UNTRANSCRIBED = 0.1  # of the joins
_SPEECH_DECIBELS = 20.0  # below an utterance's loud frames: softer at its ends is breath
_MARGIN_SECONDS = 0.3  # of what is softer stays, not to cut off a soft sound
_TOLERANCE_SECONDS = 0.3


@dataclass
class Truth:
    """A joined file: which words are spoken from when to when.

    Attributes:
        words: All words of the transcript.
        spans: For each utterance of the transcript: its first word, the one after its last,
            and where it is spoken, in seconds.
        replaced: Numbers of the utterances whose transcript is another's.
    """

    words: list[str] = field(default_factory=list)
    spans: list[tuple[int, int, float, float]] = field(default_factory=list)
    replaced: set[int] = field(default_factory=set)
    seconds: float = 0.0


@dataclass
class Measured:
    """What came of one pass over all files."""

    edges: list[float] = field(default_factory=list)
    baseline_edges: list[float] = field(default_factory=list)
    words: int = 0
    right_words: int = 0
    wrong_words: int = 0
    replaced_words: int = 0
    replaced_words_rejected: int = 0
    rejected_words: int = 0
    speed: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--replaced", type=float, default=0.1)
    parser.add_argument("--min-score", type=float, default=Rules().least_score)
    parser.add_argument("--file-seconds", type=float, default=600.0)
    arguments = parser.parse_args()
    spoken, others = read_corpus(arguments.corpus, arguments.split)
    rules = Rules(least_score=arguments.min_score)
    clean, mixed = (
        [
            measure(spoken, others, arguments.model, seed, replaced, rules, arguments.file_seconds)
            for seed in range(arguments.seeds)
        ]
        for replaced in (0.0, arguments.replaced)
    )
    report(clean, mixed, arguments.replaced)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"most memory                         {peak:.2f} GiB")


def read_corpus(
    folder: Path, split: str
) -> tuple[list[tuple[str, np.ndarray]], list[tuple[str, np.ndarray]]]:
    """Text and speech of the split's utterances, and of some others for what is not transcribed."""
    config = DataConfig(dataset_name="an4", path=str(folder))
    place = Place(Path.cwd(), Path.cwd(), None, 1, True)
    source = AN4Source.open(config, place)

    def speech(rows: Sequence[Row]) -> list[tuple[str, np.ndarray]]:
        return [
            (row.text.lower(), without_silence(audio_files.read(row.path, _RATE)))
            for row in rows
            if row.path and row.text
        ]

    other = [*source.rows(Part("train", "train"))][::7]
    return speech(source.rows(Part(split, split))), speech(other)


def without_silence(samples: np.ndarray) -> np.ndarray:
    """An utterance without most of the silence at its ends."""
    hop = _RATE // 100
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop)
    level = 10 * np.log10(np.square(frames).mean(axis=1) + 1e-12)
    loud = np.flatnonzero(level > np.percentile(level, 95) - _SPEECH_DECIBELS)
    margin = round(_MARGIN_SECONDS * _RATE)
    silence = np.zeros(margin, dtype=np.float32)
    padded = np.concatenate([silence, samples, silence])
    return padded[loud[0] * hop : (loud[-1] + 1) * hop + 2 * margin]


def join(
    spoken: Sequence[tuple[str, np.ndarray]],
    others: Sequence[tuple[str, np.ndarray]],
    draw: np.random.Generator,
    replaced: float,
    folder: Path,
    file_seconds: float,
) -> dict[str, Truth]:
    """Write long files with their transcripts; what is true of each, by its name."""
    order = draw.permutation(len(spoken))
    lies = set(draw.permutation(len(spoken))[: round(replaced * len(spoken))].tolist())
    files: dict[str, Truth] = {}
    waiting = list(order)
    while waiting:
        truth, pieces = Truth(), []
        while waiting and truth.seconds < file_seconds:
            number = int(waiting.pop())
            text, samples = spoken[number]
            gap = [noise(draw.uniform(*_PAUSE_SECONDS), draw)]
            if draw.random() < _UNTRANSCRIBED:
                gap += [others[int(draw.integers(len(others)))][1], noise(0.8, draw)]
            truth.seconds += sum(map(len, gap)) / _RATE
            if number in lies:
                truth.replaced.add(len(truth.spans))
                text = others[int(draw.integers(len(others)))][0]
            begin = len(truth.words)
            truth.words += text.split()
            end = truth.seconds + len(samples) / _RATE
            edges = (truth.seconds + _MARGIN_SECONDS, end - _MARGIN_SECONDS)
            truth.spans.append((begin, len(truth.words), *edges))
            truth.seconds = end
            pieces += [*gap, samples]
        pieces.append(noise(1.0, draw))
        truth.seconds += 1.0
        name = f"joined-{len(files)}"
        made = np.concatenate(pieces)
        made = made + noise(len(made) / _RATE, draw)[: len(made)]
        soundfile.write(folder / f"{name}.flac", made.clip(-1, 1), _RATE)
        (folder / f"{name}.txt").write_text(" ".join(truth.words), encoding="utf-8")
        files[name] = truth
    return files


def noise(seconds: float, draw: np.random.Generator) -> np.ndarray:
    """Faint white noise, float32 [samples]."""
    return (0.0003 * draw.standard_normal(round(seconds * _RATE))).astype(np.float32)


def measure(
    spoken: Sequence[tuple[str, np.ndarray]],
    others: Sequence[tuple[str, np.ndarray]],
    model: str,
    seed: int,
    replaced: float,
    rules: Rules,
    file_seconds: float,
) -> Measured:
    """Join, cut, compare."""
    measured = Measured()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "joined"
        folder.mkdir()
        files = join(spoken, others, np.random.default_rng(seed), replaced, folder, file_seconds)
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            found = segment(
                SegmentationRequest(folder, Path(temporary) / "cut", model, rules=rules), Path.cwd()
            )
        elapsed = time.perf_counter() - started
    measured.speed = sum(truth.seconds for truth in files.values()) / elapsed
    for recording, utterances in found:
        compare(files[recording.name], utterances, measured)
    return measured


def compare(truth: Truth, utterances: Sequence[CutUtterance], measured: Measured) -> None:
    """Count what is right in one file."""
    begins = {begin: (number, start) for number, (begin, _, start, _) in enumerate(truth.spans)}
    ends = {end: stop for _, end, _, stop in truth.spans}
    lengths = [sum(map(len, truth.words[begin:end])) for begin, end, _, _ in truth.spans]
    shares = np.concatenate([[0], np.cumsum(lengths)]) / sum(lengths) * truth.seconds
    share_at = {begin: shares[number] for begin, (number, _) in begins.items()}
    share_end = {span[1]: shares[number + 1] for number, span in enumerate(truth.spans)}
    first = 0
    for one in utterances:
        last = first + len(one.text.split())
        if not one.rejected:
            if first in begins:
                measured.edges.append(abs(one.start_seconds - begins[first][1]))
                measured.baseline_edges.append(abs(share_at[first] - begins[first][1]))
            if last in ends:
                measured.edges.append(abs(one.end_seconds - ends[last]))
                measured.baseline_edges.append(abs(share_end[last] - ends[last]))
        words = last - first
        measured.words += words
        lies = sum(
            max(0, min(last, truth.spans[n][1]) - max(first, truth.spans[n][0]))
            for n in truth.replaced
        )
        measured.replaced_words += lies
        if one.rejected:
            measured.rejected_words += words
            measured.replaced_words_rejected += lies
        elif not lies and is_right(truth, one, first, last):
            measured.right_words += words
        else:
            measured.wrong_words += words
        first = last


def is_right(truth: Truth, one: CutUtterance, first: int, last: int) -> bool:
    """Whether an utterance's audio is that of its words.

    Where it begins or ends within an utterance of the corpus, its edge has to lie in that one.
    """
    touched = [span for span in truth.spans if span[0] < last and span[1] > first]
    (begin, _, start, start_end), (_, end, end_start, stop) = touched[0], touched[-1]
    if begin == first:
        starts_right = abs(one.start_seconds - start) <= _TOLERANCE_SECONDS
    else:
        starts_right = start < one.start_seconds < start_end
    if end == last:
        ends_right = abs(one.end_seconds - stop) <= _TOLERANCE_SECONDS
    else:
        ends_right = end_start < one.end_seconds < stop
    # Nothing may be said between two of them that the transcript does not have.
    longest = max((b[2] - a[3] for a, b in itertools.pairwise(touched)), default=0.0)
    return starts_right and ends_right and longest <= _PAUSE_SECONDS[1]


def report(clean: Sequence[Measured], mixed: Sequence[Measured], replaced: float) -> None:
    """Print the medians over the seeds."""

    def middle(values: Sequence[float]) -> float:
        return statistics.median(values)

    edge = middle([float(np.median(one.edges)) for one in clean])
    baseline = middle([float(np.median(one.baseline_edges)) for one in clean])
    print(f"edges, median distance              {edge:.3f} s")
    print(
        f"edges, 90th percentile              "
        f"{middle([float(np.percentile(one.edges, 90)) for one in clean]):.3f} s"
    )
    print(
        f"edges within 0.2 s                  "
        f"{middle([float(np.mean(np.array(one.edges) <= 0.2)) for one in clean]):.1%}"
    )
    print(
        f"baseline, equal shares by characters {baseline:.2f} s; within 0.2 s "
        f"{middle([float(np.mean(np.array(one.baseline_edges) <= 0.2)) for one in clean]):.1%}"
    )
    print(f"ratio, ours to the baseline         {edge / baseline:.4f}")
    print(
        f"words kept with the right audio     "
        f"{middle([one.right_words / one.words for one in clean]):.1%}"
    )
    print(
        f"words kept with wrong audio         "
        f"{middle([one.wrong_words / one.words for one in clean]):.2%}"
    )
    print(
        f"words rejected                      "
        f"{middle([one.rejected_words / one.words for one in clean]):.1%}"
    )
    print(f"times real time                     {middle([one.speed for one in clean]):.0f}")
    print(f"with {replaced:.0%} of the transcripts replaced:")
    print(
        f"  replaced words rejected (recall)  "
        f"{middle([one.replaced_words_rejected / one.replaced_words for one in mixed]):.1%}"
    )
    print(
        f"  rejected words that were replaced "
        f"{middle([one.replaced_words_rejected / one.rejected_words for one in mixed]):.1%}"
    )
    print(
        f"  kept words that are wrong         "
        f"{middle([one.wrong_words / (one.words - one.rejected_words) for one in mixed]):.2%}"
    )
    print(
        f"  words kept with the right audio   "
        f"{middle([one.right_words / (one.words - one.replaced_words) for one in mixed]):.1%}"
    )


if __name__ == "__main__":
    main()
