"""Texts as the labels of a tokenizer that may know few characters and one letter case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mynah import console


class Spelling:
    """Turns transcripts into labels.

    Args:
        tokenizer: Of the model.
        special: Token ids that no transcript has, as the blank.
    """

    def __init__(self, tokenizer: Any, *special: int | None) -> None:
        self._tokenizer = tokenizer
        self._letter_case = _letter_case(tokenizer)
        # Asked once: a tokenizer takes a while to say what its unknown token is.
        self._not_said = {tokenizer.unk_token_id, *special}
        # Transcripts are spelled by the thousand a second: without what a call of
        # transformers' class does beside it, that takes a third of the time.
        self._quick = getattr(tokenizer, "backend_tokenizer", None)
        if self._quick is not None:
            self._quick.no_truncation()
            self._quick.no_padding()

    def cased(self, text: str) -> str:
        """The text in the one letter case that the tokenizer has, where it has one."""
        if self._letter_case is None:
            return text
        return text.upper() if self._letter_case == "upper" else text.lower()

    def labels(self, text: str) -> list[int]:
        """Token ids of a text; what cannot be spelled is left out."""
        if self._quick is not None:
            ids = self._quick.encode(self.cased(text), add_special_tokens=False).ids
        else:
            ids = self._tokenizer(self.cased(text), add_special_tokens=False)["input_ids"]
        return [one for one in ids if one not in self._not_said]

    def say_what_is_missing(self, texts: Sequence[str]) -> None:
        """Name the characters of a corpus that the tokenizer cannot spell."""
        characters = sorted(set("".join(map(self.cased, texts))) - {" "})
        unknown = [one for one in characters if not self.labels(one)]
        if unknown:
            console.notice(
                "The model's tokenizer cannot spell these characters of the transcripts, which "
                f"are left out of what it learns: {' '.join(unknown)}"
            )


def _letter_case(tokenizer: Any) -> str | None:
    """``"upper"`` or ``"lower"`` where the tokenizer spells in that case alone."""
    pieces = "".join(set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens))
    upper = any(letter.isupper() for letter in pieces)
    lower = any(letter.islower() for letter in pieces)
    return None if upper == lower else "upper" if upper else "lower"
