"""Where the words of two pieces that overlap are joined; the right seams are seen by eye."""

from __future__ import annotations

import pytest

from mynah.inference.joining import seam


@pytest.mark.parametrize(
    ("before", "after", "joined"),
    [
        ("a b c d e f", "e f g h i j", "a b c d e f g h i j"),
        ("one two three four fi", "our five six seven eight", "one two three four five six seven"),
        ("I said: Hello, world", "hello world and more of it", "I said: Hello, world and more"),
        # The word that the window cut is wrong in the first alone.
        ("x y the quick brown fo", "quick brown fox jumps over", "x y the quick brown fox jumps"),
    ],
)
def test_shared_words_are_written_once(before, after, joined):
    left, right = before.split(), after.split()
    kept, first = seam(left, right, shared_before=0.4, shared_after=0.4)
    assert " ".join([*left[:kept], *right[first:]]).startswith(joined)


def test_without_a_shared_word_each_side_gives_half_of_the_overlap():
    left, right = list("abcdefghij"), list("1234567890")
    assert seam(left, right, shared_before=0.4, shared_after=0.2) == (8, 1)


@pytest.mark.parametrize(("left", "right"), [([], []), (["a"], []), ([], ["a"])])
def test_a_piece_without_words_costs_nothing(left, right):
    kept, first = seam(left, right, shared_before=0.0, shared_after=0.0)
    assert [*left[:kept], *right[first:]] == [*left, *right]
