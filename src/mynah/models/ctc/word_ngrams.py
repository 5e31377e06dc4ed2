"""A word n-gram language model with an open vocabulary, estimated from transcripts.

Words have interpolated Kneser-Ney probabilities (Chen and Goodman 1999, section 4.1). A word
that no transcript has is spelled by a character n-gram, so that every string has a
probability; and so does the beginning of a word, which is the sum over all words that begin
so. A decoder that goes letter by letter is thus told at each letter what it knows already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mynah.errors import UserError

ORDER = 3  # words: two of history
SPELLING_ORDER = 5  # characters, where a word is spelled
END = "\n"  # ends a sentence among words, and a word among characters; is in no transcript
_START = "\t"  # before a sentence, and before a word that is spelled
_MOST_NGRAMS = 300_000  # kept of each order; of more, the rarer are left to the order below
_MOST_CACHED = 1_000_000

Context = tuple[str, ...]
Counts = dict[Context, dict[str, int]]


class WordNgrams:
    """Probabilities of words, and of beginnings of words, after a history of words.

    Args:
        orders: For each order from one up, what was counted of it.
        unseen: Probability, where no history is known, that a word is a new one.
        spelling: Of new words.
    """

    def __init__(self, orders: Sequence[_Order], unseen: float, spelling: Spelling) -> None:
        self.unseen = unseen
        self.spelling = spelling
        self._orders = orders
        # What of one a context gives to its own words, and what it leaves to the order below.
        self._tables = [order.shares() for order in orders]
        (unigrams,) = self._tables[0].values()
        for word in unigrams:
            unigrams[word] *= 1 - unseen
        self._left = [
            {context: 1.0 - sum(words.values()) for context, words in table.items()}
            for table in self._tables[1:]
        ]
        self._beginnings: dict[Context, dict[str, float]] = {}

    @classmethod
    def estimate(cls, texts: Iterable[str]) -> WordNgrams:
        """From transcripts, whose words are what white space separates.

        Raises:
            UserError: No transcript has a word.
        """
        sentences = [words for text in texts if (words := text.split())]
        if not sentences:
            raise UserError(
                "No training transcript has a word, so no language model can be made of them.",
                where="model.language_model",
                fix="model.language_model=none",
            )
        counts = _continuation_counts(sentences)
        frequencies = Counter(word for sentence in sentences for word in sentence)
        # Good-Turing: as often as a word was new so late that it never came again.
        once = sum(seen == 1 for seen in frequencies.values())
        unseen = (once + 1) / (sum(frequencies.values()) + 2)
        orders = [_Order.of(counts[0], discounted=False), *map(_Order.of, counts[1:])]
        return cls(orders, unseen, Spelling.estimate(frequencies))

    @property
    def vocabulary(self) -> list[str]:
        """The words of the transcripts."""
        return sorted(set(self._tables[0][()]) - {END})

    @property
    def start(self) -> Context:
        """The history at the beginning of a sentence."""
        return (_START,)

    def after(self, history: Context, word: str) -> Context:
        """The history once ``word`` was said."""
        return (*history, word)[-(ORDER - 1) :]

    def word(self, history: Context, word: str) -> float:
        """Probability that ``word`` comes next, be it known or new; ``END`` ends the sentence."""
        found = self._tables[0][()].get(word, 0.0)
        if word != END:
            found += self.unseen * self.spelling.word(word)
        for size in range(1, len(history) + 1):
            context = history[-size:]
            words = self._tables[size].get(context)
            if words is not None:
                found = words.get(word, 0.0) + self._left[size - 1][context] * found
        return found

    def beginning(self, history: Context, letters: str) -> float:
        """Probability that the next word begins with ``letters``; one for none."""
        if not letters:
            return 1.0
        found = self._begin(0, ()).get(letters, 0.0)
        found += self.unseen * self.spelling.beginning(letters)
        for size in range(1, len(history) + 1):
            context = history[-size:]
            if context in self._tables[size]:
                known = self._begin(size, context).get(letters, 0.0)
                found = known + self._left[size - 1][context] * found
        return found

    def _begin(self, size: int, context: Context) -> dict[str, float]:
        """What a context's own words give to each beginning of a word."""
        found = self._beginnings.get(context)
        if found is None:
            if len(self._beginnings) > _MOST_CACHED // 10:
                self._beginnings.clear()
            found = {}
            for word, share in self._tables[size][context].items():
                if word == END:
                    continue
                for length in range(1, len(word) + 1):
                    letters = word[:length]
                    found[letters] = found.get(letters, 0.0) + share
            self._beginnings[context] = found
        return found

    def to_json(self) -> dict[str, Any]:
        """What :meth:`from_json` takes: words by number, each context followed by its words."""
        words = sorted(set(self._tables[0][()]) | {_START})
        number = {word: position for position, word in enumerate(words)}
        orders = []
        for order in self._orders:
            rows = [
                [
                    [number[word] for word in context],
                    order.totals[context],
                    [number[word] for word in followers],
                    list(followers.values()),
                ]
                for context, followers in order.counts.items()
            ]
            orders.append({"discount": order.discount, "contexts": rows})
        return {"words": words, "unseen": self.unseen, "orders": orders}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> WordNgrams:
        """From what :meth:`to_json` gave."""
        words = content["words"]
        orders = []
        for order in content["orders"]:
            counts: Counts = {}
            totals: dict[Context, int] = {}
            for numbers, total, followers, times in order["contexts"]:
                context = tuple(words[number] for number in numbers)
                said = (words[number] for number in followers)
                counts[context] = dict(zip(said, times, strict=True))
                totals[context] = total
            orders.append(_Order(counts, totals, order["discount"]))
        spelled = [word for word in words if word not in (END, _START)]
        return cls(orders, content["unseen"], Spelling.estimate(spelled))


