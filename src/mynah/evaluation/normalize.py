"""Text normalisers: what counts as the same word, each with a name and a version.

An error rate means nothing without its normaliser, so every score carries ``name@version``.
Changing what a normaliser of ours does means raising its version.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mynah.data import characters
from mynah.errors import UserError
from mynah.evaluation import notation

ONE_NOTATION = "one_notation"


@dataclass(frozen=True)
class Normalizer:
    """A function from text to text that is applied to reference and hypothesis alike.

    Attributes:
        name: As ``evaluation.normalizer`` gives it.
        version: Changes whenever a text could come out differently.
        in_context: Whether what a word becomes depends on those around it, as in numbers and in
            brackets. Else a text comes out as its words would one by one.
        by_language: Whether it depends on the language.
    """

    name: str
    version: str
    function: Callable[[str, str], str]
    in_context: bool = False
    by_language: bool = False

    def __call__(self, text: str, language: str = "") -> str:
        """Return the normalised text: words separated by single spaces, none around them.

        Args:
            text: A reference or a hypothesis.
            language: ISO 639-1 code of what is spoken, "" where it is not known.
        """
        return " ".join(self.function(text, language).split())

    @property
    def identity(self) -> str:
        """``name@version``, as it stands beside a score."""
        return f"{self.name}@{self.version}"

    def differing(self, languages: Iterable[str]) -> list[str]:
        """Of languages one for each way in which a text can come out; "" where none is given."""
        if not self.by_language:
            return [""]
        by_case = {characters.has_own_case(one): one for one in sorted(languages)}
        return list(by_case.values()) or [""]


def basic(text: str, language: str = "") -> str:
    """Lower case and no punctuation, for any language.

    Letters, marks and digits stay, and an apostrophe inside a word, in any of its shapes
    (:func:`mynah.data.characters.without_punctuation`, as in training with
    ``data.strip_punctuation``); then Unicode NFKC and the language's lower case, and of what
    NFKC brings the same letters again. Numbers are not written out.

    Args:
        text: A reference or a hypothesis.
        language: ISO 639-1 code of what is spoken, "" where it is not known.
    """
    bare = characters.without_punctuation(text)
    # Lower case can compose or decompose, hence NFKC on both sides of it.
    compatible = unicodedata.normalize("NFKC", bare)
    made = unicodedata.normalize("NFKC", characters.lower(compatible, language))
    if compatible != bare or not made.isascii():
        made = characters.without_punctuation(made)
    # Whether a sigma is a final one depends on what followed it before punctuation went.
    return made.replace("ς", "σ")


def unchanged(text: str, language: str = "") -> str:
    """The text in Unicode NFC: which letters it consists of, not how they are stored."""
    return unicodedata.normalize("NFC", text)


# Rules of the library's English normaliser that OpenAI's does not have: with them error rates do
# not compare with anybody else's, and "the cause" becomes "the because".
_NOT_OPENAI_S = frozenset({r"\bkinda\b", r"\bsorta\b", r"\bdunno\b", r"\bcause\b"})


def tears_words(normalizer: str, texts: Iterable[str]) -> bool:
    """Whether a normaliser makes several words of one where a script writes vowels as marks.

    OpenAI's put a space in the place of every mark: a Hindi word falls into its consonants.
    """
    if not normalizer.startswith("whisper"):
        return False
    return any(
        unicodedata.category(one)[0] == "M"
        for text in texts
        if not text.isascii()
        for one in unicodedata.normalize("NFKC", text)
    )


def _whisper(name: str) -> Normalizer:
    from importlib.metadata import version

    if name == "whisper_english":
        from whisper_normalizer.english import EnglishTextNormalizer as Function
    else:
        from whisper_normalizer.basic import BasicTextNormalizer as Function
    function = Function()
    installed = version("whisper-normalizer")
    if name == "whisper_english":
        function.replacers = {
            pattern: instead
            for pattern, instead in function.replacers.items()
            if pattern not in _NOT_OPENAI_S
        }
        installed += "+openai"

    def normalize(text: str, language: str = "") -> str:
        return str(function(text))

    return Normalizer(name, installed, normalize, in_context=True)


def _one_notation() -> Normalizer:
    english = _whisper("whisper_english")

    def normalize(text: str, language: str = "") -> str:
        return notation.one_notation(text, english)

    version = f"{notation.VERSION}+whisper{english.version}"
    return Normalizer(ONE_NOTATION, version, normalize, in_context=True)


_BUILDERS: dict[str, Callable[[], Normalizer]] = {
    "none": lambda: Normalizer("none", "2", unchanged),
    "basic": lambda: Normalizer("basic", "2", basic, by_language=True),
    "whisper_basic": lambda: _whisper("whisper_basic"),
    "whisper_english": lambda: _whisper("whisper_english"),
    ONE_NOTATION: _one_notation,
}


def get_normalizer(name: str) -> Normalizer:
    """The normaliser of that name.

    ``none`` is NFC and single spaces; ``basic`` is :func:`basic`; ``whisper_basic`` and
    ``whisper_english`` are OpenAI Whisper's (arXiv 2212.04356, appendix C), in the version of
    the installed whisper-normalizer, without what that adds to them; ``one_notation`` is
    :func:`mynah.evaluation.notation.one_notation`, for English.

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
