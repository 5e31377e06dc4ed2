"""Text normalisers: what counts as the same word, each with a name and a version.

An error rate means nothing without its normaliser, so every score carries ``name@version``.
Changing what a normaliser of ours does means raising its version.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from mynah.errors import UserError

# Written as an apostrophe somewhere: typographic quotes, the modifier letter, stray accents.
_APOSTROPHES = dict.fromkeys(map(ord, "\u2018\u2019\u02bc\uff07\u00b4\u0060"), "'")


@dataclass(frozen=True)
class Normalizer:
    """A function from text to text that is applied to reference and hypothesis alike.

    Attributes:
        name: As ``evaluation.normalizer`` gives it.
        version: Changes whenever a text could come out differently.
    """

    name: str
    version: str
    function: Callable[[str], str]

    def __call__(self, text: str) -> str:
        """Return the normalised text: words separated by single spaces, none around them."""
        return " ".join(self.function(text).split())

    @property
    def identity(self) -> str:
        """``name@version``, as it stands beside a score."""
        return f"{self.name}@{self.version}"


def basic(text: str) -> str:
    """Lower case and no punctuation, for any language.

    Unicode NFKC; lower case; punctuation (category P), symbols (S) and control characters
    become spaces, invisible format characters (Cf) go; an apostrophe, in any of its shapes,
    stays where a letter, digit or mark stands on both sides of it. Combining marks are
    letters' parts in many scripts and stay. Numbers are not spelled out.
    """
    visible = "".join(c for c in text if unicodedata.category(c) != "Cf")
    # Case folding can compose or decompose anew (U+0130), hence NFKC on both sides of it.
    composed = unicodedata.normalize("NFKC", visible.translate(_APOSTROPHES)).lower()
    text = unicodedata.normalize("NFKC", composed).translate(_APOSTROPHES)
    made = []
    for position, character in enumerate(text):
        if _in_word(character):
            made.append(character)
        elif character == "'" and 0 < position < len(text) - 1:
            inside = _in_word(text[position - 1]) and _in_word(text[position + 1])
            made.append("'" if inside else " ")
        else:
            made.append(" ")
    return "".join(made)


def _in_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _whisper(name: str) -> Normalizer:
    from importlib.metadata import version

    if name == "whisper_english":
        from whisper_normalizer.english import EnglishTextNormalizer as Function
    else:
        from whisper_normalizer.basic import BasicTextNormalizer as Function
    return Normalizer(name, version("whisper-normalizer"), Function())


_BUILDERS: dict[str, Callable[[], Normalizer]] = {
    "none": lambda: Normalizer("none", "1", lambda text: text),
    "basic": lambda: Normalizer("basic", "1", basic),
    "whisper_basic": lambda: _whisper("whisper_basic"),
    "whisper_english": lambda: _whisper("whisper_english"),
}


def get_normalizer(name: str) -> Normalizer:
    """The normaliser of that name.

    ``none`` only collapses whitespace; ``basic`` is :func:`basic`; ``whisper_basic`` and
    ``whisper_english`` are OpenAI Whisper's (arXiv 2212.04356, appendix C), in the version of
    the installed whisper-normalizer.

    Raises:
        UserError: No normaliser has that name.
    """
    if name not in _BUILDERS:
        raise UserError(
            f"There is no text normaliser called {name!r}.",
            where="evaluation.normalizer",
            fix=f"choose one of {', '.join(_BUILDERS)}",
        )
    return _BUILDERS[name]()
