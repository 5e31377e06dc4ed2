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
_LOOKED_AT = 500  # transcripts


def say_if_long(labels: Callable[[str], Sequence[int]], texts: Sequence[str]) -> None:
    """Say where transcripts have three times the tokens that text of their length should have.

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
    if times < _TIMES_LONGER:
        return
    upper = all(text == text.upper() != text.lower() for text in looked_at)
    helps = (
        "data.text_case=lower writes them as it knows words"
        if upper
        else "name a model that knows their language"
    )
    console.notice(
        f"The model's tokenizer makes {tokens / length:.1f} tokens of each {unit}, {times:.0f} "
        "times what is usual: it hardly knows how these transcripts are written, so that learning "
        f"and decoding take as much longer; {helps}."
    )
