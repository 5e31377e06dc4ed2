"""Texts as the labels of a tokenizer that may know few characters and one letter case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from mynah import console
from mynah.data.characters import lower, plain_apostrophes
from mynah.errors import UserError
from mynah.models.text.long_labels import say_if_long
from mynah.models.text.plain_text import PlainText

_NAMED = 40  # characters named in a message
_MUCH = 0.02  # a share of all characters that a word error rate suffers from


class Labeller:
    """Turns transcripts into labels.

    Args:
        tokenizer: Of the model.
        special: Token ids that no transcript has, as the blank.
    """

    def __init__(self, tokenizer: Any, *special: int | None) -> None:
        self._tokenizer = tokenizer
        self._letter_case = _letter_case(tokenizer)
        vocabulary = "".join(tokenizer.get_vocab())
        # Asked once: a tokenizer takes a while to say what its unknown token is.
        self._not_said = {tokenizer.unk_token_id, *special}
        # Transcripts are tokenized by the thousand a second: without what a call of
        # transformers' class does beside it, that takes a third of the time.
        self._plain = PlainText(tokenizer)
        self._quick = getattr(tokenizer, "backend_tokenizer", None)
        if self._quick is not None:
            self._quick.no_truncation()
            self._quick.no_padding()
        self._only_plain_apostrophes = False
        # Asked, and not looked up: a vocabulary of bytes has neither as a piece and writes both.
        self._only_plain_apostrophes = "'" in vocabulary and not self._writes("\u2019")

    def cased(self, text: str) -> str:
        """The text as the tokenizer's vocabulary writes it.

        In the one letter case that it has, where it has one; with plain apostrophes where it
        has those alone.
        """
        if self._only_plain_apostrophes:
            text = plain_apostrophes(text)
        if self._letter_case is None:
            return text
        return text.upper() if self._letter_case == "upper" else lower(text)

    def labels(self, text: str) -> list[int]:
        """Token ids of a text; what cannot be written is left out."""
        return [one for one in self._ids(text) if one not in self._not_said]

    def _ids(self, text: str) -> list[int]:
        written = self.cased(text)
        if self._quick is None or self._plain.holds_control(written):
            return self._plain.ids(written)
        ids: list[int] = self._quick.encode(written, add_special_tokens=False).ids
        return ids

    def missing(self, texts: Sequence[str]) -> tuple[list[str], float]:
        """Characters of a corpus that cannot be written, and their share of all, spaces apart."""
        counts = self._counts(texts)
        unknown = sorted(one for one in counts if not self._writes(one))
        return unknown, sum(counts[one] for one in unknown) / max(1, counts.total())

    def _counts(self, texts: Sequence[str]) -> Counter[str]:
        """How often each character is in the texts, spaces apart."""
        counts = Counter("".join(map(self.cased, texts)))
        return Counter({one: count for one, count in counts.items() if not one.isspace()})

    def _writes(self, character: str) -> bool:
        ids = self._ids(character)
        unknown = self._tokenizer.unk_token_id
        if unknown is not None and unknown in ids:
            return False
        # Some tokenizers have no token for the unknown, or write it as a space.
        return bool(self._tokenizer.decode(self.labels(character)).strip())

    def say_what_does_not_fit(self, texts: Sequence[str], suppressed: Collection[int] = ()) -> None:
        """:meth:`say_what_is_missing`, what is learned and never written, and where texts become
        far longer than they should: of a model that writes pieces of words.

        Args:
            texts: The transcripts.
            suppressed: Token ids that decoding leaves out.
        """
        self.say_what_is_missing(texts)
        self._say_what_is_suppressed(texts, suppressed)
        say_if_long(self.labels, texts)

    def _say_what_is_suppressed(self, texts: Sequence[str], suppressed: Collection[int]) -> None:
        """Name the characters of a corpus whose own tokens decoding leaves out."""
        never = set(suppressed)
        counts = self._counts(texts) if never else Counter[str]()
        if odd := sorted(one for one in counts if not never.isdisjoint(self._ids(one))):
            share = sum(counts[one] for one in odd) / counts.total()
            more = f" and {len(odd) - _NAMED} more" if len(odd) > _NAMED else ""
            console.notice(
                f"The transcripts have characters ({share:.1%} of all) that the model learns and "
                f"hardly ever writes: {' '.join(odd[:_NAMED])}{more}. suppress_tokens of its "
                "generation_config.json leaves their tokens out of decoding: take those out of a "
                "copy of the weights, or data.strip_punctuation=true takes such characters out of "
                "what is learned."
            )

    def say_what_is_missing(self, texts: Sequence[str], *, instead: str | None = None) -> None:
        """Name the characters of a corpus that the tokenizer cannot write.

        Args:
            texts: The transcripts.
            instead: A setting that gives the model another tokenizer, where there is one.

        Raises:
            UserError: It can write none of them.
        """
        self._say_what_grows(texts)
        unknown, share = self.missing(texts)
        if not unknown:
            return
        named = " ".join(unknown[:_NAMED])
        if len(unknown) > _NAMED:
            named += f" and {len(unknown) - _NAMED} more"
        if share == 1.0:
            raise UserError(
                "The model's tokenizer can write none of the transcripts' characters, so there "
                f"is nothing to learn: {named}.",
                where="model.pretrained",
                fix=instead or "Name a model that knows the language of the transcripts.",
            )
        console.notice(
            f"The model's tokenizer cannot write these characters of the transcripts ({share:.1%} "
            f"of all), which are left out of what it learns: {named}"
        )
        if instead is not None and share >= _MUCH:
            console.notice(
                f"So much left out is for ever wrong: {instead} gives the model a tokenizer of "
                "this corpus and a new last layer."
            )

    def _say_what_grows(self, texts: Sequence[str]) -> None:
        """Name the letters whose other case is written with more than one letter."""
        if self._letter_case != "upper":
            return
        letters = sorted(set("".join(texts)))
        grown = [one for one in letters if one.isalpha() and len(one.upper()) > 1]
        if grown:
            named = ", ".join(f"{one} as {one.upper()}" for one in grown[:_NAMED])
            console.notice(
                "The model's tokenizer has capital letters alone, so the model learns, and "
                f"writes, {named}; a reference that is scored keeps the letter."
            )


def _letter_case(tokenizer: Any) -> str | None:
    """``"upper"`` or ``"lower"`` where the tokenizer writes in that case alone."""
    pieces = "".join(set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens))
    upper = any(letter.isupper() for letter in pieces)
    lower = any(letter.islower() for letter in pieces)
    return None if upper == lower else "upper" if upper else "lower"
