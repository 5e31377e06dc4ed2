"""The alignment against a search through every path, and its promises on long input."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mynah.segmentation.aligning.alignment import BETWEEN_WORDS, INSIDE_WORD, FrameScores, align


def drawn_scores(seed: int, frames: int, labels: int = 3) -> FrameScores:
    draw = np.random.default_rng(seed)
    return FrameScores(
        *(
            draw.normal(-2.0, 2.0, size).astype(np.float32)
            for size in ((frames, labels), frames, frames)
        )
    )


def best_by_trying(scores: FrameScores, words: list[list[int]], skip_cost: float) -> float:
    """The best score over every set of words left out and every CTC path of the rest.

    Written from the definition: a path is a row of symbols, one a frame. Words left out only
    may be where a frame between words is, or before the first frame.
    """
    best = -np.inf
    for kept in itertools.product([True, False], repeat=len(words)):
        cost = sum(
            skip_cost * len(word) for word, is_kept in zip(words, kept, strict=True) if not is_kept
        )
        if not np.isfinite(cost):
            continue
        # (score column, must it be there, index of its word)
        symbols: list[tuple[str | int, bool]] = []
        gap_needed = False
        for word, is_kept in zip(words, kept, strict=True):
            if not is_kept:
                gap_needed = gap_needed or bool(symbols)
                continue
            symbols.append(("between", gap_needed))
            gap_needed = False
            for position, label in enumerate(word):
                if position:
                    symbols.append(("blank", label == word[position - 1]))
                symbols.append((label, True))
        symbols.append(("between", gap_needed or not symbols))
        for position in range(2, len(symbols) - 1):
            if (
                symbols[position][0] == "between"
                and symbols[position - 1][0] == symbols[position + 1][0]
            ):
                symbols[position] = ("between", True)
        best = max(best, _best_monotone(scores, symbols) - cost)
    return best


def _best_monotone(scores: FrameScores, symbols: list[tuple[str | int, bool]]) -> float:
    """Over all ways to give each symbol that is there at least one frame, in order."""
    frames = len(scores)
    best = -np.inf
    optional = [i for i, (_, needed) in enumerate(symbols) if not needed]
    for absent in itertools.chain.from_iterable(
        itertools.combinations(optional, k) for k in range(len(optional) + 1)
    ):
        there = [name for i, (name, _) in enumerate(symbols) if i not in absent]
        if not there or len(there) > frames:
            continue
        for cuts in itertools.combinations(range(1, frames), len(there) - 1):
            edges = [0, *cuts, frames]
            total = 0.0
            for name, first, last in zip(there, edges[:-1], edges[1:], strict=True):
                part = slice(first, last)
                if name == "between":
                    total += float(scores.between[part].sum(dtype=np.float64))
                elif name == "blank":
                    total += float(scores.blank[part].sum(dtype=np.float64))
                else:
                    total += float(scores.labels[part, name].sum(dtype=np.float64))
            best = max(best, total)
    return best


any_words = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=3), min_size=0, max_size=3)


@settings(max_examples=70, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 7),
    any_words,
    st.sampled_from([np.inf, 0.3, 2.0, 6.0]),
    st.sampled_from([1, 2, 3, 512]),
)
def test_no_path_is_better_than_the_one_found(seed, frames, words, skip_cost, block):
    scores = drawn_scores(seed, frames)
    found = align(scores, words, skip_cost=skip_cost, block=block)
    best = best_by_trying(scores, words, skip_cost)
    if found is None:
        assert best == -np.inf
    else:
        assert found.score == pytest.approx(best, abs=1e-4)


@settings(max_examples=70, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(5, 60),
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=4), min_size=1, max_size=8),
    st.sampled_from([np.inf, 0.3, 2.0, 6.0]),
    st.sampled_from([1, 4, 7, 512]),
)
def test_a_path_says_each_word_once_in_order_and_costs_what_it_says(
    seed, frames, words, skip_cost, block
):
    scores = drawn_scores(seed, frames)
    found = align(scores, words, skip_cost=skip_cost, block=block)
    if found is None:
        return
    written = list(itertools.chain.from_iterable(words))
    word_of = [number for number, word in enumerate(words) for _ in word]
    said = [label for label, _ in itertools.groupby(found.frames) if label >= 0]
    assert said == sorted(set(said))
    left_out = found.word_starts < 0
    assert said == [i for i, word in enumerate(word_of) if not left_out[word]]
    for number in range(len(words)):
        inside = found.frames[found.word_starts[number] : found.word_ends[number]]
        if not left_out[number]:
            assert word_of[inside[0]] == word_of[inside[-1]] == number
            assert BETWEEN_WORDS not in inside
    for before, after in itertools.pairwise(found.frames):
        if before >= 0 and after >= 0 and before != after:
            assert written[before] != written[after], "a repeat needs a frame in between"
        if before == BETWEEN_WORDS:
            assert after != INSIDE_WORD
    cost = sum(len(word) for word, out in zip(words, left_out, strict=True) if out)
    total = found.scores.sum(dtype=np.float64) - (skip_cost * cost if cost else 0.0)
    assert total == pytest.approx(found.score, abs=1e-3)


def test_the_way_back_is_the_same_however_few_frames_are_kept():
    scores = drawn_scores(3, 400)
    draw = np.random.default_rng(4)
    words = [list(draw.integers(0, 3, size=draw.integers(1, 5))) for _ in range(60)]
    for skip_cost in (np.inf, 1.0):
        paths = [align(scores, words, skip_cost=skip_cost, block=b) for b in (5, 64, 1000)]
        for path in paths[1:]:
            np.testing.assert_array_equal(path.frames, paths[0].frames)


def test_a_long_text_that_was_never_spoken_is_left_out_across_blocks():
    # Label 0 is said in the first frames, label 1 in the last, and label 2 never.
    scores = FrameScores(
        np.full((40, 3), -20.0, np.float32), np.zeros(40, np.float32), np.zeros(40, np.float32)
    )
    scores.labels[2, 0] = scores.labels[36, 1] = 0.0
    scores.blank[[2, 36]] = scores.between[[2, 36]] = -20.0
    words = [[0], *[[2, 2]] * 200, [1]]
    found = align(scores, words, skip_cost=0.01, block=4)
    assert found.word_starts[0] == 2
    assert found.word_starts[-1] == 36
    assert (found.word_starts[1:-1] == -1).all()


def test_too_few_frames_for_the_words_is_not_a_path():
    assert align(drawn_scores(0, 3), [[0, 1], [2, 0]]) is None
    assert align(drawn_scores(0, 2), [[0, 0]]) is None
    assert align(drawn_scores(0, 3), [[0, 0]]) is not None
