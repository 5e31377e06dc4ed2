"""Rows sampled more or less than once an epoch: how often, exactly, and never twice in a batch."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mynah.data.batches import BatchPlan, sampled_counts

often = st.one_of(st.sampled_from([0.0, 0.1, 0.5, 1.0, 7.3]), st.floats(0.0, 9.0))
rows = st.lists(st.tuples(st.floats(0.0, 40.0), often), min_size=1, max_size=60)
some_rows = rows.filter(lambda pairs: any(repeats > 1e-3 for _, repeats in pairs))
UNIT = 1 << 32


def counts_of(plan: BatchPlan, epoch: int, rows: int) -> np.ndarray:
    """How often each row comes in an epoch; the batches of every rank are looked at."""
    counts = np.zeros(rows)
    for index in range(plan.batches_per_epoch):
        for rank in range(plan.world_size):
            batch = plan.batch(epoch, index, rank)
            assert batch
            for row, weight in batch:
                counts[row] += weight
    return counts


@hypothesis_settings(max_examples=60, deadline=None)
@given(some_rows, st.integers(1, 5), st.integers(0, 9), st.integers(0, 5))
def test_in_every_epoch_a_row_comes_as_often_as_its_repeats_rounded_down_or_up(
    pairs, world_size, seed, epoch
):
    durations, repeats = map(np.asarray, zip(*pairs, strict=True))
    plan = BatchPlan(
        durations, seed=seed, batch_seconds=30.0, batch_size=7, world_size=world_size,
        repeats=repeats,
    )  # fmt: skip
    counts = counts_of(plan, epoch, len(pairs))
    near = np.rint(repeats * UNIT) / UNIT  # what repeats are kept as
    assert (np.floor(near) <= counts).all() and (counts <= np.ceil(near)).all()


@hypothesis_settings(max_examples=25, deadline=None)
@given(some_rows, st.integers(0, 9))
def test_over_many_epochs_a_row_comes_as_often_as_its_repeats(pairs, seed):
    durations, repeats = map(np.asarray, zip(*pairs, strict=True))
    plan = BatchPlan(durations, seed=seed, batch_seconds=60.0, batch_size=None, repeats=repeats)
    epochs = 60
    total = sum(counts_of(plan, epoch, len(pairs)) for epoch in range(epochs))
    assert np.abs(total - epochs * repeats).max() < 4


@hypothesis_settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 5 * UNIT), min_size=1, max_size=30), st.integers(0, 99))
def test_the_draw_is_that_of_a_comb_laid_over_the_rows(repeats, epoch):
    found = sampled_counts(np.asarray(repeats, dtype=np.int64), seed=4, epoch=epoch)
    first = int(np.random.default_rng([4, 1]).integers(UNIT))
    shift = Fraction((first + epoch * 0x9E3779B9) % UNIT, UNIT)
    # Brute force: teeth at 1 - shift, 2 - shift, ...; a row has those in (start, start + width].
    start = Fraction(0)
    for width, count in zip(repeats, found, strict=True):
        end = start + Fraction(width, UNIT)
        teeth = 0
        tooth = 1 - shift
        while tooth <= end:
            teeth += tooth > start
            tooth += 1
        assert count == teeth
        start = end


def test_rows_that_are_never_repeated_are_in_no_batch_not_even_to_fill_it():
    plan = BatchPlan(
        [1.0, 2.0, 3.0], seed=0, batch_seconds=9.0, batch_size=None, world_size=4,
        repeats=[0.0, 0.4, 0.0],
    )  # fmt: skip
    seen = {
        row
        for epoch in range(20)
        for rank in range(4)
        for index in range(plan.batches_per_epoch)
        for row, _ in plan.batch(epoch, index, rank)
    }
    assert seen == {1}


def test_repeats_of_one_are_not_repeats():
    durations = np.random.default_rng(0).uniform(1, 15, 300)
    plain = BatchPlan(durations, seed=3, batch_seconds=60, batch_size=None)
    ones = BatchPlan(durations, seed=3, batch_seconds=60, batch_size=None, repeats=np.ones(300))
    for index in range(plain.batches_per_epoch):
        assert plain.batch(2, index) == ones.batch(2, index)


def test_every_epoch_has_the_same_steps_and_batches_within_the_budget():
    draw = np.random.default_rng(0)
    durations = draw.uniform(1, 15, 2000)
    repeats = np.where(draw.random(2000) < 0.1, 7.3, 0.1)
    plan = BatchPlan(
        durations, seed=3, batch_seconds=60, batch_size=None, world_size=3, repeats=repeats
    )
    for epoch in range(5):
        for index in range(plan.batches_per_epoch):
            for rank in range(3):
                batch = plan.batch(epoch, index, rank)
                longest = max(durations[row] for row, _ in batch)
                assert len(batch) == 1 or len(batch) * longest <= 60
    assert plan.rows_per_epoch == pytest.approx(repeats.sum())


def test_the_copies_of_a_row_meet_in_hardly_any_batch():
    durations = np.random.default_rng(0).uniform(10, 15, 3000)
    repeats = np.full(3000, 3.0)
    plan = BatchPlan(durations, seed=3, batch_seconds=120, batch_size=None, repeats=repeats)
    batches = [plan.batch(0, index) for index in range(plan.batches_per_epoch)]
    doubled = sum(len({row for row, _ in batch}) < len(batch) for batch in batches)
    assert doubled < 0.05 * len(batches)


def test_a_rare_row_comes_in_epochs_that_are_spread_out():
    durations = np.full(100, 5.0)
    plan = BatchPlan(
        durations, seed=0, batch_seconds=60, batch_size=None, repeats=np.full(100, 0.1)
    )
    epochs = [counts_of(plan, epoch, 100) for epoch in range(60)]
    gaps = np.diff(np.flatnonzero([counts[42] for counts in epochs]))
    assert gaps.min() >= 5 and gaps.max() <= 13  # the golden ratio's: 5, 8 or 13


def test_padding_and_the_return_of_batches_stay_low_with_repeats():
    draw = np.random.default_rng(0)
    durations = np.clip(draw.normal(8, 3, 8000), 1, 20)
    repeats = np.where(draw.random(8000) < 0.2, 2.5, 0.6)
    plan = BatchPlan(durations, seed=1, batch_seconds=60, batch_size=None, repeats=repeats)
    first, second = (
        {
            frozenset(row for row, _ in plan.batch(epoch, index))
            for index in range(plan.batches_per_epoch)
        }
        for epoch in (0, 1)
    )
    assert plan.padding_fraction(0) < 0.03
    assert len(first & second) < 0.05 * len(first)


@pytest.mark.parametrize(
    "wrong",
    [[1.0], [1.0, -1.0], [1.0, float("nan")], [0.0, 0.0], [2.0**30, 2.0**30]],
)
def test_repeats_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError):
        BatchPlan([1.0, 2.0], seed=0, batch_seconds=9.0, batch_size=None, repeats=wrong)


def test_the_copies_of_a_row_in_an_epoch_are_numbered_without_a_gap():
    durations = np.random.default_rng(0).uniform(1, 15, 200)
    repeats = np.random.default_rng(1).choice([0.1, 1.0, 7.3], 200)
    plan = BatchPlan(
        durations, seed=3, batch_seconds=60, batch_size=None, world_size=2, repeats=repeats
    )
    for epoch in range(3):
        numbers: dict[int, list[int]] = {}
        for index in range(plan.batches_per_epoch):
            for rank in range(2):
                batch, copies = plan.batch(epoch, index, rank), plan.copies(epoch, index, rank)
                for (row, weight), copy in zip(batch, copies, strict=True):
                    if weight:
                        numbers.setdefault(row, []).append(copy)
        assert all(sorted(found) == list(range(len(found))) for found in numbers.values())
        assert max(map(len, numbers.values())) == 8


def test_without_repeats_every_row_is_its_only_copy():
    plan = BatchPlan([3.0] * 10, seed=3, batch_seconds=6, batch_size=None, world_size=4)
    for index in range(plan.batches_per_epoch):
        for rank in range(4):
            assert plan.copies(0, index, rank) == [0] * len(plan.batch(0, index, rank))
