"""Processes that train together: shared evaluations, and an end for all when one is gone."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import forked_commands
import pytest
from forked_commands import environment

COMMON = """
import json, os, signal, sys
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
import numpy as np
from training_fakes import *
from mynah import distributed
from mynah.evaluation.decoding.decode import decode
from mynah.errors import UserError
from mynah.cli.shared.exit_status import exit_status

class LengthFamily(TinyFamily):
    '''Writes how long a clip is, and how long the longest of its batch.'''
    def transcribe(self, clips):
        longest = max(len(clip.audio) for clip in clips)
        return [Transcript(f"{len(clip.audio)} of {longest}") for clip in clips]

distributed.start_ranks(on_cpu=True)
"""


def together(folder: Path, body: str, world_size: int = 2) -> list[tuple[int, str, str]]:
    """Run a script in several processes; exit status, output and errors of each."""
    script = folder / "script.py"
    script.write_text(COMMON + textwrap.dedent(body))
    command = ["python", str(script), str(Path(__file__).parent), str(folder)]
    ended = forked_commands.run_ranks(command, folder, environment(), world_size)
    return [(one.returncode, one.stdout, one.stderr) for one in ended]


DECODE = """
found = decode(LengthFamily(), TinyCorpus(7, unreadable=frozenset({5})), batch_seconds=9,
               batch_size=2, progress=False)
print("FOUND" + json.dumps([[h.id, h.text, h.error] for h in found]))
"""


def test_a_shared_evaluation_decodes_every_utterance_once_in_the_batches_of_one_process(tmp_path):
    ((_, alone, _),) = together(tmp_path, DECODE, world_size=1)
    both = together(tmp_path, DECODE)
    lists = [json.loads(out.split("FOUND")[1]) for out in (alone, both[0][1], both[1][1])]
    assert lists[0] == lists[1] == lists[2]
    assert len({row[0] for row in lists[0]}) == 7
    assert sum(row[2] is not None for row in lists[0]) == 1
    # Seven utterances in pairs: the shards are uneven, and some batch is shared by nobody.
    assert len({row[1].split()[-1] for row in lists[0] if row[1]}) > 1


def test_an_evaluation_that_fails_on_one_process_fails_on_all_with_the_same_message(tmp_path):
    ended = together(
        tmp_path,
        """
        corpus = TinyCorpus(6)
        if distributed.rank() == 1:
            def gone(row):
                raise KeyboardInterrupt
            corpus.read_audio = gone
        try:
            decode(LengthFamily(), corpus, batch_seconds=9, batch_size=2, progress=False)
        except KeyboardInterrupt:
            print("INTERRUPTED")
        """,
    )
    assert [code for code, _, _ in ended] == [0, 0], ended
    assert all("INTERRUPTED" in out for _, out, _ in ended)


TRAIN = """
class Fateful(TinyPlan):
    def batch(self, epoch, index, rank=0):
        if (epoch, index) == (1, 1) and rank == 1:
            fate()
        return super().batch(epoch, index, rank)

def run():
    with distributed.own_errors():
        config = tiny_config(max_steps=50, save_steps=2, eval_steps=2,
                             per_device_train_batch_size=2)
        tiny_train(Path(sys.argv[2]) / "model", config, plan=Fateful(20, 2, 42, world_size=2))

status = exit_status(run)
sys.stdout.flush(); sys.stderr.flush()
os._exit(status)
"""


@pytest.mark.parametrize(
    ("fate", "code", "says"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", -9, ""),
        ("raise UserError('This file is broken.', where='a.wav')", 2, "is broken. (rank 1)"),
    ],
)
def test_a_process_that_ends_ends_the_others_with_a_message_and_no_hang(tmp_path, fate, code, says):
    # The first has nobody left to wait for.
    quick = "from mynah.ranks import watch\nwatch._FAREWELLS = 2\n"
    ended = together(tmp_path, f"{quick}def fate():\n    {fate}\n" + TRAIN)
    (first, _, error), (second, _, own) = ended
    assert second == code and says in own
    assert first == 2
    assert "Another process of this training ended" in error and "Traceback" not in error


RESUME = """
folder = Path(sys.argv[2])

class Stopping(TinyPlan):
    def batch(self, epoch, index, rank=0):
        if (epoch, index) == (2, 1) and rank == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().batch(epoch, index, rank)

def go(name, plan=TinyPlan, resume=None):
    config = tiny_config(max_steps=18, save_steps=6, eval_steps=6, logging_steps=1,
                         per_device_train_batch_size=2)
    return tiny_train(folder / name, config, resume=resume,
                      plan=plan(20, 2, 42, world_size=distributed.world_size()))[1]
"""


def test_ranks_that_were_stopped_in_epoch_three_end_as_untouched_ones(tmp_path):
    from mynah.checkpoints.commit import find_damage

    first, second = together(
        tmp_path,
        RESUME
        + """
go("straight")
stopped = go("stopped", plan=Stopping)
assert stopped.interrupted and 10 <= stopped.steps < 15, stopped.steps
resumed = go("stopped", resume=folder / "stopped" / f"checkpoint-{stopped.steps}")
assert resumed.steps == 18
print("ENDED")
""",
    )
    assert first[0] == second[0] == 0, first[2] + second[2]
    straight, resumed = (tmp_path / name / "checkpoint-18" for name in ("straight", "stopped"))
    assert find_damage(straight) is None and find_damage(resumed) is None
    names = {path.name for path in straight.iterdir()} - {"SHA256SUMS", "mynah.json"}
    assert {"model.safetensors", "optimizer.safetensors", "rng_state_1.safetensors"} <= names
    for name in names:
        assert (straight / name).read_bytes() == (resumed / name).read_bytes(), name


def test_a_training_of_two_ranks_resumes_with_one_and_says_what_that_means(tmp_path):
    both = together(tmp_path, RESUME + "\ngo('model', plan=Stopping)\n")
    assert [code for code, _, _ in both] == [0, 0]
    ((code, said, error),) = together(
        tmp_path,
        RESUME
        + """
from mynah.checkpoints.commit import intact_checkpoints
result = go("model", resume=intact_checkpoints(folder / "model")[-1])
print("STEPS", result.steps)
""",
        world_size=1,
    )
    assert code == 0, error
    assert "ran on 2 process(es) and resumes with 1" in said and "STEPS 18" in said
