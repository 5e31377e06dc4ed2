"""A character n-gram model of words, for those that no transcript has."""

from __future__ import annotations

import math
from collections.abc import Iterable

CHARACTER_ORDER = 5
_START = "\t"  # before a word; in no transcript, as what ends it
_END = "\n"
_MOST_CACHED = 1_000_000


class CharacterNgrams:
    """Character n-grams of words, interpolated as Witten and Bell (1991) do.

    Each context gives a word not seen in it as much as it has different followers. Below
    all contexts every letter is as likely as any other, one that was never seen included.
    """

    def __init__(self, counts: dict[str, dict[str, int]]) -> None:
        self._counts = counts
        self._totals = {context: sum(found.values()) for context, found in counts.items()}
        self._floor = 1 / (len(counts[""]) + 1)
        self._cache: dict[str, float] = {"": 0.0}  # logarithms, by the beginning of a word

    @classmethod
    def estimate(cls, words: Iterable[str]) -> CharacterNgrams:
        """From different words; how often each is said does not matter to new ones."""
        counts: dict[str, dict[str, int]] = {"": {}}
        for word in sorted(set(words)):
            letters = _START + word + _END
            for position in range(1, len(letters)):
                for size in range(min(position, CHARACTER_ORDER - 1) + 1):
                    followers = counts.setdefault(letters[position - size : position], {})
                    follower = letters[position]
                    followers[follower] = followers.get(follower, 0) + 1
        return cls(counts)

    def word(self, letters: str) -> float:
        """Probability that a word is written so and ends there; 0.0 where it is below what a float
        can hold."""
        return math.exp(self.log_word(letters))

    def log_word(self, letters: str) -> float:
        """Its logarithm, in nats: finite for a string of any length."""
        return self.log_beginning(letters) + math.log(self._next(letters, _END))

    def log_beginning(self, letters: str) -> float:
        """Logarithm of the probability that a word begins so, in nats."""
        found = self._cache.get(letters)
        if found is not None:
            return found
        if len(self._cache) > _MOST_CACHED:
            self._cache = {"": 0.0}
        known = len(letters) - 1
        while letters[:known] not in self._cache:
            known -= 1
        found = self._cache[letters[:known]]
        for end in range(known, len(letters)):
            found += math.log(self._next(letters[:end], letters[end]))
            self._cache[letters[: end + 1]] = found
        return found

    def _next(self, letters: str, follower: str) -> float:
        before = (_START + letters)[-(CHARACTER_ORDER - 1) :]
        found = self._floor
        for size in range(len(before) + 1):
            followers = self._counts.get(before[len(before) - size :])
            if followers is None:
                break
            total = self._totals[before[len(before) - size :]]
            different = len(followers)
            found = (followers.get(follower, 0) + different * found) / (total + different)
        return found
