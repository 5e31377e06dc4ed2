"""Names and terms before a transcript: those of a list, and those of a row."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mynah import console
from mynah.errors import UserError
from mynah.models.fusion.hot_words import read_phrases
from mynah.models.text.labels import padded_labels
from mynah.models.text.token_loss import IGNORED

if TYPE_CHECKING:
    import torch

    from mynah.models.seq2seq.prompts import Prompts


@dataclass(frozen=True)
class ListedContext:
    """The words of ``model.context_file`` that fit before a transcript.

    Attributes:
        phrases: Words and phrases, in the list's order.
        listed: How many the list has.
    """

    phrases: tuple[str, ...] = ()
    listed: int = 0

    @property
    def described(self) -> str:
        """What is before a transcript, in a few words; "" for nothing."""
        if not self.listed:
            return ""
        of = "" if len(self.phrases) == self.listed else f" of {self.listed:,}"
        return f", {len(self.phrases):,}{of} listed words before each transcript"

    def before(self, context: str) -> str:
        """The words, and behind them those of a row, which count most where not all fit."""
        return ", ".join([*self.phrases, *([context] if context else [])])


def read_context(path: str | None, prompts: Prompts) -> ListedContext:
    """Read a list of words for a decoder that text before the transcript conditions.

    Args:
        path: ``model.context_file``.
        prompts: Of the model.

    Raises:
        UserError: The model takes none, or the list cannot be read or has nothing for it.
    """
    if path is None:
        return ListedContext()
    if not prompts.takes_context:
        raise UserError(
            "Nothing before the transcript conditions this model's decoder on names and terms.",
            where=f"model.context_file={path}",
            fix="model.context_file=null",
        )
    english = not prompts.languages  # all but one language: an English-only checkpoint
    phrases = read_phrases(Path(path), written_as=str, writes=_latin if english else _is_text)
    phrases = list(dict.fromkeys(phrases))
    fitting = _that_fit(phrases, prompts)
    if len(fitting) < len(phrases):
        console.notice(
            f"Of the {len(phrases):,} words in {Path(path).name} the last {len(fitting):,} fit "
            f"before a transcript ({prompts.most_context} tokens): the others are left out."
        )
    return ListedContext(tuple(fitting), len(phrases))


def _that_fit(phrases: Sequence[str], prompts: Prompts) -> list[str]:
    """The last phrases that fit, in full, into what a decoder reads before a transcript."""
    fitting: list[str] = []
    for phrase in reversed(phrases):
        longer = [phrase, *fitting]
        if prompts.context_tokens(", ".join(longer)) > prompts.most_context:
            break
        fitting = longer
    return fitting


def _is_text(phrase: str) -> bool:
    return phrase.isprintable()


def _latin(phrase: str) -> bool:
    """Whether all letters are of the Latin script."""
    return phrase.isprintable() and all(
        unicodedata.name(letter, "").startswith("LATIN") for letter in phrase if letter.isalpha()
    )


def decoder_batch(
    prompts: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], end: int
) -> dict[str, torch.Tensor]:
    """What a decoder reads of a batch, and what it learns: the transcript, not what is before it.

    Args:
        prompts: The first tokens of each row, of any length.
        targets: The tokens behind them, the end included.
        end: Fills what is read behind the last one.

    Returns:
        ``decoder_input_ids`` [batch, tokens], and ``labels``, which begin where the shortest prompt
        ends: the logits of the last positions are theirs.
    """
    shortest = min(map(len, prompts))
    return {
        "decoder_input_ids": padded_labels(
            [[*prompt, *ids[:-1]] for prompt, ids in zip(prompts, targets, strict=True)], end
        ),
        "labels": padded_labels(
            [
                [*[IGNORED] * (len(prompt) - shortest), *ids]
                for prompt, ids in zip(prompts, targets, strict=True)
            ],
            IGNORED,
        ),
    }


def equally_long(rows: Sequence[int], before: Callable[[int], Sequence[int]]) -> list[list[int]]:
    """Rows in groups that have as many tokens before their transcripts."""
    groups: dict[int, list[int]] = {}
    for row in rows:
        groups.setdefault(len(before(row)), []).append(row)
    return list(groups.values())
