"""Kneser-Ney estimation of word n-grams from text of any size.

Of lower orders it counts after how many words an n-gram comes; an n-gram at the start of a
sentence follows no other word, and counts as often as it is (Chen and Goodman 1999, section 4.1).
"""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mynah.errors import UserError
from mynah.models.fusion.arpa import END, START, ArpaModel, escaped
from mynah.models.fusion.ngram_counts import NgramCounts
from mynah.models.fusion.smoothing import Counts, Discounts, Order, interpolated

WORD_ORDER = 3  # words: two of history
MOST_NGRAMS = 300_000  # kept of each order above the first; of more, the rarer are left out
MOST_WORDS = 300_000
_IN_MEMORY = 2_000_000  # n-grams of one order between two runs on disk: 100 MB and more
_BLOCK_WORDS = 500_000  # turned into n-grams at a time
_START, _END = 0, 1  # numbers of the words that every model has


@dataclass(frozen=True)
class Limits:
    """What is estimated, and what is kept of it.

    Attributes:
        order: Words of the longest n-grams, 2 at least.
        keep: N-grams that are kept of each order above the first at most, the more frequent ones.
        words: Words that are kept at most, the more frequent ones; the others are ``<unk>``.
        prune: For each order from the first on, n-grams that came so often or less are left out;
            the last one stands for the orders above it.
        in_memory: N-grams of one order that are held before they go to disk.
    """

    order: int = WORD_ORDER
    keep: int | None = None
    words: int = MOST_WORDS
    prune: tuple[int, ...] = (0,)
    in_memory: int = _IN_MEMORY


