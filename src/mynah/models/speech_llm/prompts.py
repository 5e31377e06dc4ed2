"""What a language model is prompted with, and how it says that a transcript has ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mynah import console
from mynah.errors import UserError
from mynah.models.patches.chat_templates import try_templates
from mynah.models.pretrained import hub
from mynah.models.pretrained.part import PretrainedPart

_PLACE = "<|audio|>"  # where the audio goes in a prompt before it is cut there; never a token
_SAID = "<|said|>"  # where an answer stands in a chat, likewise
TRANSCRIPT_END = (
    "<|end_of_transcript|>"  # what ends a text where the tokenizer has nothing that does
)


def load_tokenizer(part: PretrainedPart) -> Any:
    """The tokenizer of a language model.

    Raises:
        UserError: It has none.
    """
    from transformers import AutoTokenizer

    try:
        return hub.from_pretrained(AutoTokenizer, part)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{part.name} has no tokenizer: {str(error).splitlines()[0]}",
            where=part.setting,
            fix="Name a language model with its tokenizer.",
        ) from None


def add_tokens(tokenizer: Any, wanted: Sequence[str]) -> None:
    """Add tokens that a tokenizer does not have, and one that ends a text where none does.

    Args:
        tokenizer: Changed in place.
        wanted: Words that are to be one token each, as ``<laughter>``; they stay in transcripts.

    Raises:
        UserError: A wanted token is empty.
    """
    from tokenizers import AddedToken

    if any(not token.strip() for token in wanted):
        raise UserError("A new token has no letters.", where="model.new_tokens")
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in wanted])
    if end_of_text(tokenizer) is None:
        tokenizer.add_special_tokens({"eos_token": TRANSCRIPT_END})
        console.notice(
            f"The language model's tokenizer has no token that ends a text: {TRANSCRIPT_END} is "
            "added, and its embedding is learned."
        )


def end_of_text(tokenizer: Any) -> int | None:
    """The token that ends a transcript: of an assistant's turn, or of any text; None: there is
    none."""
    if tokenizer.chat_template:
        try_templates()
        chat = tokenizer.apply_chat_template(
            [{"role": "user", "content": _PLACE}, {"role": "assistant", "content": _SAID}],
            tokenize=False,
        )
        ends = _ids(tokenizer, chat.partition(_SAID)[2].lstrip())
        # Not every tokenizer names the end of a turn among its special tokens.
        marks = {one for one, token in tokenizer.added_tokens_decoder.items() if token.special}
        if ends and ends[0] in marks.union(tokenizer.all_special_ids):
            return ends[0]
    return tokenizer.eos_token_id


def prompt_ids(tokenizer: Any, prompt: str) -> tuple[list[int], list[int]]:
    """Token ids before the audio and after it, up to where the transcript begins.

    With a chat template the user's turn is the audio and the instruction; a base model
    gets the audio, the instruction on a line of its own, and the transcript on the next.
    """
    if tokenizer.chat_template:
        try_templates()
        chat = tokenizer.apply_chat_template(
            [{"role": "user", "content": _PLACE + prompt}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,  # of templates that know it: no reasoning before the words
        )
        before, _, after = chat.partition(_PLACE)
        return _ids(tokenizer, before), _ids(tokenizer, after)
    start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    return start, _ids(tokenizer, f"\n{prompt}\n")


def _ids(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
