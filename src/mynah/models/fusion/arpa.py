"""N-gram language models in the ARPA format, as SRILM, KenLM and Kaldi write and read it.

A line holds the base-10 logarithm of an n-gram's probability, its words, and the logarithm of the
weight that its continuations back off with
(https://www.speech.sri.com/projects/srilm/manpages/ngram-format.5.html).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mynah.errors import UserError

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
LOG_ZERO = -99.0  # the logarithm of a probability that is never asked for: that of ``<s>``
_COUNT = re.compile(r"ngram (\d+) ?= ?(\d+)$")
_FIX = "Copy the file again from where it is intact; of a checkpoint, or use another one."

NOT_TEXT = "\ufffd"  # what stands in a word that was read for bytes that are not UTF-8

Context = tuple[str, ...]


def escaped(word: str) -> str:
    """A word of a transcript as it stands in a model, where ``<s>`` and its like are others."""
    return f"\\{word}" if word.lstrip("\\") in (START, END, UNKNOWN) else word


def unescaped(word: str) -> str:
    """What :func:`escaped` was given."""
    return word[1:] if word.startswith("\\") and escaped(word[1:]) == word else word


@dataclass
class ArpaModel:
    """A back-off model of words.

    Attributes:
        log10: For each order from one up, the base-10 logarithm of each word's probability in each
            context, which has one word less than the order.
        backoff: The base-10 logarithm of the weight of a context's shorter one, where a word does
            not follow it in ``log10``; 0 for those not listed.
    """

    log10: list[dict[Context, dict[str, float]]]
    backoff: dict[Context, float] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the model; each number has as many digits as it takes to be read as the same."""
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.write("\\data\\\n")
            for order, contexts in enumerate(self.log10, start=1):
                file.write(f"ngram {order}={sum(map(len, contexts.values()))}\n")
            for order, contexts in enumerate(self.log10, start=1):
                file.write(f"\n\\{order}-grams:\n")
                for context, words in contexts.items():
                    for word, log10 in words.items():
                        ngram = (*context, word)
                        backoff = self.backoff.get(ngram)
                        end = "" if backoff is None else f"\t{backoff!r}"
                        file.write(f"{log10!r}\t{' '.join(ngram)}{end}\n")
            file.write("\n\\end\\\n")

    @classmethod
    def read(cls, path: Path) -> ArpaModel:
        """Read a model.

        Raises:
            UserError: The file is cut short or damaged; with the line.
        """
        try:
            with path.open(encoding="utf-8-sig", errors="replace") as file:
                return _Reader(path, file).model()
        except OSError as error:
            raise UserError(
                f"This language model cannot be read: {error.strerror}.", where=str(path), fix=_FIX
            ) from None


class _Reader:
    """Reads a file line by line, and knows where it is."""

    def __init__(self, path: Path, lines: Iterator[str]) -> None:
        self._path = path
        self._lines = lines
        self._number = 0

    def model(self) -> ArpaModel:
        line = self._next()
        while line != "\\data\\":
            line = self._next()
        counts: list[int] = []
        while match := _COUNT.match(line := self._next(skip_empty=True)):
            counts.append(int(match[2]))
            if int(match[1]) != len(counts):
                raise self._error(f"the count of {len(counts)}-grams is due")
        if not counts:
            raise self._error("a count is due, as `ngram 1=1000`")
        model = ArpaModel([])
        for order, count in enumerate(counts, start=1):
            if line != f"\\{order}-grams:":
                raise self._error(f"`\\{order}-grams:` is due")
            line = self._section(model, order, count, is_last=order == len(counts))
        if line != "\\end\\":
            raise self._error("`\\end\\` is due")
        return model

    def _section(self, model: ArpaModel, order: int, count: int, *, is_last: bool) -> str:
        """Read the n-grams of one order, and return the line that ends them."""
        contexts: dict[Context, dict[str, float]] = {}
        known = model.log10[0].get((), {}).keys() if order > 1 else set()
        found = 0
        while not (line := self._next(skip_empty=True)).startswith("\\"):
            *fields, words = line.split("\t", 2)[:2]
            backoff = line.split("\t", 2)[2:]
            ngram = tuple(words.split(" "))
            if len(fields) != 1 or len(ngram) != order or "" in ngram or (backoff and is_last):
                raise self._error(f"this is not a {order}-gram with its logarithms")
            if order > 1 and not known >= set(ngram):
                raise self._error("a word of this is none of the 1-grams")
            log10 = self._logarithm(fields[0])
            if log10 > 0:
                raise self._error(f"a probability has no logarithm of {log10}")
            contexts.setdefault(ngram[:-1], {})[ngram[-1]] = log10
            if backoff:
                model.backoff[ngram] = self._logarithm(backoff[0])
            found += 1
        if found != count or sum(map(len, contexts.values())) != count:
            raise self._error(f"{count:,} different {order}-grams are announced, not {found:,}")
        model.log10.append(contexts)
        return line

    def _next(self, *, skip_empty: bool = False) -> str:
        while True:
            self._number += 1
            line = next(self._lines, None)
            if line is None:
                raise self._error("the file ends before `\\end\\`: it was cut short")
            line = line.rstrip("\r\n")
            if line or not skip_empty:
                return line

    def _logarithm(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self._error(f"{text!r} is not a logarithm")
        return value

    def _error(self, problem: str) -> UserError:
        return UserError(
            f"This language model is damaged: {problem}.",
            where=f"{self._path}:{self._number}",
            fix=_FIX,
        )
