"""What batches cost: transcripts that count, the costliest batch, padding on real durations."""

import csv

import numpy as np
import pytest
import soundfile
from data_helpers import real_corpus
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mynah.data.batches import CHARACTERS_A_SECOND, BatchPlan

rows = st.lists(st.tuples(st.floats(0.0, 40.0), st.integers(0, 900)), min_size=1, max_size=80)


def batches_of(plan: BatchPlan, epoch: int) -> list[list[int]]:
    return [
        [row for row, _ in plan.batch(epoch, index, rank)]
        for index in range(plan.batches_per_epoch)
        for rank in range(plan.world_size)
    ]


@hypothesis_settings(max_examples=60, deadline=None)
@given(rows, st.floats(1.0, 120.0), st.integers(1, 3))
def test_neither_the_audio_nor_the_text_of_a_batch_exceeds_the_budget(pairs, budget, world_size):
    durations, characters = map(np.asarray, zip(*pairs, strict=True))
    plan = BatchPlan(
        durations, seed=0, batch_seconds=budget, batch_size=None, world_size=world_size,
        text_lengths=characters,
    )  # fmt: skip
    for batch in batches_of(plan, 1):
        if len(batch) > 1:
            assert len(batch) * durations[batch].max() <= budget
            assert len(batch) * characters[batch].max() <= budget * CHARACTERS_A_SECOND


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    rows,
    st.one_of(st.tuples(st.floats(1.0, 90.0), st.none()), st.tuples(st.none(), st.integers(1, 9))),
    st.integers(1, 3),
    st.booleans(),
)
def test_no_batch_of_any_epoch_is_larger_than_the_costliest(pairs, limit, world_size, repeated):
    durations, characters = map(np.asarray, zip(*pairs, strict=True))
    plan = BatchPlan(
        durations, seed=0, batch_seconds=limit[0], batch_size=limit[1], world_size=world_size,
        text_lengths=characters, repeats=np.full(len(pairs), 2.3) if repeated else None,
    )  # fmt: skip
    costliest = plan.costliest_batches()
    most_seconds = len(costliest[0]) * durations[costliest[0]].max()
    most_characters = len(costliest[-1]) * characters[costliest[-1]].max()
    for epoch in range(4):
        for batch in batches_of(plan, epoch):
            assert len(batch) * durations[batch].max() <= most_seconds * (1 + 1e-6) + 1e-6
            assert len(batch) * characters[batch].max() <= most_characters


def test_the_costliest_batch_is_one_that_a_training_meets():
    durations = np.random.default_rng(0).uniform(1, 20, 400)
    plan = BatchPlan(durations, seed=0, batch_seconds=60, batch_size=None)
    (costliest,) = plan.costliest_batches()
    most = max(
        len(batch) * durations[batch].max()
        for epoch in range(10)
        for batch in batches_of(plan, epoch)
    )
    assert len(costliest) * durations[costliest].max() == pytest.approx(most)


def test_normal_speech_is_planned_as_if_its_transcripts_did_not_count():
    draw = np.random.default_rng(0)
    durations = draw.uniform(1, 20, 500)
    characters = (durations * draw.uniform(5, 25, 500)).astype(int)
    counted = BatchPlan(
        durations, seed=0, batch_seconds=60, batch_size=None, text_lengths=characters
    )
    plain = BatchPlan(durations, seed=0, batch_seconds=60, batch_size=None)
    assert batches_of(counted, 3) == batches_of(plain, 3)


def test_dense_transcripts_make_smaller_batches():
    durations = np.full(200, 2.0)
    characters = np.where(np.arange(200) < 100, 30, 600)
    plan = BatchPlan(durations, seed=0, batch_seconds=60, batch_size=None, text_lengths=characters)
    sizes = {int(characters[batch[0]]): len(batch) for batch in batches_of(plan, 0)}
    assert sizes == {30: 25, 600: 3}  # 100 rows in 4 batches of 30 places; 600 / 30 = 20 seconds
    unweighed = BatchPlan(
        durations, seed=0, batch_seconds=60, batch_size=None, text_lengths=characters,
        characters_a_second=None,
    )  # fmt: skip
    assert min(map(len, batches_of(unweighed, 0))) > 25


def test_a_typical_batch_has_the_median_size_of_the_batches():
    durations = np.random.default_rng(0).uniform(1, 20, 3000)
    plan = BatchPlan(durations, seed=0, batch_seconds=None, batch_size=8)
    sizes = [len(batch) * durations[batch].max() for batch in batches_of(plan, 0)]
    typical = plan.typical_batch()
    size = len(typical) * durations[typical].max()
    assert 0.4 < np.mean(np.asarray(sizes) < size) < 0.6


@hypothesis_settings(max_examples=30, deadline=None)
@given(rows, st.floats(1.0, 90.0), st.floats(1.0, 90.0))
def test_a_plan_of_another_budget_is_the_same_however_it_was_come_by(pairs, first, second):
    durations, characters = map(np.asarray, zip(*pairs, strict=True))
    made = [
        BatchPlan(
            durations, seed=0, batch_seconds=seconds, batch_size=None, text_lengths=characters
        )
        for seconds in (first, second)
    ]
    assert batches_of(made[0].resized(second), 2) == batches_of(made[1], 2)


@pytest.mark.parametrize(
    "durations",
    [[5.0], [3.0] * 257, [0.0, 0.0, 0.0], [3600.0, *[2.0] * 100], [1e-9, 40.0]],
    ids=["one row", "one length", "no length", "one huge row", "two extremes"],
)
@pytest.mark.parametrize("world_size", [1, 7])
def test_extremes_keep_the_promises_too(durations, world_size):
    plan = BatchPlan(durations, seed=0, batch_seconds=60, batch_size=None, world_size=world_size)
    for epoch in (0, 5):
        weights = np.zeros(len(durations))
        for index in range(plan.batches_per_epoch):
            for rank in range(world_size):
                for row, weight in plan.batch(epoch, index, rank):
                    weights[row] += weight
        assert (weights == 1).all()
    assert 0 <= plan.padding_fraction() < 1
    assert plan.typical_batch() and plan.costliest_batches()[0]


def librispeech_durations() -> np.ndarray:
    path = real_corpus("read_speech/librispeech_train_clean_5") / "metadata.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return np.asarray([float(row["duration"]) for row in csv.DictReader(file)])


def an4_durations() -> np.ndarray:
    root = real_corpus("an4")
    names = (root / "etc" / "an4_train.fileids").read_text(encoding="utf-8").split()
    return np.asarray([soundfile.info(root / "wav" / f"{name}.sph").duration for name in names])


@pytest.mark.parametrize("durations", [librispeech_durations, an4_durations])
def test_real_speech_is_padded_by_three_percent_at_most_and_its_batches_hardly_return(durations):
    seconds = durations()
    for budget in (60, 90, 120, 240, 480):
        plan = BatchPlan(seconds, seed=1, batch_seconds=budget, batch_size=None)
        sets = [set(map(frozenset, batches_of(plan, epoch))) for epoch in range(4)]
        for epoch in range(3):
            assert plan.padding_fraction(epoch) <= 0.03
            assert len(sets[epoch] & sets[epoch + 1]) <= 0.05 * len(sets[epoch])
