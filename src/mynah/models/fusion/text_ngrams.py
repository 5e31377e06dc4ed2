"""N-grams of text that does not fit in memory: counted in sorted runs on disk, which are merged.

What comes out is what :func:`mynah.models.fusion.kneser_ney.estimate_ngrams` gives of the same
sentences; only what is kept of it is ever held.
"""

from __future__ import annotations

import heapq
import itertools
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from mynah.errors import UserError
from mynah.models.fusion.arpa import END, START, ArpaModel, Context
from mynah.models.fusion.kneser_ney import MOST_NGRAMS, Order, escaped, interpolated, unseen_share

_IN_MEMORY = 2_000_000  # different n-grams between two runs: some 300 MB


def lines(paths: Sequence[Path]) -> Iterator[str]:
    """The lines of text files, one after the other.

    Raises:
        UserError: One cannot be read, or is not text in UTF-8.
    """
    for path in paths:
        try:
            with path.open(encoding="utf-8-sig") as file:
                yield from file
        except OSError as error:
            raise UserError(
                f"This text cannot be read: {error.strerror}.",
                where=str(path),
                fix="name a text file with a sentence a line",
            ) from error
        except UnicodeDecodeError as error:
            raise UserError(
                f"This is not text in UTF-8: {error.reason} at byte {error.start}.",
                where=str(path),
                fix="write it as UTF-8 (iconv -f latin1 -t utf8)",
            ) from error


def estimate_from_text(
    sentences: Iterable[str], *, keep: int = MOST_NGRAMS, in_memory: int = _IN_MEMORY
) -> ArpaModel:
    """A model of the words of sentences, which are read once.

    Args:
        sentences: Any number; words are what white space separates.
        keep: N-grams that are kept of each order above the first, the more frequent ones.
        in_memory: Different n-grams that are counted in memory before they go to disk.

    Raises:
        UserError: No sentence has a word, or the disk is full.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mynah-lm-")))
        trigrams, bigrams = (_Counts(folder / name, in_memory) for name in ("three", "two"))
        frequencies: Counter[str] = Counter()
        for sentence in sentences:
            words = list(map(escaped, sentence.split()))
            if not words:
                continue
            frequencies.update(words)
            bigrams.add(f"{START} {words[0]}", 1)
            padded = [START, *words, END]
            for three in zip(padded, padded[1:], padded[2:], strict=False):
                trigrams.add(" ".join(three), 1)
        if not frequencies:
            raise UserError(
                "The text has no word, so no language model can be estimated from it.",
                where="text",
                fix="name text with a sentence a line",
            )
        # Of lower orders it counts after how many words an n-gram comes (Kneser and Ney).
        for ngram, _ in trigrams.sorted():
            bigrams.add(ngram.split(" ", 1)[1], 1)
        unigrams: Counter[str] = Counter()
        for ngram, _ in bigrams.sorted():
            unigrams[ngram.split(" ", 1)[1]] += 1
        orders = [Order.of({(): dict(unigrams)}, discounted=False)]
        orders += [_order(counts, keep) for counts in (bigrams, trigrams)]
    return interpolated(orders, unseen_share(frequencies))


def _order(counts: _Counts, keep: int) -> Order:
    """The n-grams of one order that are kept, in two passes over all of them."""
    sizes = Counter(count for _, count in counts.sorted())
    discount, least = Order.discount_and_least(sizes, keep)
    kept: dict[Context, dict[str, int]] = {}
    totals: dict[Context, int] = {}
    for context, group in itertools.groupby(
        counts.sorted(), key=lambda one: one[0].rpartition(" ")[0]
    ):
        followers = [(ngram.rpartition(" ")[2], count) for ngram, count in group]
        if frequent := {word: count for word, count in followers if count >= least}:
            key = tuple(context.split(" "))
            kept[key] = frequent
            totals[key] = sum(count for _, count in followers)
    return Order(kept, totals, discount)


class _Counts:
    """Counts of n-grams, sorted runs of which go to disk.

    Args:
        stem: What the runs are called, a number behind it.
        most: Different n-grams in memory.
    """

    def __init__(self, stem: Path, most: int) -> None:
        self._stem = stem
        self._most = most
        self._counts: Counter[str] = Counter()
        self._runs: list[Path] = []

    def add(self, ngram: str, count: int) -> None:
        """Count an n-gram, its words parted by spaces."""
        self._counts[ngram] += count
        if len(self._counts) >= self._most:
            self._spill()

    def sorted(self) -> Iterator[tuple[str, int]]:
        """All n-grams in order, each once, with its count."""
        runs = [_read(path) for path in self._runs]
        merged = heapq.merge(*runs, iter(sorted(self._counts.items())))
        for ngram, group in itertools.groupby(merged, key=lambda one: one[0]):
            yield ngram, sum(count for _, count in group)

    def _spill(self) -> None:
        path = self._stem.with_name(f"{self._stem.name}-{len(self._runs)}")
        try:
            with path.open("w", encoding="utf-8", errors="surrogatepass", newline="\n") as file:
                for ngram, count in sorted(self._counts.items()):
                    file.write(f"{count} {ngram}\n")
        except OSError as error:
            raise UserError(
                f"The counts of n-grams cannot be written: {error.strerror}.",
                where=str(path.parent),
                fix="free some space there, or name another place with TMPDIR",
            ) from error
        self._runs.append(path)
        self._counts.clear()


def _read(path: Path) -> Iterator[tuple[str, int]]:
    with path.open(encoding="utf-8", errors="surrogatepass", newline="\n") as file:
        for line in file:
            count, _, ngram = line.rstrip("\n").partition(" ")
            yield ngram, int(count)
