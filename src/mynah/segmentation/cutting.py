"""Where to cut: between two words, where nothing is said, so that utterances have a good length.

Which of the possible cuts are made is the cheapest way from the first word to the last, found
exactly (dynamic programming over the possible cuts).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

# A cut costs one; a pause of this length, or the end of a sentence, pays for it.
_WORTH_A_CUT_SECONDS = 0.5
_SENTENCE_WORTH = 1.0
_LONGEST_PAUSE_COUNTED = 2.0  # seconds
_TOO_SHORT = 3.0  # what an utterance below the least length costs
_TOO_LONG = 100.0
# What an utterance costs that will be rejected: little text should be lost with bad text.
_BAD = 1.0
_BAD_SECOND = 0.5


@dataclass(frozen=True)
class Cut:
    """A place before a word where utterances may end and begin.

    Attributes:
        end_before: Where an utterance ends that ends here, in seconds.
        start_after: Where an utterance begins that begins here, in seconds.
        pause_seconds: How long nothing is said here.
        ends_sentence: Whether a sentence ends before it.
    """

    end_before: float
    start_after: float
    pause_seconds: float = 0.0
    ends_sentence: bool = False


@dataclass(frozen=True)
class Lengths:
    """What lengths utterances may have, in seconds."""

    least_seconds: float = 1.0
    most_seconds: float = 20.0


def choose_cuts(
    cuts: Sequence[Cut | None],
    lengths: Lengths,
    is_bad: Callable[[int, int], bool],
    turns: Collection[int] = (),
) -> list[tuple[int, int]]:
    """The utterances, as the first word of each and the one after its last.

    Args:
        cuts: Before each word, and after the last, the place to cut, or None where there is
            none; the first and the last are always there.
        lengths: The lengths wished for. An utterance longer than the most is made only where
            nothing in it can be cut.
        is_bad: Whether the words from the first number to before the second would be
            rejected for what is in them.
        turns: Places that no utterance spans; each has a cut.
    """
    places = [number for number, cut in enumerate(cuts) if cut is not None]
    best = [0.0] + [math.inf] * (len(places) - 1)
    came_from = [0] * len(places)
    for right in range(1, len(places)):
        for left in range(right - 1, -1, -1):
            seconds = utterance_seconds(cuts, places[left], places[right])
            is_long = seconds > lengths.most_seconds
            if is_long and left < right - 1:
                break  # utterances that begin earlier are longer still
            cost = best[left] + _place_cost(cuts[places[right]])
            if is_long:
                cost += _TOO_LONG
            if is_bad(places[left], places[right]):
                cost += _BAD + _BAD_SECOND * seconds
            elif seconds < lengths.least_seconds:
                cost += _TOO_SHORT
            if cost < best[right]:
                best[right], came_from[right] = cost, left
            if places[left] in turns:
                break
    utterances = []
    right = len(places) - 1
    while right > 0:
        left = came_from[right]
        utterances.append((places[left], places[right]))
        right = left
    return utterances[::-1]


def utterance_seconds(cuts: Sequence[Cut | None], first: int, last: int) -> float:
    """How long an utterance from one place to a later one is."""
    begin, end = cuts[first], cuts[last]
    assert begin is not None
    assert end is not None
    return max(0.0, end.end_before - begin.start_after)


def _place_cost(cut: Cut | None) -> float:
    assert cut is not None
    pause = min(cut.pause_seconds, _LONGEST_PAUSE_COUNTED) / _WORTH_A_CUT_SECONDS
    return 1.0 - pause - (_SENTENCE_WORTH if cut.ends_sentence else 0.0)
