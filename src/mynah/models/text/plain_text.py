"""Transcripts as token ids, in which a control token that somebody wrote is text.

A tokenizer finds its added tokens in any text that it is given: ``<pad>`` in a transcript would
become CTC's blank, ``<|im_end|>`` the end of an answer, ``<|0.00|>`` a timestamp. A transcript is
data: what is written in it is written, and what a control token means is the model's alone.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any


class PlainText:
    """Tokenizes transcripts.

    Args:
        tokenizer: A tokenizer of transformers.
        first_written: Id of the first added token that transcripts are meant to have, as those
            of ``model.new_tokens``; None: there is none.
    """

    def __init__(self, tokenizer: Any, first_written: int | None = None) -> None:
        self._tokenizer = tokenizer
        held = getattr(tokenizer, "added_tokens_decoder", {})
        written = {
            number
            for number, token in held.items()
            if first_written is not None and number >= first_written and not token.special
        }
        added = [token for number, token in held.items() if number not in written]
        # A token of one letter, as wav2vec2's word delimiter, is how that letter is written.
        control = sorted((one.content for one in added if len(one.content.strip()) > 1), key=len)
        self._signs = tuple({one[0] for one in control})
        self._control = re.compile("|".join(map(re.escape, reversed(control)))) if control else None

    def holds_control(self, text: str) -> bool:
        """Whether a tokenizer would find one of its added tokens in a text."""
        if self._control is None or not any(sign in text for sign in self._signs):
            return False
        return self._control.search(text) is not None

    def ids(self, text: str) -> list[int]:
        """Token ids of a text, without those that a tokenizer adds around it."""
        if not self.holds_control(text):
            found: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
            return found
        return [one for one in self._written(text) if one not in self._never]

    @cached_property
    def _never(self) -> set[int]:
        """Ids that no text has: a vocabulary may hold control tokens as pieces."""
        unknown = self._tokenizer.unk_token_id
        return {one for one in self._tokenizer.all_special_ids if one != unknown}

    def _written(self, text: str) -> list[int]:
        """The steps of a tokenizer but for the one that finds added tokens."""
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if backend is None:  # in Python: it can be asked for
            return list(
                self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)[
                    "input_ids"
                ]
            )
        if backend.normalizer is not None:
            text = backend.normalizer.normalize_str(text)
        pieces = [text]
        if backend.pre_tokenizer is not None:
            pieces = [piece for piece, _ in backend.pre_tokenizer.pre_tokenize_str(text)]
        return [token.id for piece in pieces for token in backend.model.tokenize(piece)]
