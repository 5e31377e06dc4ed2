"""A long recording of joined utterances against the utterances by themselves.

    python benchmarks/joined_recording.py CORPUS [--minutes 60] [--first 0] [--pause 0]
        [--model openai/whisper-tiny.en] [--clips MEAN LONGEST] [--without-silero]
        [--normalizer whisper_english]

CORPUS is what data.dataset_name takes. Utterances from number ``--first`` on are transcribed one by
one, then as one recording of so many minutes, with so many seconds of digital silence between them:
error rates, words, what was kept out, and how much memory the long one took at its peak: more than
was held before it, and more than the utterances by themselves took. ``--clips`` gives a model whose
checkpoint says no lengths of its training's clips their mean and their longest, in seconds.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np

import mynah
from mynah.checkpoints.clip_lengths import ClipLengths
from mynah.data.corpus import Corpus
from mynah.evaluation.metrics.edits import count_edits
from mynah.evaluation.normalize import get_normalizer
from mynah.inference import voice_activity
from mynah.inference.load import BASE
from mynah.inference.recognizer import Recognizer

_KILOBYTES = 1 if sys.platform != "darwin" else 1024  # ru_maxrss is in bytes on macOS


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpus")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--model", default=BASE)
    parser.add_argument("--clips", type=float, nargs=2, metavar="SECONDS")
    parser.add_argument("--without-silero", action="store_true")
    parser.add_argument("--normalizer", default="whisper_english")
    arguments = parser.parse_args()
    if arguments.without_silero:
        voice_activity.silero_file = lambda: None  # type: ignore[assignment]
    recognizer = mynah.load(arguments.model, offline=True)
    if arguments.clips:
        family, name, clips = recognizer.family, recognizer.name, ClipLengths(*arguments.clips)
        recognizer = Recognizer(family, name=name, clips=clips)
    corpus = mynah.prepare(
        arguments.corpus,
        [f"data.sample_rate={recognizer.sample_rate}", "data.eval_splits=[train]"],
    )
    rows = _rows(corpus, arguments.first, 60 * arguments.minutes)
    audios = [corpus.read_audio(row) for row in rows]
    same = get_normalizer(arguments.normalizer)
    reference = " ".join(same(corpus.texts[row]) for row in rows).split()

    before = _peak_megabytes(from_now=True)
    started = time.perf_counter()
    texts = [one.text for one in recognizer.transcribe_many(audios)]
    _show("by themselves", reference, same(" ".join(map(same, texts))), started)
    alone = _peak_megabytes() - before
    silence = np.zeros(round(arguments.pause * recognizer.sample_rate), np.float32)
    joined = np.concatenate([part for audio in audios for part in (audio, silence)])
    del audios
    before = _peak_megabytes(from_now=True)
    started = time.perf_counter()
    found = recognizer.transcribe(joined)
    _show("joined", reference, same(found.text), started)
    more = _peak_megabytes() - before
    print(
        f"kept out: {found.guarded}; {more:.0f} MB more at the peak than before, "
        f"{more - alone:+.0f} MB against the utterances by themselves"
    )


def _rows(corpus: Corpus, first: int, seconds: float) -> list[int]:
    rows, total = [], 0.0
    for row in range(first, len(corpus)):
        if total >= seconds:
            break
        rows.append(row)
        total += float(corpus.durations[row])
    return rows


def _show(name: str, reference: list[str], text: str, started: float) -> None:
    found = text.split()
    edits = count_edits(reference, found)
    errors = edits.substitutions + edits.deletions + edits.insertions
    print(
        f"{name}: WER {100 * errors / len(reference):.2f} % (S {edits.substitutions}, "
        f"D {edits.deletions}, I {edits.insertions}), {len(found):,} words of {len(reference):,}, "
        f"{time.perf_counter() - started:.0f} s"
    )


def _peak_megabytes(*, from_now: bool = False) -> float:
    """The most memory that was held; ``from_now``: what is held now, and is counted from."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KILOBYTES / 1024
    if from_now:
        Path("/proc/self/clear_refs").write_text("5")
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
