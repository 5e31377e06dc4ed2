"""How often a comparison's interval holds the true difference, and how often two equal systems
are called different.

    python benchmarks/paired_tests.py

Corpora are simulated: of each speaker both systems have error rates around that speaker's own,
and utterances are wrong by chance of these. ``docs/comparing.md`` has the figures.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from mynah.evaluation.comparing.paired import Difference, difference_of
from mynah.evaluation.metrics.word_error_rate import WordErrorRate

_UTTERANCES = 25  # a speaker
_WORDS = (3, 15)  # of an utterance
_RATE, _SPREAD = 0.12, 0.05  # of the speakers' error rates
_TRUE = -0.02  # the difference of the error rates where there is one
_BETWEEN = 0.015  # how much that differs from speaker to speaker


def main() -> None:
    """Print coverage for 4, 10 and 30 speakers, and false rejections for 20."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=int, default=400)
    parser.add_argument("--pairs", type=int, default=1000)
    asked = parser.parse_args()
    print(f"{'speakers':>8}  {'coverage of the 95 % interval':>30}  (of {asked.corpora} corpora)")
    for speakers in (4, 10, 30):
        print(f"{speakers:>8}  {coverage(speakers, asked.corpora):>30.1%}")
    rate = rejections(20, asked.pairs)
    print(f"two equal systems, 20 speakers, {asked.pairs} pairs: {rate:.1%} rejected at 5 %")


def coverage(speakers: int, corpora: int) -> float:
    """The share of simulated corpora whose interval holds the true difference."""
    generator = np.random.default_rng(speakers)
    held = 0
    for _ in range(corpora):
        found = simulated(generator, speakers, _TRUE, samples=1000)
        held += found.interval.low <= _TRUE <= found.interval.high
    return held / corpora


def rejections(speakers: int, pairs: int) -> float:
    """The share of pairs of equal systems that are called different at 5 %."""
    generator = np.random.default_rng(1000 + speakers)
    found = [simulated(generator, speakers, 0.0, samples=1) for _ in range(pairs)]
    return sum(one.p_value < 0.05 for one in found) / pairs


def simulated(
    generator: np.random.Generator, speakers: int, difference: float, *, samples: int
) -> Difference:
    """Two systems on one simulated corpus, compared."""
    speaker = np.repeat(np.arange(speakers), _UTTERANCES)
    words = generator.integers(*_WORDS, len(speaker))
    own = np.clip(generator.normal(_RATE, _SPREAD, speakers), 0.03, 0.5)
    gain = difference + generator.normal(0, _BETWEEN, speakers)
    before = generator.binomial(words, own[speaker])
    after = generator.binomial(words, np.clip(own + gain, 0, 1)[speaker])
    return difference_of(
        WordErrorRate(),
        _statistics(before, words),
        _statistics(after, words),
        [f"s{one:02d}" for one in speaker],
        samples=samples,
        seed=0,
    )


def _statistics(errors: NDArray[np.int64], words: NDArray[np.int64]) -> NDArray[np.float64]:
    """So many substitutions in so many words: float64 [utterances, 4]."""
    nothing = np.zeros_like(errors)
    return np.stack([words - errors, errors, nothing, nothing], axis=1).astype(np.float64)


if __name__ == "__main__":
    main()
