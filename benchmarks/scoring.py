"""How long scoring takes beside jiwer, groups and all findings included, and how large a page is.

    python benchmarks/scoring.py

Words of a vocabulary of 5,000, of which one in ten is wrong; a thousand speakers, columns of
gender, accent and domain, and measurements.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import jiwer

from mynah.evaluation.comparing.several import compare_systems
from mynah.evaluation.comparing.system import System
from mynah.evaluation.findings.findings import findings
from mynah.evaluation.findings.training_words import TrainingWords
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.pages.comparison import comparison_page
from mynah.evaluation.score import score

_WRONG = 0.1


def main() -> None:
    """Print the times of both, and the size of a page of three systems."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=int, default=100_000)
    parser.add_argument("--compared", type=int, default=10_000)
    parser.add_argument("--page", metavar="FILE.html", help="keep the page")
    asked = parser.parse_args()
    rows = simulated(asked.utterances, seed=1)
    references, texts = [one.reference for one in rows], [one.text for one in rows]

    def by_jiwer() -> None:
        jiwer.process_words(references, texts)
        jiwer.process_characters(references, texts)

    def by_mynah() -> None:
        scores = score(rows, normalizer="basic", bootstrap_samples=1000, bootstrap_seed=0)
        findings(rows, scores, trained_on=TrainingWords({f"word{n}" for n in range(4900)}))

    theirs, ours = timed(by_jiwer), timed(by_mynah)
    print(f"{asked.utterances:,} utterances: jiwer {theirs:.1f} s, Mynah {ours:.1f} s", end="")
    print(f" ({ours / theirs:.2f} x), intervals, groups and findings included")
    systems = [System(f"system {n}", simulated(asked.compared, seed=n)) for n in (1, 2, 3)]
    page = comparison_page(compare_systems(systems), "mynah compare a b c")
    with TemporaryDirectory() as folder:
        file = Path(asked.page or Path(folder, "page.html"))
        file.write_text(page, encoding="utf-8")
        megabytes = file.stat().st_size / 1e6
    print(f"a page of 3 systems over {asked.compared:,} utterances: {megabytes:.1f} MB")


def timed(work: Callable[[], None]) -> float:
    """Seconds that something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def simulated(count: int, *, seed: int) -> list[Hypothesis]:
    """Utterances of three to twenty words; the same ones for every seed, with other errors."""
    said, wrong = random.Random(0), random.Random(seed)
    made = []
    for number in range(count):
        words = [f"word{said.randrange(5000)}" for _ in range(said.randint(3, 20))]
        text = [_recognized(word, wrong) for word in words]
        row = Hypothesis(
            f"utterance-{number}", " ".join(words), " ".join(filter(None, text)),
            len(words) * 0.4, f"speaker{number % 1000}", language="en",
        )  # fmt: skip
        columns = {
            "gender": "fm"[number % 2],
            "accent": str(number % 7),
            "domain": f"d{number % 5}",
        }
        measured = {"snr_db": number % 45.0, "level_db": -1.0 - number % 60, "bandwidth_hz": 8000.0}
        made.append(replace(row, columns=columns, measured=measured))
    return made


def _recognized(word: str, chance: random.Random) -> str:
    """A word, one in ten times another, or nothing."""
    if chance.random() >= _WRONG:
        return word
    return chance.choice(["", "wrong", f"{word} more"])


if __name__ == "__main__":
    main()
