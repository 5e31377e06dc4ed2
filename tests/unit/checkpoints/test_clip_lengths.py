"""How long the clips of a training are, in what its checkpoints say of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mynah.checkpoints import clip_lengths
from mynah.checkpoints.clip_lengths import ClipLengths


def test_the_mean_and_what_99_of_100_are_no_longer_than():
    seconds = np.concatenate([np.arange(1.0, 200.0), [1000.0]])  # 1, 2, … 199 and a lecture
    assert ClipLengths.of(seconds) == ClipLengths(mean_seconds=104.5, longest_seconds=198.0)
    assert ClipLengths.of(np.array([3.0, 5.0])) == ClipLengths(4.0, 5.0)


def test_clips_of_which_nobody_knows_the_length_count_for_nothing():
    assert ClipLengths.of(np.array([0.0, 2.0, 0.0])) == ClipLengths(2.0, 2.0)
    assert ClipLengths.of(np.zeros(3)) is None and ClipLengths.of(np.zeros(0)) is None


@pytest.mark.parametrize("part", [1, 7, 1000])
def test_clips_looked_at_in_parts_are_those_that_were_sorted(monkeypatch, part):
    monkeypatch.setattr(clip_lengths, "_PART", part)
    draw = np.random.default_rng(0)
    for count in (1, 99, 100, 101, 250, 999):
        seconds = draw.gamma(2.0, 3.0, count) + 0.001
        unknown = np.insert(seconds, draw.integers(0, count, 20), 0.0)
        ordered = sorted(seconds.tolist(), reverse=True)
        expected = ClipLengths(round(sum(ordered) / count, 3), round(ordered[count // 100], 3))
        assert ClipLengths.of(unknown) == expected


def test_what_a_checkpoint_says_is_read_again():
    written = json.dumps({"step": 7, **ClipLengths(2.5, 6.125).as_recorded()})
    assert ClipLengths.read(json.loads(written)) == ClipLengths(2.5, 6.125)


@pytest.mark.parametrize(
    "clips",
    [None, [], "long", {}, {"mean_seconds": 2}, {"mean_seconds": "2", "longest_seconds": 3},
     {"mean_seconds": -1, "longest_seconds": 3}, {"mean_seconds": 4, "longest_seconds": 3},
     {"mean_seconds": float("nan"), "longest_seconds": 3},
     {"mean_seconds": 1, "longest_seconds": float("inf")}],
)  # fmt: skip
def test_a_checkpoint_of_before_or_a_damaged_one_says_nothing(clips):
    assert ClipLengths.read({} if clips is None else {"clips": clips}) is None
