"""Texts in which a model repeats itself: found, and cut to what is said once."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from mynah.models.text.units import unit_spans

_LONGEST_WORDS = 12  # of what is repeated
_LONGEST_UNITS = 40  # the same where some of them are characters
_LEAST_TIMES = 4  # that a phrase stands behind itself: people say a word three times
_LEAST_PART = 0.5  # of the text that repetitions make up
_COMPRESSION = 2.4  # openai/whisper, transcribe.py: text that compresses better is a loop
_LEAST_CHARACTERS = 60  # a short text says nothing by how it compresses


def is_loop(text: str) -> bool:
    """Whether a text is a loop: most of it one phrase over and over."""
    words = text.split()
    found = _longest_loop(words)
    if found is not None:
        _, size, times = found
        covered = size * times
        if covered >= _LEAST_PART * len(words) and covered - size >= _LEAST_TIMES - 1:
            return True
    content = text.encode()
    if len(content) < _LEAST_CHARACTERS:
        return _repeated_characters(text)
    return len(content) / len(zlib.compress(content)) > _COMPRESSION


def cut_loops(text: str) -> str:
    """The text with each phrase that stands four times or more behind itself kept once."""
    spans = unit_spans(text)
    words = [text[start:end] for start, end in spans]
    before = zip([0, *(end for _, end in spans)], spans, strict=False)
    spaces = ["" if end == start else " " for end, (start, _) in before]
    longest = _LONGEST_WORDS if len(words) == len(text.split()) else _LONGEST_UNITS
    while (found := _longest_loop(words, longest)) is not None:
        start, size, times = found
        del words[start + size : start + size * times]
        del spaces[start + size : start + size * times]
    return "".join(space + word for space, word in zip(spaces, words, strict=True)).strip()


def _longest_loop(
    words: Sequence[str], longest: int = _LONGEST_WORDS
) -> tuple[int, int, int] | None:
    """The repetition that covers most words: where it begins, words of the phrase, how often."""
    plain = [word.casefold().strip(".,;:!?-。，、；：！？") for word in words]
    best: tuple[int, int, int] | None = None
    for size in range(1, min(longest, len(plain) // _LEAST_TIMES) + 1):
        run = 0
        for at in range(size, len(plain) + 1):
            if at < len(plain) and plain[at] == plain[at - size]:
                run += 1
                continue
            times = run // size + 1
            if times >= _LEAST_TIMES and (best is None or size * times > best[1] * best[2]):
                best = at - run - size, size, times
            run = 0
    return best


def _repeated_characters(text: str) -> bool:
    """Whether a text without spaces is one syllable over and over, as ``hahahahahaha``."""
    plain = "".join(text.split())
    if len(plain) < 16:
        return False
    return any(plain[size:] == plain[:-size] for size in range(1, 5))
