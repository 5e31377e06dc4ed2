"""Interpolated Kneser-Ney smoothing of n-gram counts, with a discount for each count
(Chen and Goodman 1999, "An empirical study of smoothing techniques", section 4.1).

An interpolated model is a back-off model too: a word that was seen in a context has the
interpolated probability there, and the share that the context leaves to the shorter one is the
weight that all others back off with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mynah.models.fusion.arpa import END, LOG_ZERO, START, UNKNOWN, ArpaModel, Context, unescaped
from mynah.models.fusion.character_ngrams import CharacterNgrams

Counts = dict[Context, dict[str, int]]


@dataclass(frozen=True)
class Discounts:
    """What is taken from the counts of one order.

    Attributes:
        amounts: From a count of one, of two, and of three or more.
        by_count: Whether each count has its own, rather than one for all.
    """

    amounts: tuple[float, float, float]
    by_count: bool

    @classmethod
    def estimate(cls, sizes: Mapping[int, int]) -> Discounts:
        """By how many n-grams have each count; equation 26 of Chen and Goodman.

        Where no n-gram has a count of one, two, three or four, or a discount would be none or all
        of its count, one discount is for all (Ney et al. 1994).
        """
        one, two, three, four = (sizes.get(count, 0) for count in (1, 2, 3, 4))
        if min(one, two, three, four) > 0:
            share = one / (one + 2 * two)
            amounts = (
                1 - 2 * share * two / one,
                2 - 3 * share * three / two,
                3 - 4 * share * four / three,
            )
            if all(0 < amount < count for count, amount in enumerate(amounts, start=1)):
                return cls(amounts, True)
        return cls.alike((one + 0.5) / (one + 2 * two + 1))

    @classmethod
    def alike(cls, amount: float) -> Discounts:
        """The same for all counts."""
        return cls((amount, amount, amount), False)

    def apply(self, count: int) -> float:
        """What is left of a count."""
        return count - self.amounts[min(count, 3) - 1]


@dataclass(frozen=True)
class Order:
    """Counts of the n-grams of one order.

    Attributes:
        counts: For each context, how much each word that followed counts; rare ones may be left
            out.
        totals: For each context, all that followed.
        discounts: Taken from each count.
    """

    counts: Counts
    totals: dict[Context, int]
    discounts: Discounts

    def shares(self, context: Context) -> dict[str, float]:
        """Discounted relative frequencies in a context."""
        total = self.totals[context]
        apply = self.discounts.apply
        return {word: apply(count) / total for word, count in self.counts[context].items()}


def interpolated(orders: list[Order], unseen: float) -> ArpaModel:
    """The back-off model of orders.

    Args:
        orders: From the first, the unigrams, on; what the unigrams' discounts and words that were
            left out leave is ``<unk>``'s.
        unseen: How likely a word is that no text has.
    """
    known = orders[0].shares(())
    characters = CharacterNgrams.estimate(unescaped(word) for word in known if word != END)
    kept = math.fsum(known.values())
    unigrams = {word: share * (1 - unseen) for word, share in known.items()}
    unseen += (1 - kept) * (1 - unseen) if kept < 1 - 1e-12 else 0.0
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
