"""What transcribers write between the words: ``<noise>``, ``[laughter]``, ``<|0.00|>``.

They are not speech, and never control tokens of a model. ``data.annotations`` takes them out of
training transcripts and references alike; what is left is counted and named.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from mynah.config.annotations import is_bracketed

# What is taken for an annotation where it is looked for, by the pattern that takes it out.
USUAL = ("<*>", "[*]", "{*}")
SIGNS = r"[<\[{]"  # one of them is in every usual annotation, as RE2 writes it


@lru_cache(maxsize=64)
def expression(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """All patterns as one expression.

    Args:
        patterns: As ``"[*]"``, ``"<noise>"`` or ``"%*"``. A ``*`` stands for any characters:
            inside brackets for all but those brackets, elsewhere for all but spaces.
            ``"usual"`` stands for :data:`USUAL`. The case does not matter.
    """
    plain = [one for name in patterns for one in (USUAL if name == "usual" else (name,))]
    ways = "|".join(map(_one, sorted(plain, key=len, reverse=True)))
    return re.compile(ways, re.IGNORECASE)


def _one(pattern: str) -> str:
    bracketed = is_bracketed(pattern)
    inside = f"[^{re.escape(pattern[0] + pattern[-1])}]*" if bracketed else r"\S*"
    made = inside.join(re.escape(part) for part in pattern.split("*"))
    # Without brackets it is a word of its own: "%*" takes out %uh, and leaves 5%.
    return made if bracketed else rf"(?<!\S){made}(?!\S)"


def found_in(texts: Iterable[str], *, without: tuple[str, ...] = ()) -> Counter[str]:
    """How often each annotation of a usual kind occurs, in lower case.

    Args:
        texts: Transcripts.
        without: Patterns of those that are taken out.
    """
    usual = expression(USUAL)
    counts: Counter[str] = Counter()
    for text in texts:
        left = expression(without).sub(" ", text) if without else text
        counts.update(match.lower() for match in usual.findall(left))
    return counts