@dataclass(frozen=True)
class _Order:
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
    def of(cls, counts: Counts, *, discounted: bool = True) -> _Order:
        """With the discount that the counts themselves suggest, the rarest n-grams left out."""
        sizes = Counter(count for words in counts.values() for count in words.values())
        discount = (sizes[1] + 0.5) / (sizes[1] + 2 * sizes[2] + 1) if discounted else 0.0
        least, kept = 1, sum(sizes.values())
        while discounted and kept > _MOST_NGRAMS:
            kept -= sizes[least]
            least += 1
        frequent: Counts = {}
        for context, words in sorted(counts.items()):
            left = {word: count for word, count in sorted(words.items()) if count >= least}
            if left:
                frequent[context] = left
        totals = {context: sum(counts[context].values()) for context in frequent}
        return cls(frequent, totals, discount)

    def shares(self) -> dict[Context, dict[str, float]]:
        """Discounted relative frequencies."""
        return {
            context: {
                word: (count - self.discount) / self.totals[context]
                for word, count in words.items()
            }
            for context, words in self.counts.items()
        }


class Spelling:
    """Character n-grams of words, interpolated as Witten and Bell (1991) do.

    Each context gives a word not seen in it as much as it has different followers. Below
    all contexts every letter is as likely as any other, one that was never seen included.
    """

    def __init__(self, counts: dict[str, dict[str, int]]) -> None:
        self._counts = counts
        self._totals = {context: sum(found.values()) for context, found in counts.items()}
        self._floor = 1 / (len(counts[""]) + 1)
        self._cache: dict[str, float] = {"": 1.0}

    @classmethod
    def estimate(cls, words: Iterable[str]) -> Spelling:
        """From different words; how often each is said does not matter to new ones."""
        counts: dict[str, dict[str, int]] = {"": {}}
        for word in sorted(set(words)):
            letters = _START + word + END
            for position in range(1, len(letters)):
                for size in range(min(position, SPELLING_ORDER - 1) + 1):
                    followers = counts.setdefault(letters[position - size : position], {})
                    follower = letters[position]
                    followers[follower] = followers.get(follower, 0) + 1
        return cls(counts)

    def word(self, letters: str) -> float:
        """Probability that a word is spelled so and ends there."""
        return self.beginning(letters) * self._next(letters, END)

    def beginning(self, letters: str) -> float:
        """Probability that a word's spelling begins so."""
        found = self._cache.get(letters)
        if found is None:
            if len(self._cache) > _MOST_CACHED:
                self._cache = {"": 1.0}
            found = self.beginning(letters[:-1]) * self._next(letters[:-1], letters[-1])
            self._cache[letters] = found
        return found

    def _next(self, letters: str, follower: str) -> float:
        before = (_START + letters)[-(SPELLING_ORDER - 1) :]
        found = self._floor
        for size in range(len(before) + 1):
            followers = self._counts.get(before[len(before) - size :])
            if followers is None:
                break
            total = self._totals[before[len(before) - size :]]
            different = len(followers)
            found = (followers.get(follower, 0) + different * found) / (total + different)
        return found


def _continuation_counts(sentences: list[list[str]]) -> list[Counts]:
    """Counts by order: of the highest how often, of the others after how many words.

    An n-gram at the start of a sentence follows no other word, and counts as often as it is.
    """
    orders: list[Counts] = [{} for _ in range(ORDER)]
    highest: Counter[Context] = Counter()
    for sentence in sentences:
        words = [_START, *sentence, END]
        highest.update(zip(words, words[1:], words[2:], strict=False))
        _add(orders[1], (_START,), words[1], 1)
    bigrams: set[Context] = {(_START, sentence[0]) for sentence in sentences}
    for (first, second, third), count in highest.items():
        _add(orders[2], (first, second), third, count)
        _add(orders[1], (second,), third, 1)
        bigrams.add((second, third))
    orders[0][()] = dict(Counter(word for _, word in sorted(bigrams)))
    return orders


def _add(counts: Counts, context: Context, word: str, count: int) -> None:
    words = counts.setdefault(context, {})
    words[word] = words.get(word, 0) + count
