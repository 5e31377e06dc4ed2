"""The texts of pieces to the text of a recording: where two overlap, by the words they share.

Words are the units of a text: in a script without spaces each is a character.
"""

from __future__ import annotations

import difflib
import itertools
import unicodedata
from collections.abc import Sequence

from mynah.inference.transcription import Segment
from mynah.models.text.units import joined_texts, space_between

_LEAST_SHARED = 0.3  # of the words of an overlap that have to be the same to join there
_SLACK_WORDS = 3


def seam(
    before: Sequence[str],
    after: Sequence[str],
    *,
    shared_before: float,
    shared_after: float,
) -> tuple[int, int]:
    """Where to go from the words of one piece to those of the next that begins inside it.

    Args:
        before: Words of the first piece.
        after: Words of the second.
        shared_before: Part of the first piece's time that the second has too, 0 to 1.
        shared_after: Part of the second's.

    Returns:
        How many words of the first are kept, and the first word of the second that is.
    """
    tail = min(len(before), round(shared_before * len(before)) + _SLACK_WORDS)
    head = min(len(after), round(shared_after * len(after)) + _SLACK_WORDS)
    left = [_plain(word) for word in before[len(before) - tail :]]
    right = [_plain(word) for word in after[:head]]
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    match = matcher.find_longest_match()
    expected = max(1.0, _LEAST_SHARED * min(tail, head))
    if match.size < expected:
        # Nothing in common: the end of the first was cut, and so was the beginning of the second.
        return len(before) - round(shared_before * len(before) / 2), round(
            shared_after * len(after) / 2
        )
    middle = match.size // 2
    return len(before) - tail + match.a + middle, match.b + middle


def joined_segments(segments: Sequence[Segment]) -> str:
    """The text of segments behind one another."""
    return joined_texts(
        (one.text for one in segments),
        continued=[_is_continued(*pair) for pair in itertools.pairwise(segments)],
    )


def segment_space(before: Segment, after: Segment) -> str:
    """What stands between two segments in their text: a space or nothing. Neither is empty."""
    return space_between(before.text, after.text, continued=_is_continued(before, after))


def _is_continued(before: Segment, after: Segment) -> bool:
    """Whether a segment begins where the one before it was cut."""
    return before.channel == after.channel and before.end_seconds == after.start_seconds


def _plain(word: str) -> str:
    """A word as it is compared: without case and punctuation."""
    folded = "".join(
        one for one in word.casefold() if not unicodedata.category(one).startswith("P")
    )
    return folded or word
