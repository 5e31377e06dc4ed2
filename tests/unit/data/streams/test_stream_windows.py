"""Windows and batches of a stream: each row once a pass, from any place on as from the start."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_files import encoded, transcripts, write_corpus, write_parquet

from mynah.config.schema import Config, DataConfig
from mynah.data.row import Row
from mynah.data.streams.reader import BadRow, ShardReader
from mynah.data.streams.stream import Stream, open_stream
from mynah.data.streams.windows import Mark, Windows
from mynah.data.text import TextPolicy
from mynah.errors import UserError
from mynah.training.loading.dataset import PlanSampler
from mynah.training.loading.stream_loader import StreamPlan


class Numbers(ShardReader):
    """Rows that are numbers: shard s has ``sizes[s]`` of them, whose length is listed."""

    name = "numbers"
    identity = "numbers"

    def __init__(self, sizes):
        self.sizes = list(sizes)
        self.shards = [f"shard {number}" for number in range(len(self.sizes))]
        self.read_rows = 0

    def read(self, shard, start, *, audio):
        for place in range(start, self.sizes[shard]):
            self.read_rows += 1
            name = f"{shard}-{place}"
            yield Row(name, None, "a", audio=b"", duration_seconds=1 + (7 * place + shard) % 13 / 4)


def windows(sizes, *, buffer, rank=0, world_size=1, seed=0, **changed):
    config = DataConfig(shuffle_buffer=buffer, **changed)
    return Windows(
        Numbers(sizes), config, TextPolicy(), seed=seed, rank=rank, world_size=world_size
    )


def ids_of_pass(made, epoch=0):
    found = []
    for window in made.iterate(Mark(epoch)):
        if window.mark.epoch > epoch:
            return found
        found += [row.row.id for row in window.rows]
    raise AssertionError


def everything(sizes):
    return sorted(f"{shard}-{row}" for shard, size in enumerate(sizes) for row in range(size))


sampled_sizes = st.lists(st.integers(0, 30), min_size=1, max_size=6).filter(lambda s: sum(s) >= 12)


@given(sampled_sizes, st.integers(1, 40), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_every_pass_has_every_row_once(sizes, buffer, seed):
    made = windows(sizes, buffer=buffer, seed=seed)
    for epoch in (0, 1):
        assert sorted(ids_of_pass(made, epoch)) == everything(sizes)


@given(st.lists(st.integers(4, 30), min_size=1, max_size=6), st.integers(1, 4), st.integers(1, 20))
@settings(max_examples=25, deadline=None)
def test_ranks_share_the_rows_of_a_pass_and_none_is_read_twice(sizes, ranks, buffer):
    shares = [
        ids_of_pass(windows(sizes, buffer=buffer, rank=rank, world_size=ranks))
        for rank in range(ranks)
    ]
    assert sorted(row for share in shares for row in share) == everything(sizes)
    if len(sizes) >= ranks:  # each rank has shards of its own
        of_rank = [{row.split("-")[0] for row in share} for share in shares]
        assert sum(map(len, of_rank)) == len(set().union(*of_rank))


@given(sampled_sizes, st.integers(1, 20), st.integers(1, 3), st.integers(0, 30))
@settings(max_examples=25, deadline=None)
def test_a_stream_resumes_from_any_window_as_if_it_had_never_stopped(sizes, buffer, ranks, at):
    rank = ranks - 1
    if min(sizes) < ranks:
        sizes = [size + ranks for size in sizes]
    straight = list(
        islice(windows(sizes, buffer=buffer, rank=rank, world_size=ranks).iterate(), at + 12)
    )
    again = windows(sizes, buffer=buffer, rank=rank, world_size=ranks)
    assert list(islice(again.iterate(straight[at].mark), 12)) == straight[at:]


def test_the_order_of_shards_is_another_in_every_pass_and_for_every_seed():
    made = windows([3] * 8, buffer=4)
    orders = [made.shard_order(epoch) for epoch in range(4)]
    orders.append(windows([3] * 8, buffer=4, seed=1).shard_order(0))
    assert len({tuple(order) for order in orders}) == 5
    assert all(sorted(order) == list(range(8)) for order in orders)


def test_resuming_reads_no_row_before_the_window():
    made = windows([50, 50], buffer=10)
    marks = [window.mark for window in islice(made.iterate(), 6)]
    reader = made._reader
    reader.read_rows = 0
    next(made.iterate(marks[5]))
    assert reader.read_rows <= 10


def test_a_window_of_bad_rows_alone_does_not_grow_without_end():
    class Bad(Numbers):
        def read(self, shard, start, *, audio):
            yield from (BadRow(str(place), "broken") for place in range(start, 100))

    made = Windows(Bad([100]), DataConfig(shuffle_buffer=10), TextPolicy(), seed=0)
    stream = made.iterate()
    assert all(len(window.left_out) <= 10 for window in islice(stream, 8))
    with pytest.raises(UserError, match="no row to learn from"):
        list(stream)


def test_an_empty_stream_says_so():
    with pytest.raises(UserError, match=r"The stream has no row to learn from\."):
        next(windows([0, 0], buffer=4).iterate())


def test_a_rank_without_a_row_is_named():
    made = windows([5, 0], buffer=4, rank=1, world_size=2)
    empty = next(rank for rank in (0, 1) if Numbers([5, 0]).sizes[
        windows([5, 0], buffer=4, rank=rank, world_size=2).shard_order(0)[0]] == 0)  # fmt: skip
    made = windows([5, 0], buffer=4, rank=empty, world_size=2)
    with pytest.raises(UserError, match=f"for rank {empty}"):
        next(made.iterate())


# Batches


def planned(tmp_path, sizes=(9, 14, 7), *, rank=0, world_size=1, left_out=None, data=None, **train):
    root = tmp_path / "corpus"
    if not root.exists():
        write_corpus(root, sizes)
    config = Config()
    config.data.dataset_name = str(root)
    config.data.streaming = True
    config.data.shuffle_buffer = 8
    for name, value in (data or {}).items():
        setattr(config.data, name, value)
    config.training.max_steps = 40
    config.training.batch_seconds = 1.2
    for name, value in train.items():
        setattr(config.training, name, value)
    stream = open_stream(config.data, offline=True, working_directory=tmp_path)
    return StreamPlan(stream, config, rank=rank, world_size=world_size, left_out=left_out)


def shown(batches):
    return [[(epoch, row.row.id, weight) for epoch, row, weight in batch] for batch in batches]


def taken(plan, count, first=0):
    batches = plan.batches(first)
    made = shown(islice(batches, count))
    batches.close()
    return made


def test_batches_are_bucketed_and_stay_in_the_budget(tmp_path):
    plan = planned(tmp_path)
    batches = plan.batches()
    for batch in islice(batches, 30):
        lengths = [row.duration_seconds for _, row, _ in batch]
        assert len(lengths) * max(lengths) <= 1.2 + 1e-9
    batches.close()


def test_batches_of_a_fixed_size_have_it_but_for_the_end_of_a_window(tmp_path):
    plan = planned(tmp_path, per_device_train_batch_size=4, data={"shuffle_buffer": 16})
    sizes = Counter(len(batch) for batch in taken(plan, 20))
    assert max(sizes) == 4 and sizes[4] >= 12


def test_two_passes_have_every_row_twice_and_no_batch_of_both(tmp_path):
    made = taken(planned(tmp_path), 60)
    rows = [row for batch in made for row in batch]
    for epoch in (0, 1):
        assert Counter(name for e, name, _ in rows if e == epoch) == {
            f"utterance-{number:04d}": 1 for number in range(30)
        }
    assert all(len({epoch for epoch, _, _ in batch}) == 1 for batch in made)


@pytest.mark.parametrize("at", [0, 1, 5, 13, 22])
def test_batches_after_a_resume_are_those_that_were_to_come(tmp_path, at):
    straight = taken(planned(tmp_path), 40)
    stopped = planned(tmp_path)
    ahead = stopped.batches()  # workers fetch ahead of training
    list(islice(ahead, at + 7))
    state = json.loads(json.dumps(stopped.state(at)))
    ahead.close()
    resumed = planned(tmp_path)
    resumed.restore([state])
    assert taken(resumed, 40 - at, first=at) == straight[at:]


def test_the_sampler_skips_with_empty_lists_and_ends_with_the_training(tmp_path):
    straight = list(PlanSampler(planned(tmp_path)))
    assert len(straight) == 40
    sampler = PlanSampler(planned(tmp_path))
    sampler.begin(0, 31)
    again = list(sampler)
    assert again[:31] == [[]] * 31
    assert shown(again[31:]) == shown(straight[31:])


def test_with_other_ranks_the_stream_begins_its_next_pass_and_says_so(tmp_path, capsys):
    plan = planned(tmp_path)
    taken(plan, 6)
    two = planned(tmp_path, rank=1, world_size=2)
    two.restore([plan.state(6)])
    assert "dealt to 1 process(es) and is now dealt to 2" in capsys.readouterr().out
    assert {epoch for batch in taken(two, 2, first=6) for epoch, _, _ in batch} == {1}


@pytest.fixture
def mixed(tmp_path):
    """Thirty rows, of which six are not to be learned from."""
    texts = transcripts(30)
    ids = [f"utterance-{number:04d}" for number in range(30)]
    path = write_parquet(tmp_path / "corpus" / "train.parquet", ids, texts)
    import pyarrow as pa
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(path).to_pylist()
    rows[3]["audio"]["bytes"] = b"no sound at all"
    rows[4]["audio"] = None
    rows[9]["text"] = ""
    rows[12]["text"] = "a b c d"
    rows[20]["audio"]["bytes"] = encoded("abcdefgh" * 4)  # 3.2 s
    rows[21]["text"] = None
    table = pa.Table.from_pylist(rows, schema=pyarrow.parquet.read_schema(path))
    pyarrow.parquet.write_table(table, path)
    return tmp_path


LIMITS = {"max_audio_seconds": 3.0, "max_text_words": 3}


def test_rows_left_out_are_counted_by_reason_named_and_listed(mixed, capsys):
    listed = mixed / "left_out.jsonl"
    plan = planned(mixed, left_out=listed, data=LIMITS)
    made = taken(plan, 50)
    recording = {name for batch in made for _, name, _ in batch}
    assert plan.left_out_counts == {
        "unreadable": 2, "no transcript": 2, "too many words": 1, "too long": 1
    }  # fmt: skip
    reported = {row["id"]: row for row in map(json.loads, listed.read_text().splitlines())}
    assert set(reported) == {f"utterance-{number:04d}" for number in (3, 4, 9, 12, 20, 21)}
    assert recording == {f"utterance-{number:04d}" for number in range(30)} - set(reported)
    assert "3.20 s, above max_audio_seconds=3.0" in reported["utterance-0020"]["detail"]
    said = capsys.readouterr().out
    assert said.count("is left out") == 5 and str(listed) in said


def test_a_resumed_training_lists_no_row_twice(mixed):
    listed = mixed / "left_out.jsonl"
    taken(planned(mixed, left_out=listed, data=LIMITS), 50)
    full, straight = listed.read_text(), planned(mixed, left_out=listed, data=LIMITS)
    listed.unlink()
    batches = straight.batches()
    list(islice(batches, 14))
    state = straight.state(5)
    batches.close()
    resumed = planned(mixed, left_out=listed, data=LIMITS)
    resumed.restore([state])
    taken(resumed, 40, first=5)
    assert listed.read_text() == full
    assert sum(resumed.left_out_counts.values()) == 6


def test_with_on_error_fail_a_row_that_cannot_be_read_ends_the_training(mixed):
    with pytest.raises(UserError, match="cannot be read") as caught:
        taken(planned(mixed, data={"on_error": "fail"}), 30)
    assert caught.value.where == "utterance utterance-0003" and "on_error=skip" in caught.value.fix


def test_a_resume_far_into_a_stream_decodes_and_reads_little(tmp_path):
    """Skipping is by row groups: the shards before the place are not opened."""
    plan = planned(tmp_path, sizes=(12, 12, 12, 12))
    taken(plan, 20)
    state = plan.state(18)
    resumed = planned(tmp_path)
    resumed.restore([state])
    opened_shards = []
    reader: Stream = resumed._windows._reader
    full = reader.read

    def seen(shard, start, *, audio):
        opened_shards.append(shard)
        return full(shard, start, audio=audio)

    reader.read = seen
    taken(resumed, 1, first=18)
    order = resumed._windows.shard_order(state["mark"]["epoch"])
    assert opened_shards[0] == order[state["mark"]["shard"]]
    assert state["mark"]["shard"] > 0


def test_the_head_of_a_short_stream_is_its_first_pass(tmp_path):
    write_corpus(tmp_path / "corpus", (9, 14))
    data = DataConfig(dataset_name=str(tmp_path / "corpus"), streaming=True, shuffle_buffer=8)
    head = open_stream(data, offline=True, working_directory=tmp_path).head(seed=3)
    assert sorted(head.ids) == [f"utterance-{number:04d}" for number in range(23)]
    assert head.durations.shape == (23,) and list(head.text_lengths) == [len(t) for t in head.texts]
    assert len(head.read_audio(0)) == round(head.durations[0] * head.sample_rate)
