"""Hot words: names and terms that a beam favours while it writes them, letter by letter.

A hypothesis is worth more for each letter with which it writes the beginning of a listed word or
phrase, and loses it all where it turns out to write something else: shallow fusion with the
prefix graph of the list (Zhao et al. 2019, "Shallow-fusion end-to-end contextual biasing"). The
graph is the sorted list itself: a beginning is in it where the next entry begins so.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from mynah import console
from mynah.config.naming.context_file import words_of
from mynah.errors import UserError

_LONGEST = 200  # letters: a line beyond is not a word or phrase that anybody says
_NAMED = 5  # in a message
_MOST_BYTES = 2**26


class PhraseProgress(NamedTuple):
    """How far a hypothesis is in writing a listed phrase.

    Attributes:
        written: What it has of it; "" where a word begins; None within a word of no phrase.
        sure: How many of those letters already made a full phrase, which nothing takes away.
    """

    written: str | None = ""
    sure: int = 0

    @property
    def unsure(self) -> int:
        """Letters that count only if the phrase comes to its end."""
        return len(self.written or "") - self.sure


BEGIN = PhraseProgress()
_NOWHERE = PhraseProgress(None)


class HotWords:
    """Listed words and phrases.

    Args:
        phrases: Each with its words parted by one space, as a transcript has them.
        weight: What a letter of them is worth, in nats.
    """

    def __init__(self, phrases: Iterable[str], weight: float) -> None:
        self._sorted = sorted(set(phrases))
        self.weight = weight

    def __len__(self) -> int:
        return len(self._sorted)

    def begins(self, letters: str) -> bool:
        """Whether a phrase begins so."""
        at = bisect.bisect_left(self._sorted, letters)
        return at < len(self._sorted) and self._sorted[at].startswith(letters)

    def has(self, letters: str) -> bool:
        """Whether that is a phrase."""
        at = bisect.bisect_left(self._sorted, letters)
        return at < len(self._sorted) and self._sorted[at] == letters

    def step(self, progress: PhraseProgress, letter: str) -> tuple[PhraseProgress, float]:
        """Where a letter, or the space between words, leads, and what it is worth in nats."""
        before = progress.unsure
        written, sure = progress.written, progress.sure
        if letter == " ":
            if not written:
                return BEGIN, 0.0
            if self.has(written):
                sure = len(written)
        gained = sure - progress.sure
        after = _NOWHERE if written is None else self._next(written + letter, sure)
        if after is _NOWHERE and letter == " ":
            after = BEGIN
        return after, self.weight * (gained + after.unsure - before)

    def _next(self, longer: str, sure: int) -> PhraseProgress:
        """The longest end of what is written, from a word's beginning on, that begins a phrase."""
        if self.begins(longer):
            return PhraseProgress(longer, sure)
        start = longer.find(" ") + 1
        while start:
            rest = longer[start:]
            if rest and self.begins(rest):
                return PhraseProgress(rest, min(max(sure - start, 0), len(rest)))
            start = longer.find(" ", start) + 1
        return _NOWHERE

    def finish(self, progress: PhraseProgress) -> float:
        """What the end of the utterance is worth: a phrase that is cut off loses its letters."""
        if progress.written and self.has(progress.written):
            return 0.0
        return -self.weight * progress.unsure


def read_phrases(
    path: Path, *, written_as: Callable[[str], str], writes: Callable[[str], bool]
) -> list[str]:
    """The words and phrases of a list, one a line; what a tokenizer cannot write is said.

    Args:
        path: A text file in UTF-8; empty lines and those that begin with ``#`` are skipped.
        written_as: A phrase in the tokenizer's case.
        writes: Whether the tokenizer can write a phrase.

    Raises:
        UserError: The file cannot be read, or holds nothing that can be written.
    """
    phrases, odd, lines = [], [], 0
    for line in _lines(path):
        phrase = words_of(line)
        if not phrase:
            continue
        lines += 1
        phrase = written_as(phrase)
        if len(phrase) > _LONGEST or not writes(phrase):
            odd.append(f"{phrase[:40]}…" if len(phrase) > 40 else phrase)
        else:
            phrases.append(phrase)
    if not phrases:
        raise UserError(
            f"None of the {lines:,} word(s) can be written with this model's tokens."
            if lines
            else "The list has no word.",
            where=f"model.context_file={path}",
            fix="list words in the script and letters of the transcripts, one a line",
        )
    if odd:
        console.notice(
            f"{len(odd):,} of {lines:,} words in {path.name} cannot be written with this model's "
            f"tokens, or are longer than {_LONGEST} letters, and are left out: "
            f"{', '.join(odd[:_NAMED])}{' …' if len(odd) > _NAMED else ''}"
        )
    return phrases


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(
                f"A list of words is at most {_MOST_BYTES // 2**20} MB.",
                where=f"model.context_file={path}",
                fix="list the words that matter; text for a language model goes to mynah lm",
            )
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(
            f"The list of words cannot be read: {error.strerror}.",
            where=f"model.context_file={path}",
            fix="name a text file with one word or phrase a line",
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(
            "The list of words is not text in UTF-8.",
            where=f"model.context_file={path}",
            fix="write it as UTF-8 (iconv -f latin1 -t utf8)",
        ) from error
