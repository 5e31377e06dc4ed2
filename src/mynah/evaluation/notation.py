"""One notation for English: what is written in several ways is written in one.

Much of what a recognizer gains by tuning is how it writes: `5 15` for `five fifteen`, `R-O-B-I-N`
for `R O B I N`, `colour` for `color`. With both sides in one notation an error rate is left with
what was recognized wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

VERSION = "1"  # raised whenever a text could come out differently
ENGLISH = frozenset({"en", "eng"})
_SPELLED = re.compile(r"(?<![\w'’])[a-z](?:(?:\s*[-.,]\s*|\s+)[a-z](?![\w'’]|-\w{2}))+")
_BETWEEN_LETTERS = re.compile(r"[-.,\s]+")
_WORDS_OF_ONE_LETTER = frozenset("ai")
_DIGITS = re.compile(r"\d+")
_LETTERS_AND_DIGITS = re.compile(r"([a-z]+)(\d+)")
_OTHER_SCRIPTS = 0.02  # share of letters outside of ASCII from which a text is not English


def one_notation(text: str, english: Callable[[str], str]) -> str:
    """An English text in one notation.

    Letters that are spelled one by one become one word, however they are separated (before
    numbers, since a letter ``o`` is a zero to them); then it is Whisper's English normaliser,
    which writes numbers as digits and American spelling; then each digit of a number is a word of
    its own, since ``fifteen fifteen`` has as many readings as there are ways to group ``1515``.

    Args:
        text: A reference or a hypothesis.
        english: Whisper's English normaliser.
    """
    words = english(_SPELLED.sub(_joined, text.lower())).split()
    return " ".join(piece for word in words for piece in _pieces(word))


def is_english(languages: Iterable[str], texts: Iterable[str]) -> bool:
    """Whether transcripts can be brought into one notation: all are English, as far as is known.

    Args:
        languages: ISO 639-1 codes, "" where one is not known.
        texts: The transcripts: what decides where no language is known.
    """
    known = set(languages) - {""}
    if known:
        return known <= ENGLISH
    letters = [one for text in texts for one in text if one.isalpha()]
    return bool(letters) and sum(not one.isascii() for one in letters) <= _OTHER_SCRIPTS * len(
        letters
    )


def _joined(found: re.Match[str]) -> str:
    letters = _BETWEEN_LETTERS.split(found.group())
    return found.group() if set(letters) <= _WORDS_OF_ONE_LETTER else "".join(letters)


def _pieces(word: str) -> Sequence[str]:
    """A word, or the letters and the digits of a number."""
    if word == "one":  # as Whisper's normaliser writes a 1 that stands alone
        return "1"
    if _DIGITS.fullmatch(word):
        return word
    both = _LETTERS_AND_DIGITS.fullmatch(word)
    return [both[1], *both[2]] if both else [word]
