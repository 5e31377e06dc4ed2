"""A streamed training resumes exactly, deals its rows to ranks, and names a shard that fails."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import forked_commands
import pytest
import torch
from shard_files import write_corpus
from test_training_resume import assert_same_end
from training_fakes import TinyFamily, tiny_config, tiny_train, weights

from mynah.checkpoints.commit import intact_checkpoints
from mynah.data.streams import reader as readers
from mynah.data.streams.stream import open_stream
from mynah.errors import UserError
from mynah.training.loading.stream_loader import StreamPlan

SCRIPT = """
import sys
from pathlib import Path
import torch
here = Path(sys.argv[1])
sys.path[:0] = [str(here), str(here.parent), str(here.parent / "helpers")]
from test_training_stream import train_shared
torch.set_num_threads(1)
train_shared(Path(sys.argv[2]))
"""


class Stopping(StreamPlan):
    """Sends this process a signal when a batch is made; notes every batch."""

    def __init__(self, *args, at=-1, **options):
        super().__init__(*args, **options)
        self.at = at
        self.made = {}

    def batches(self, first=0):
        for number, batch in enumerate(super().batches(first), first):
            if number == self.at:
                self.at = -1
                os.kill(os.getpid(), signal.SIGTERM)
            self.made[number] = [(epoch, row.row.id) for epoch, row, _ in batch]
            yield batch


def streamed(root: Path, *, buffer: int = 10, **training):
    config = tiny_config(**{"max_steps": 12, "per_device_train_batch_size": 4} | training)
    data = replace(
        config.data,
        dataset_name=str(root),
        streaming=True,
        shuffle_buffer=buffer,
        sample_rate=8000,
    )
    return replace(config, data=data)


def train(output: Path, config, *, plan=Stopping, rank=0, world_size=1, at=-1, **options):
    stream = open_stream(config.data, offline=True, working_directory=output)
    left_out = output.parent / f"left_out{rank}.jsonl"
    plan = plan(stream, config, rank=rank, world_size=world_size, at=at, left_out=left_out)
    family, result = tiny_train(output, config, corpus=stream, plan=plan, **options)
    return family, result, plan


@pytest.fixture
def corpus(tmp_path):
    write_corpus(tmp_path / "corpus", (9, 13, 8))
    return tmp_path / "corpus"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_streamed_training_ends_bit_for_bit_like_an_untouched_one(
    tmp_path, corpus, workers
):
    config = streamed(corpus, gradient_accumulation_steps=2, dataloader_num_workers=workers)
    config.data.augmentation.gain_db = 6.0
    *straight, plan = train(tmp_path / "a" / "model", config)
    *stopped, _ = train(tmp_path / "b" / "model", config, at=9 + workers * 2)
    step = stopped[1].steps
    assert stopped[1].interrupted and 3 < step < 12
    checkpoint = tmp_path / "b" / "model" / f"checkpoint-{step}"
    *resumed, again = train(tmp_path / "b" / "model", config, resume=checkpoint)
    assert_same_end(straight, resumed, tmp_path / "a" / "model", tmp_path / "b" / "model")
    # The batches themselves, of every step after the resume, in two passes over the stream.
    after = range(2 * step, 24)
    assert [again.made[number] for number in after] == [plan.made[number] for number in after]
    assert {epoch for number in after for epoch, _ in plan.made[number]} >= {1}
    assert min(again.made) == 2 * step  # nothing before it was decoded


def test_the_number_of_workers_changes_no_batch(tmp_path, corpus):
    ends = []
    for workers in (0, 2):
        config = streamed(corpus, dataloader_num_workers=workers)
        family, result, plan = train(tmp_path / str(workers), config)
        ends.append((weights(family), result.history, [plan.made[n] for n in range(12)]))
    assert ends[0][1:] == ends[1][1:]
    assert all(torch.equal(value, ends[1][0][name]) for name, value in ends[0][0].items())


def test_a_row_that_breaks_in_its_middle_is_named_and_left_out(tmp_path, corpus, capsys):
    import pyarrow as pa
    import pyarrow.parquet

    path = corpus / "train-00001-of-00003.parquet"
    rows = pyarrow.parquet.read_table(path).to_pylist()
    content = rows[4]["audio"]["bytes"]
    rows[4]["audio"]["bytes"] = content[: len(content) // 2]  # its header is intact
    rows[6]["text"] = "abcdefg" * 4  # in half a second
    table = pa.Table.from_pylist(rows, schema=pyarrow.parquet.read_schema(path))
    pyarrow.parquet.write_table(table, path)
    _, result, _ = train(tmp_path / "model", streamed(corpus))
    assert result.steps == 12
    assert set(result.skipped) == {rows[4]["id"], rows[6]["id"]}
    assert result.skipped[rows[6]["id"]] == "more labels than frames"
    said = capsys.readouterr().out
    assert (
        said.count(f"Utterance {rows[4]['id']} is left out") == 1
        and "2 training utterance(s)" in said
    )
    assert "pass 2" in said


def test_a_shard_that_is_cut_short_ends_training_and_fixed_it_resumes(
    tmp_path, corpus, monkeypatch, capsys
):
    monkeypatch.setattr(readers, "RETRY_SECONDS", (0.0, 0.0))
    config = streamed(corpus, buffer=4, save_steps=1, save_total_limit=30, max_steps=16)
    straight, _, _ = train(tmp_path / "a", config)
    shards = sorted(corpus.iterdir())
    broken = shards[_second_shard(config, tmp_path)]
    full = broken.read_bytes()
    broken.write_bytes(full[: len(full) // 2] + bytes(len(full) - len(full) // 2))
    with pytest.raises(UserError, match=f"Shard {broken.name} cannot be read") as caught:
        train(tmp_path / "b", config)
    assert "resume_from_checkpoint=last" in caught.value.fix
    assert capsys.readouterr().out.count("trying again") == 2
    broken.write_bytes(full)
    newest = intact_checkpoints(tmp_path / "b")[-1]
    resumed, result, _ = train(tmp_path / "b", config, resume=newest)
    assert result.steps == 16
    assert all(torch.equal(weights(resumed)[n], value) for n, value in weights(straight).items())


def _second_shard(config, directory: Path) -> int:
    stream = open_stream(config.data, offline=True, working_directory=directory)
    return stream.windows(seed=config.training.seed).shard_order(0)[1]


def test_a_stream_that_changed_is_not_resumed(tmp_path, corpus):
    config = streamed(corpus, max_steps=2)
    train(tmp_path / "model", config)
    write_corpus(corpus, (9, 13, 9))
    with pytest.raises(UserError, match=r"training data \(fingerprint\)"):
        train(tmp_path / "model", streamed(corpus, max_steps=4),
              resume=tmp_path / "model" / "checkpoint-2")  # fmt: skip


def train_shared(directory: Path) -> None:
    """Eight steps on this process's share of the stream; called on each rank."""
    rank, ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    config = streamed(directory.parent / "corpus", max_steps=8, save_steps=5)
    torch.manual_seed(5)
    family = TinyFamily(dropout=0.0, dtype=torch.float64)
    middle = directory / "checkpoint-5"
    resume = middle if middle.is_dir() else None
    _, result, plan = train(
        directory, config, rank=rank, world_size=ranks, family=family, resume=resume
    )
    names = [
        " ".join(f"{epoch}:{row}" for epoch, row in plan.made[number])
        for number in sorted(plan.made)
    ]
    kind = "resumed" if resume else "straight"
    (directory.parent / f"{kind}-{rank}.txt").write_text("\n".join(names))
    assert result.steps == 8


def test_two_ranks_take_different_rows_and_resume_exactly(tmp_path, corpus):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    for _ in range(2):  # the second resumes from the checkpoint in the middle
        command = ["python", str(script), str(Path(__file__).parent), str(tmp_path / "model")]
        for ended in forked_commands.run_ranks(command, tmp_path, forked_commands.environment()):
            assert ended.returncode == 0, ended.stderr
    shares = []
    for rank in (0, 1):
        straight = (tmp_path / f"straight-{rank}.txt").read_text().splitlines()
        resumed = (tmp_path / f"resumed-{rank}.txt").read_text().splitlines()
        assert resumed == straight[5:]
        taken = [row for batch in straight for row in batch.split()]
        shares.append({row for row in taken if row.startswith("0:")})
        assert len(set(taken)) == len(taken)
    # In its first pass a row is taken by one of them, and every row by somebody.
    assert not shares[0] & shares[1] and len(shares[0] | shares[1]) == 30