def estimate_ngrams(
    texts: Iterable[str],
    limits: Limits = Limits(),
    *,
    report: Callable[[list[Discounts]], None] | None = None,
    where: str = "model.language_model",
) -> ArpaModel:
    """From sentences, which are read once, and whose words are what white space separates.

    The probability of ``<unk>`` is that of all words that no sentence has (Good and Turing) or
    that are left out; the known ones have their share of what a
    :class:`mynah.models.fusion.character_ngrams.CharacterNgrams` gives to any string. N-grams go
    to disk in sorted runs (``TMPDIR``) where they are many; in memory are a run, all different
    words, and what is kept.

    Args:
        texts: Any number.
        limits: The order, and what is kept.
        report: Called with the discounts of the orders from 2 on.
        where: What is named where no sentence has a word.

    Raises:
        UserError: No sentence has a word, or the disk is full.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mynah-lm-")))
        counted = [
            NgramCounts(folder / f"{size}-grams", size, limits.in_memory)
            for size in range(1, limits.order + 1)
        ]
        words = _count(texts, counted)
        if len(words) == 2:
            raise UserError(
                "The text has no word, so no language model can be estimated from it.",
                where=where,
                fix="name text with a sentence a line, or use model.language_model=none",
            )
        unseen = _unseen_share(counted[0])
        orders = _orders(counted, words, limits)
    if report is not None:
        report([order.discounts for order in orders[1:]])
    return interpolated(orders, unseen)


def from_counts(content: Mapping[str, Any]) -> ArpaModel:
    """From the counts that checkpoints held as JSON, before they held a model in ARPA format.

    Args:
        content: ``words``, the probability of an ``unseen`` one, and of each of the ``orders`` its
            ``discount`` and ``contexts``: numbers of words, all that followed, numbers of words
            that followed, and how often each did.
    """
    special = {"\t": START, "\n": END}
    words = [special.get(word) or escaped(word) for word in content["words"]]
    orders = []
    for order in content["orders"]:
        counts: Counts = {}
        totals = {}
        for numbers, total, followers, times in order["contexts"]:
            context = tuple(words[number] for number in numbers)
            following = (words[number] for number in followers)
            counts[context] = dict(zip(following, times, strict=True))
            totals[context] = total
        orders.append(Order(counts, totals, Discounts.alike(order["discount"])))
    return interpolated(orders, content["unseen"])


def _count(texts: Iterable[str], counted: Sequence[NgramCounts]) -> list[str]:
    """Count n-grams of all orders, the first first in ``counted``; the words by their numbers."""
    numbers = {START: _START, END: _END}
    stream: list[int] = []
    for text in texts:
        found = text.split()
        if not found:
            continue
        stream.append(_START)
        stream += [numbers.setdefault(escaped(word), len(numbers)) for word in found]
        stream.append(_END)
        if len(stream) >= _BLOCK_WORDS:
            _add_sentences(np.array(stream, np.uint32), counted)
            stream.clear()
    _add_sentences(np.array(stream, np.uint32), counted)
    for higher, lower in itertools.pairwise(reversed(counted)):
        for ngrams, counts in higher.blocks():
            lower.add(ngrams[:, 1:], np.stack([np.ones(len(ngrams), int), counts[:, 1]], axis=1))
    return list(numbers)


def _add_sentences(stream: np.ndarray, counted: Sequence[NgramCounts]) -> None:
    """Count, of each word of complete sentences, the longest n-gram that it ends.

    That is one of the highest order, or one from the start of its sentence.
    """
    starts = np.flatnonzero(stream == _START)
    lengths = np.diff(np.append(starts, len(stream)))
    place = np.arange(len(stream)) - np.repeat(starts, lengths)
    for size, counts in enumerate(counted, start=1):
        if size == 1:
            continue
        ends = np.flatnonzero(place >= size - 1 if size == len(counted) else place == size - 1)
        if len(ends):
            ngrams = np.stack([stream[ends - back] for back in range(size - 1, -1, -1)], axis=1)
            counts.add(ngrams, np.ones((len(ends), 2), int))


def _unseen_share(unigrams: NgramCounts) -> float:
    """How likely the next word is one that was not seen (Good and Turing): as often as a word was
    new so late that it never came again."""
    once = total = 0
    for ngrams, counts in unigrams.blocks():
        came = counts[ngrams[:, 0] != _END, 1]
        once += int((came == 1).sum())
        total += int(came.sum())
    return (once + 1) / (total + 2)


def _orders(counted: Sequence[NgramCounts], words: Sequence[str], limits: Limits) -> list[Order]:
    """What is kept of each order; what is kept of one has its parts in the order below."""
    orders: list[Order] = []
    least, known = 1, np.ones(len(words), bool)
    for size, counts in enumerate(counted, start=1):
        sizes, came = _frequencies(counts)
        prune = limits.prune[min(size, len(limits.prune)) - 1]
        least = max(least, prune + 1)
        if size == 1:
            known = _known(counts, max(least, _least(came, limits.words)), len(words))
            discounts = Discounts.alike(0.0)
        else:
            keep = MOST_NGRAMS if limits.keep is None else limits.keep
            least = max(least, _least(came, keep))
            discounts = Discounts.estimate(sizes)
        orders.append(_order(counts, words, least if size > 1 else 1, known, discounts))
    return orders


def _frequencies(counts: NgramCounts) -> tuple[Counter[int], Counter[int]]:
    """How many n-grams have each count, and how many came so often."""
    sizes: Counter[int] = Counter()
    came: Counter[int] = Counter()
    for _, found in counts.blocks():
        for counter, column in ((sizes, found[:, 0]), (came, found[:, 1])):
            values, times = np.unique(column, return_counts=True)
            counter.update(dict(zip(values.tolist(), times.tolist(), strict=True)))
    return sizes, came


def _known(unigrams: NgramCounts, least: int, words: int) -> np.ndarray:
    """Which words came often enough; those at the ends of sentences always do.

    Raises:
        UserError: No other one did.
    """
    known = np.zeros(words, bool)
    for ngrams, counts in unigrams.blocks():
        known[ngrams[counts[:, 1] >= least, 0]] = True
    known[[_START, _END]] = True
    if known.sum() == 2:
        raise UserError(
            f"No word came {least:,} times or more, so that none is left.",
            where="--prune",
            fix="leave out less, or give more text",
        )
    return known


def _least(came: Mapping[int, int], keep: int) -> int:
    """The lowest frequency with which no more than so many n-grams came."""
    left, least = sum(came.values()), 1
    for often in sorted(came):
        if left <= keep:
            break
        left -= came[often]
        least = often + 1
    return least


def _order(
    counted: NgramCounts,
    words: Sequence[str],
    least: int,
    known: np.ndarray,
    discounts: Discounts,
) -> Order:
    """The n-grams of known words that came often enough, with all that followed their contexts."""
    found: Counts = {}
    totals: dict[tuple[str, ...], int] = {}
    for ngrams, counts in _whole_contexts(counted.blocks()):
        first = np.empty(len(ngrams), bool)
        first[0] = True
        np.any(ngrams[1:, :-1] != ngrams[:-1, :-1], axis=1, out=first[1:])
        sums = np.add.reduceat(counts[:, 0], np.flatnonzero(first))
        total = sums[np.cumsum(first) - 1]
        often = (counts[:, 1] >= least) & known[ngrams].all(axis=1)
        for row, count, all_of_it in zip(
            ngrams[often].tolist(), counts[often, 0].tolist(), total[often].tolist(), strict=True
        ):
            *context, word = (words[number] for number in row)
            found.setdefault(tuple(context), {})[word] = count
            totals[tuple(context)] = all_of_it
    found = {context: dict(sorted(found[context].items())) for context in sorted(found)}
    return Order(found, totals, discounts)


def _whole_contexts(
    blocks: Iterator[tuple[np.ndarray, np.ndarray]],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The blocks, cut where the context changes."""
    left: list[tuple[np.ndarray, np.ndarray]] = []
    for ngrams, counts in blocks:
        changes = np.flatnonzero(np.any(ngrams[:, :-1] != ngrams[-1, :-1], axis=1))
        cut = int(changes[-1]) + 1 if len(changes) else 0
        left.append((ngrams[:cut], counts[:cut]))
        if cut:
            yield _joined(left)
            left.clear()
        left.append((ngrams[cut:], counts[cut:]))
    if left:
        yield _joined(left)


def _joined(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    ngrams, counts = zip(*parts, strict=True)
    return np.concatenate(ngrams), np.concatenate(counts)
