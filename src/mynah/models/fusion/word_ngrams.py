"""A word n-gram language model with an open vocabulary, for a decoder that goes by letters.

A word that no transcript has is written by a character n-gram, so that every string has a
probability; and so does the beginning of a word, which is the sum over all words that begin
so. A decoder that goes letter by letter is thus conditioned at each letter on what is known.
"""

from __future__ import annotations

import math
import sys

from mynah.errors import UserError
from mynah.models.fusion import arpa
from mynah.models.fusion.arpa import ArpaModel, Context, unescaped
from mynah.models.fusion.character_ngrams import CharacterNgrams

# In no transcript, as white space separates words.
SENTENCE_END = "\n"  # ends a sentence
_START = "\t"
_UNKNOWN = "\v"
_PLAIN = {arpa.START: _START, arpa.END: SENTENCE_END, arpa.UNKNOWN: _UNKNOWN}
_MOST_CACHED = 100_000
_NOTHING: dict[str, float] = {}
_LEAST = math.log(sys.float_info.min)  # where rounding leaves nothing of a probability

_NEVER = -math.inf

# Of contexts: what is left to the shorter one, what is given to words, and the context.
_Contexts = list[tuple[float, dict[str, float], Context]]
_Tables = tuple[dict[str, float], list[tuple[float, dict[str, float]]]]


