"""Interpolated Kneser-Ney estimation of word n-grams (Chen and Goodman 1999, section 4.1).

An interpolated model is a back-off model too: a word that was seen in a context has the
interpolated probability there, and the share that the context leaves to the shorter one is the
weight that all others back off with.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mynah.errors import UserError
from mynah.models.fusion.arpa import END, LOG_ZERO, START, UNKNOWN, ArpaModel, Context
from mynah.models.fusion.character_ngrams import CharacterNgrams

WORD_ORDER = 3  # words: two of history
MOST_NGRAMS = 300_000  # kept of each order; of more, the rarer are left to the order below

Counts = dict[Context, dict[str, int]]


def estimate_ngrams(texts: Iterable[str]) -> ArpaModel:
    """From transcripts, whose words are what white space separates.

    The probability of ``<unk>`` is that of all words that no transcript has; the known ones have
    their share of what a :class:`CharacterNgrams` gives to any string.

    Raises:
        UserError: No transcript has a word.
    """
    sentences = [list(map(escaped, words)) for text in texts if (words := text.split())]
    if not sentences:
        raise UserError(
            "No training transcript has a word, so no language model can be estimated from them.",
            where="model.language_model",
            fix="model.language_model=none",
        )
    counts = _continuation_counts(sentences)
    frequencies = Counter(word for sentence in sentences for word in sentence)
    orders = [Order.of(counts[0], discounted=False), *map(Order.of, counts[1:])]
    return interpolated(orders, unseen_share(frequencies))


def unseen_share(frequencies: Counter[str]) -> float:
    """How likely the next word is one that was not seen (Good and Turing): as often as a word was
    new so late that it never came again."""
    once = sum(seen == 1 for seen in frequencies.values())
    return (once + 1) / (sum(frequencies.values()) + 2)


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
        totals: dict[Context, int] = {}
        for numbers, total, followers, times in order["contexts"]:
            context = tuple(words[number] for number in numbers)
            following = (words[number] for number in followers)
            counts[context] = dict(zip(following, times, strict=True))
            totals[context] = total
        orders.append(Order(counts, totals, order["discount"]))
    return interpolated(orders, content["unseen"])


def escaped(word: str) -> str:
    """A word of a transcript as it stands in a model, where ``<s>`` and its like are others."""
    return f"\\{word}" if word.lstrip("\\") in (START, END, UNKNOWN) else word


def unescaped(word: str) -> str:
    """What :func:`escaped` was given."""
    return word[1:] if word.startswith("\\") and escaped(word[1:]) == word else word


@dataclass(frozen=True)
class Order:
    """Counts of the n-grams of one order.

    Attributes:
        counts: For each context, how often each word followed; rare ones may be left out.
        totals: For each context, all that followed.
        discount: Taken from each count.
    """

    counts: Counts
    totals: dict[Context, int]
    discount: float

    @classmethod
    def of(cls, counts: Counts, *, discounted: bool = True) -> Order:
        """With the discount that the counts themselves suggest, the rarest n-grams left out."""
        sizes = Counter(count for words in counts.values() for count in words.values())
        discount, least = cls.discount_and_least(sizes) if discounted else (0.0, 1)
        frequent: Counts = {}
        for context, words in sorted(counts.items()):
            left = {word: count for word, count in sorted(words.items()) if count >= least}
            if left:
                frequent[context] = left
        totals = {context: sum(counts[context].values()) for context in frequent}
        return cls(frequent, totals, discount)

    @staticmethod
    def discount_and_least(sizes: Counter[int], keep: int | None = None) -> tuple[float, int]:
        """What is taken from each count, and the lowest count of the n-grams that are kept.

        Args:
            sizes: How many n-grams have each count.
            keep: How many are kept at most; None: :data:`MOST_NGRAMS`.
        """
        least, kept = 1, sum(sizes.values())
        while kept > (MOST_NGRAMS if keep is None else keep):
            kept -= sizes[least]
            least += 1
        return (sizes[1] + 0.5) / (sizes[1] + 2 * sizes[2] + 1), least

    def shares(self, context: Context) -> dict[str, float]:
        """Discounted relative frequencies in a context."""
        total = self.totals[context]
        return {
            word: (count - self.discount) / total for word, count in self.counts[context].items()
        }


def interpolated(orders: list[Order], unseen: float) -> ArpaModel:
    """The back-off model of orders.

    Args:
        orders: From the first, the unigrams, on.
        unseen: How likely a word is that none of them has.
    """
    known = orders[0].shares(())
    characters = CharacterNgrams.estimate(unescaped(word) for word in known if word != END)
    unigrams = {word: share * (1 - unseen) for word, share in known.items()}
    for word in unigrams:
        if word != END:
            unigrams[word] += unseen * characters.word(unescaped(word))
    others = 1 - sum(characters.word(unescaped(word)) for word in sorted(known) if word != END)
    tables: list[dict[Context, dict[str, float]]] = [{(): unigrams}]
    weights: dict[Context, float] = {}

    def probability(context: Context, word: str) -> float:
        words = tables[len(context)].get(context, {})
        if word in words or not context:
            return words[word]
        return weights.get(context, 1.0) * probability(context[1:], word)

    for order in orders[1:]:
        table: dict[Context, dict[str, float]] = {}
        for context in order.counts:
            shares = order.shares(context)
            weights[context] = weight = 1.0 - sum(shares.values())
            table[context] = {
                word: share + weight * probability(context[1:], word)
                for word, share in shares.items()
            }
            # The weight stands in the line of the context, which may have been left out as rare.
            *before, last = context
            if last != START and last not in tables[-1].get(tuple(before), {}):
                backed_off = probability(tuple(before), last)
                tables[-1].setdefault(tuple(before), {})[last] = backed_off
                weights.setdefault(tuple(before), 1.0)
        tables.append(table)
    log10 = [
        {
            context: {word: min(math.log10(value), 0.0) for word, value in words.items()}
            for context, words in table.items()
        }
        for table in tables
    ]
    log10[0][()] = {
        UNKNOWN: math.log10(unseen * others),
        START: LOG_ZERO,
        **log10[0][()],
    }
    backoff = {context: math.log10(weight) for context, weight in weights.items()}
    return ArpaModel(log10, backoff)


def _continuation_counts(sentences: list[list[str]]) -> list[Counts]:
    """Counts by order: of the highest how often, of the others after how many words.

    An n-gram at the start of a sentence follows no other word, and counts as often as it is.
    """
    orders: list[Counts] = [{} for _ in range(WORD_ORDER)]
    highest: Counter[Context] = Counter()
    for sentence in sentences:
        words = [START, *sentence, END]
        highest.update(zip(words, words[1:], words[2:], strict=False))
        _add(orders[1], (START,), words[1], 1)
    bigrams: set[Context] = {(START, sentence[0]) for sentence in sentences}
    for (first, second, third), count in highest.items():
        _add(orders[2], (first, second), third, count)
        _add(orders[1], (second,), third, 1)
        bigrams.add((second, third))
    orders[0][()] = dict(Counter(word for _, word in sorted(bigrams)))
    return orders


def _add(counts: Counts, context: Context, word: str, count: int) -> None:
    words = counts.setdefault(context, {})
    words[word] = words.get(word, 0) + count
