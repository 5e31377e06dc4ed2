"""The batch plan: every row once, within the budget, from arithmetic alone."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mynah.data.batches import BatchPlan

lengths = st.lists(st.floats(0.0, 40.0), min_size=1, max_size=120)
limits = st.one_of(
    st.tuples(st.floats(0.5, 120.0), st.none()),
    st.tuples(st.none(), st.integers(1, 17)),
    st.tuples(st.floats(0.5, 120.0), st.integers(1, 17)),
)


def epoch_of(plan: BatchPlan, epoch: int, world_size: int) -> list[list[tuple[int, float]]]:
    return [
        plan.batch(epoch, index, rank)
        for index in range(plan.batches_per_epoch)
        for rank in range(world_size)
    ]


@hypothesis_settings(max_examples=60, deadline=None)
@given(lengths, limits, st.integers(1, 5), st.integers(0, 3), st.integers(0, 9))
def test_every_row_comes_exactly_once_an_epoch(durations, limit, world_size, epoch, seed):
    plan = BatchPlan(
        durations, seed=seed, batch_seconds=limit[0], batch_size=limit[1], world_size=world_size
    )
    weights = np.zeros(len(durations))
    for batch in epoch_of(plan, epoch, world_size):
        assert batch
        for row, weight in batch:
            weights[row] += weight
    assert (weights == 1.0).all()


@hypothesis_settings(max_examples=60, deadline=None)
@given(lengths, limits, st.integers(1, 4))
def test_no_batch_is_larger_than_its_limits_but_for_one_long_row(durations, limit, world_size):
    plan = BatchPlan(
        durations, seed=1, batch_seconds=limit[0], batch_size=limit[1], world_size=world_size
    )
    for batch in epoch_of(plan, 0, world_size):
        longest = max(durations[row] for row, _ in batch)
        if limit[0] is not None and len(batch) > 1:
            assert len(batch) * longest <= limit[0]
        if limit[1] is not None:
            assert len(batch) <= limit[1]


def test_a_batch_is_a_function_of_its_position_whatever_was_asked_before():
    durations = np.random.default_rng(0).uniform(1, 15, 500)
    make = lambda: BatchPlan(durations, seed=7, batch_seconds=60, batch_size=None)  # noqa: E731
    walked = make()
    forward = [walked.batch(epoch, index) for epoch in (0, 1) for index in range(20)]
    jumping = make()
    jumping.batch(1, 5)
    again = [jumping.batch(epoch, index) for epoch in (1, 0) for index in reversed(range(20))]
    assert forward == [*reversed(again[20:]), *reversed(again[:20])]
    assert pickle.loads(pickle.dumps(jumping)).batch(3, 2) == make().batch(3, 2)


@pytest.mark.parametrize(("ranks", "processes"), [(2, 1), (4, 2), (6, 3), (6, 1)])
def test_fewer_processes_than_ranks_have_the_batches_of_all_ranks_for_a_step(ranks, processes):
    seconds = np.random.default_rng(3).uniform(1, 20, 200)
    settings = {"seed": 5, "batch_seconds": 60.0, "batch_size": None, "world_size": ranks}
    plan = BatchPlan(seconds, **settings)
    dealt = BatchPlan(seconds, **settings, processes=processes)
    turns = ranks // processes
    assert dealt.batches_per_epoch == plan.batches_per_epoch * turns
    for epoch in (0, 1):
        for step in range(plan.batches_per_epoch):
            expected = [plan.batch(epoch, step, rank) for rank in range(ranks)]
            found = [
                dealt.batch(epoch, step * turns + turn, process)
                for turn in range(turns)
                for process in range(processes)
            ]
            assert found == expected
    with pytest.raises(IndexError):
        dealt.batch(0, 0, processes)


def test_ranks_that_cannot_be_dealt_evenly_are_refused():
    with pytest.raises(ValueError, match="multiple of the processes"):
        BatchPlan([1.0] * 9, seed=0, batch_seconds=9.0, batch_size=None, world_size=3, processes=2)


def test_another_seed_and_another_epoch_give_another_order():
    durations = np.random.default_rng(0).uniform(1, 15, 500)
    plan = BatchPlan(durations, seed=7, batch_seconds=60, batch_size=None)
    other = BatchPlan(durations, seed=8, batch_seconds=60, batch_size=None)
    assert epoch_of(plan, 0, 1) != epoch_of(plan, 1, 1)
    assert epoch_of(plan, 0, 1) != epoch_of(other, 0, 1)


def like_librispeech(rows: int) -> np.ndarray:
    """Seconds: most of the utterances near 14, a tail down to 1.3, a few up to 24."""
    draw = np.random.default_rng(0)
    near = draw.normal(14.3, 1.2, rows)
    return np.clip(np.where(draw.random(rows) < 0.75, near, draw.uniform(1.5, 16, rows)), 1.3, 24)


@pytest.mark.parametrize("world_size", [1, 4])
def test_little_is_padded_and_few_batches_come_again(world_size):
    durations = like_librispeech(10_000)
    plan = BatchPlan(durations, seed=1, batch_seconds=60, batch_size=None, world_size=world_size)
    first, second = (
        {frozenset(row for row, _ in batch) for batch in epoch_of(plan, epoch, world_size)}
        for epoch in (0, 1)
    )
    assert plan.padding_fraction(0) < 0.03
    assert len(first & second) < 0.05 * len(first)


def test_the_padding_fraction_is_that_of_the_batches():
    durations = like_librispeech(700)
    plan = BatchPlan(durations, seed=1, batch_seconds=60, batch_size=None, world_size=2)
    padded = sum(
        len(batch) * max(durations[row] for row, _ in batch) for batch in epoch_of(plan, 3, 2)
    )
    assert plan.padding_fraction(3) == pytest.approx(1 - durations.sum() / padded)


def test_a_step_and_the_length_of_its_rows_are_uncorrelated():
    durations = like_librispeech(10_000)
    plan = BatchPlan(durations, seed=1, batch_seconds=60, batch_size=None)
    means = [np.mean([durations[row] for row, _ in batch]) for batch in epoch_of(plan, 0, 1)]
    assert abs(np.corrcoef(np.arange(len(means)), means)[0, 1]) < 0.06


def test_the_ranks_of_a_step_get_batches_of_nearly_the_same_length():
    durations = like_librispeech(10_000)
    plan = BatchPlan(durations, seed=1, batch_seconds=60, batch_size=None, world_size=4)
    for index in range(plan.batches_per_epoch):
        padded = [
            len(batch) * max(durations[row] for row, _ in batch)
            for batch in (plan.batch(0, index, rank) for rank in range(4))
        ]
        if min(padded) < 0.6 * max(padded):
            # Only the two ends of the lengths, where there are few rows of any length
            assert max(padded) <= 60


def test_more_ranks_than_rows_are_filled_with_weightless_rows():
    plan = BatchPlan([1.0, 2.0], seed=0, batch_seconds=None, batch_size=1, world_size=3)
    batches = epoch_of(plan, 0, 3)
    assert sorted(weight for batch in batches for _, weight in batch) == [0.0, 1.0, 1.0]


def test_a_million_rows_are_planned_without_a_loop_over_them():
    durations = np.random.default_rng(0).uniform(1, 20, 1_000_000)
    plan = BatchPlan(durations, seed=0, batch_seconds=600, batch_size=None, world_size=8)
    assert len(plan._buckets) < 300
    assert 20 <= len(plan.batch(0, plan.batches_per_epoch - 1, 7)) <= 600


@pytest.mark.parametrize(
    "wrong",
    [
        {"durations_seconds": []},
        {"durations_seconds": [1.0, float("nan")]},
        {"durations_seconds": [-1.0]},
        {"batch_seconds": None},
        {"batch_size": 0},
        {"world_size": 0},
    ],
)
def test_a_plan_of_nonsense_is_refused(wrong):
    right = {"durations_seconds": [1.0], "seed": 0, "batch_seconds": 9.0, "batch_size": None}
    with pytest.raises(ValueError):
        BatchPlan(**{**right, **wrong})


def test_a_batch_that_is_not_there_is_an_index_error():
    plan = BatchPlan([1.0], seed=0, batch_seconds=9.0, batch_size=None)
    with pytest.raises(IndexError):
        plan.batch(0, 1)
    with pytest.raises(IndexError):
        plan.batch(0, 0, rank=1)