class WordNgrams:
    """Probabilities of words, and of beginnings of words, after a history of words.

    The back-off model is held as an interpolated one: what a context gives to its own words beyond
    what it leaves to the shorter context. The sum over the words that begin alike then needs no
    list of those that back off.

    Args:
        model: With ``<unk>``, whose probability all strings share that are not words of it.

    Raises:
        UserError: It has no ``<unk>``, no ``</s>`` or no word.
    """

    def __init__(self, model: ArpaModel) -> None:
        unigrams = model.log10[0].get((), {})
        self.model = model
        self.vocabulary = sorted(unescaped(word) for word in unigrams if word not in _PLAIN)
        if not self.vocabulary or not {arpa.END, arpa.UNKNOWN} <= unigrams.keys():
            raise UserError(
                f"This language model lacks words, {arpa.END} or {arpa.UNKNOWN}, so that not "
                "every transcript has a probability.",
                where="model.language_model",
                fix="Estimate one with an open vocabulary.",
            )
        self._order = len(model.log10)
        self.characters = CharacterNgrams.estimate(self.vocabulary)
        others = 1 - sum(map(self.characters.word, self.vocabulary))
        # Probability, where no history is known, that a word is written letter by letter.
        self.unseen: float = 10.0 ** unigrams[arpa.UNKNOWN] / others
        self._log_unseen = unigrams[arpa.UNKNOWN] * math.log(10) - math.log(others)
        self._left, self._shares = _as_interpolated(model)
        for word in self.vocabulary:
            self._shares[()][word] -= self.unseen * self.characters.word(word)
        # Beginnings of contexts that are not among them: most models have none.
        self._begun = {
            context[:size]
            for context in self._left
            for size in range(1, len(context))
            if context[:size] not in self._left
        }
        self._contexts: dict[Context, _Contexts] = {}
        self._beginnings: dict[Context, dict[str, float]] = {}
        self._tables: dict[Context, _Tables] = {}

    @property
    def start(self) -> Context:
        """The history at the beginning of a sentence."""
        return self._telling((_START,)[: self._order - 1])

    def after(self, history: Context, word: str) -> Context:
        """The history once ``word`` was said, as far as the model tells it from others."""
        longer = (*history, word)
        return self._telling(longer[max(0, len(longer) - self._order + 1) :])

    def _telling(self, history: Context) -> Context:
        """The longest end of a history that is a context of the model, or begins one."""
        while history and history not in self._left and history not in self._begun:
            history = history[1:]
        return history

    def log_word(self, history: Context, word: str) -> float:
        """Logarithm of the probability that ``word`` comes next, be it known or new, in nats;
        ``SENTENCE_END`` ends the sentence. Finite for a word of any length."""
        contexts = self._known(history)
        found, spelled = self._shares[()].get(word, 0.0), _NEVER
        if word != SENTENCE_END:
            spelled = self.characters.log_word(word)
            found += self.unseen * math.exp(spelled)
        for left, shares, _ in contexts:
            found = shares.get(word, 0.0) + left * found
        if found > sys.float_info.min:
            return math.log(found)
        return self._log_spelled([left for left, *_ in contexts], spelled)

    def log_beginning(self, history: Context, letters: str) -> float:
        """Logarithm of the probability that the next word begins with ``letters``, in nats; zero
        for none."""
        if not letters:
            return 0.0
        shortest, tables = self._tables.get(history) or self._tables_of(history)
        spelled = self.characters.log_beginning(letters)
        found = shortest.get(letters, 0.0) + self.unseen * math.exp(spelled)
        for left, table in tables:
            found = table.get(letters, 0.0) + left * found
        if found > sys.float_info.min:
            return math.log(found)
        return self._log_spelled([left for left, _ in tables], spelled)

    def _log_spelled(self, lefts: list[float], spelled: float) -> float:
        """The same where a float holds no probability as small as that of a string of hundreds of
        letters: of no listed word, and what each context leaves to the shorter one."""
        if spelled == _NEVER:
            return _LEAST
        passed_on = sum(math.log(left) if left > 0 else _LEAST for left in lefts)
        return self._log_unseen + spelled + passed_on

    def _tables_of(self, history: Context) -> _Tables:
        """What is given to beginnings of words without a history, and in the contexts of this one,
        with what each of them leaves to the shorter one."""
        if len(self._tables) > _MOST_CACHED:
            self._tables.clear()
            self._beginnings.clear()
        longer = [(left, self._begin(context)) for left, _, context in self._known(history)]
        found = self._tables[history] = self._begin(()), longer
        return found

    def _known(self, history: Context) -> _Contexts:
        """The contexts of the model that end as a history does, the shortest first."""
        found = self._contexts.get(history)
        if found is None:
            if len(self._contexts) > _MOST_CACHED:
                self._contexts.clear()
            ends = [history[-size:] for size in range(1, len(history) + 1)]
            found = self._contexts[history] = [
                (self._left[end], self._shares.get(end, _NOTHING), end)
                for end in ends
                if end in self._left
            ]
        return found

    def _begin(self, context: Context) -> dict[str, float]:
        """What a context's own words give to each beginning of a word."""
        found = self._beginnings.get(context)
        if found is None:
            found = {}
            for word, share in self._shares.get(context, _NOTHING).items():
                if word in (SENTENCE_END, _UNKNOWN):
                    continue
                for length in range(1, len(word) + 1):
                    letters = word[:length]
                    found[letters] = found.get(letters, 0.0) + share
            self._beginnings[context] = found
        return found


def _as_interpolated(
    model: ArpaModel,
) -> tuple[dict[Context, float], dict[Context, dict[str, float]]]:
    """What each context leaves to the shorter one, and what it gives to its words beside."""
    plain = {word: _PLAIN.get(word) or unescaped(word) for word in model.log10[0][()]}
    weights: dict[Context, float] = {
        context: 10.0**log10 for context, log10 in model.backoff.items()
    }
    tables: list[dict[Context, dict[str, float]]] = []
    shares: dict[Context, dict[str, float]] = {}

    def probability(context: Context, word: str) -> float:
        words = tables[len(context)].get(context, _NOTHING)
        if word in words or not context:
            return words[word]
        return weights.get(context, 1.0) * probability(context[1:], word)

    for table in model.log10:
        linear = {
            context: {word: 10.0**log10 for word, log10 in words.items()}
            for context, words in table.items()
        }
        for context, words in linear.items():
            weight = weights.setdefault(context, 1.0) if context else 0.0
            shares[tuple(plain[word] for word in context)] = {
                plain[word]: value - (weight * probability(context[1:], word) if context else 0.0)
                for word, value in words.items()
            }
        tables.append(linear)
    left = {tuple(plain[word] for word in context): one for context, one in weights.items()}
    return left, shares
