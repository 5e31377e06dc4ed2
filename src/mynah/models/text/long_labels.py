"""Transcripts that a tokenizer makes far longer than it makes what it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from mynah import console

# English text has about 1.3 tokens a word under the tokenizers of Whisper and of language models;
# scripts without spaces about one a character under those that know them.
_TOKENS_A_WORD = 1.3
_TOKENS_A_CHARACTER = 1.0
_LONGEST_WORDS = 12.0  # characters on average: where they are longer, spaces do not separate words
_TIMES_LONGER = 3.0
_TIMES_IN_CAPITALS = 1.2  # from where on capitals are words that a tokenizer does not know
_LOOKED_AT = 500  # transcripts


def say_if_long(labels: Callable[[str], Sequence[int]], texts: Sequence[str]) -> None:
    """Say where transcripts have three times the tokens that text of their length should have.

    Those in capitals alone are compared with themselves in lower case, too: a model that knows
    words as they are usually written has to learn each of them again.

    Args:
        labels: A transcript's token ids.
        texts: The transcripts.
    """
    looked_at = list(islice((text for text in texts if text.strip()), _LOOKED_AT))
    if not looked_at:
        return
    tokens = sum(len(labels(text)) for text in looked_at)
    words = sum(len(text.split()) for text in looked_at)
    characters = sum(not one.isspace() for text in looked_at for one in text)
    if characters > _LONGEST_WORDS * words:
        unit, normal, length = "character", _TOKENS_A_CHARACTER, characters
    else:
        unit, normal, length = "word", _TOKENS_A_WORD, words
    times = tokens / (normal * length)
    in_capitals = all(text == text.upper() != text.lower() for text in looked_at)
    if times >= _TIMES_LONGER:
        helps = (
            "data.text_case=lower writes them as it knows words"
            if in_capitals
            else "name a model that knows their language"
        )
        console.notice(
            f"The model's tokenizer makes {tokens / length:.1f} tokens of each {unit}, {times:.0f} "
            "times what is usual: it hardly knows how these transcripts are written, so that "
            f"learning and decoding take as much longer; {helps}."
        )
    elif in_capitals:
        _say_of_capitals(tokens, sum(len(labels(text.lower())) for text in looked_at))


def _say_of_capitals(tokens: int, in_lower_case: int) -> None:
    if tokens >= _TIMES_IN_CAPITALS * in_lower_case:
        console.notice(
            "The transcripts are in capitals alone, which the model's tokenizer makes "
            f"{tokens / in_lower_case:.1f} times the tokens of: it knows words in lower case, and "
            "would have to learn to write them; data.text_case=lower leaves it those that it knows."
        )
