"""Which GPU a process of a training takes, and that no two take the same one."""

from __future__ import annotations

import os
import textwrap
import threading
from datetime import timedelta
from types import SimpleNamespace

import forked_commands
import pytest
import torch
from torch.distributed import PrefixStore, TCPStore

from mynah import distributed
from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.machine import device_for, own_gpu
from mynah.ranks.environment import Ranks
from mynah.ranks.gpus import check_gpus, take_gpu


@pytest.fixture
def gpus(monkeypatch):
    """GPUs that are not there: as many as a test says that a process sees."""
    taken = []

    def see(count, local_rank):
        monkeypatch.setenv("LOCAL_RANK", str(local_rank))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "set_device", taken.append)
        return taken

    return see


@pytest.mark.parametrize(
    ("seen", "local_rank", "own"),
    [
        (4, 3, 3),  # torchrun: all GPUs of the node
        (1, 3, 0),  # srun --gpus-per-task=1: this task's alone
        (2, 1, 1),  # srun --gpus-per-task=2
    ],
)
def test_a_process_takes_its_own_gpu_of_those_that_it_sees(gpus, seen, local_rank, own):
    taken = gpus(seen, local_rank)
    assert device_for(Config()) == torch.device("cuda", own)
    assert take_gpu() == own and taken == [own]
    # By which Accelerate gives DDP its device, and torch a mesh.
    assert os.environ["LOCAL_RANK"] == str(own)
    assert device_for(Config()) == torch.device("cuda", own)


def test_several_processes_on_a_gpu_without_cuda_are_the_users_to_fix(gpus, monkeypatch):
    gpus(0, 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    for name, value in {"WORLD_SIZE": "2", "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    assert device_for(Config()).type == "mps"
    with pytest.raises(UserError, match="has no CUDA") as caught:
        distributed.start_ranks(on_cpu=False)
    assert "training.use_cpu=true" in caught.value.fix


def test_a_local_rank_that_is_not_a_number_is_the_users_to_fix(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "abc")
    with pytest.raises(UserError, match="LOCAL_RANK=abc is not a number") as caught:
        distributed.check_launch()
    assert "unset RANK WORLD_SIZE LOCAL_RANK" in (caught.value.fix or "")


def test_a_negative_local_rank_is_that_of_a_process_that_is_alone(gpus, monkeypatch):
    gpus(4, 0)
    monkeypatch.setenv("LOCAL_RANK", "-1")
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "1")
    distributed.check_launch()
    assert own_gpu() == 0
    launched = {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
    for name, value in launched.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="LOCAL_RANK=-1 is not a number"):
        distributed.check_launch()


@pytest.mark.parametrize(
    ("identities", "said"),
    [
        (["1111", "2222", "3333"], None),
        (
            ["1111", "2222", "1111"],
            "2 processes are on one GPU (rank 0, 2), and each needs its own.",
        ),
        (["AMD"] * 3, None),  # whose cards may have one and the same
    ],
)
def test_processes_on_the_same_gpu_are_refused_by_all_of_them(monkeypatch, identities, said):
    monkeypatch.setattr(torch.version, "hip", "7.0" if "AMD" in identities else None)
    monkeypatch.setattr(
        torch.cuda,
        "get_device_properties",
        lambda number: SimpleNamespace(name="NVIDIA H200", uuid=identities[number]),
    )
    wait = timedelta(seconds=20)
    server = TCPStore("127.0.0.1", 0, 3, is_master=True, timeout=wait, wait_for_workers=False)
    found = {}

    def check(rank):
        client = TCPStore("127.0.0.1", server.port, 3, False, timeout=wait, wait_for_workers=False)
        try:  # in the stand-in the number of a GPU says which of the identities it has
            check_gpus(Ranks(rank, 3, "", 0), PrefixStore("mynah/0", client), rank, 20)
            found[rank] = None
        except UserError as problem:
            found[rank] = problem.what

    threads = [threading.Thread(target=check, args=(rank,)) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(3), said)


@pytest.mark.long  # what is said is fast above
def test_more_processes_than_gpus_end_with_one_message_and_no_traceback(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
            import os, sys
            from types import SimpleNamespace
            import torch
            from mynah import distributed
            from mynah.cli.shared.exit_status import exit_status
            from mynah.ranks import watch

            watch._FAREWELLS = 5  # a second: all have the message by then
            gpu = SimpleNamespace(name="NVIDIA H200", uuid="1111")
            torch.cuda.is_available = lambda: True
            torch.cuda.device_count = lambda: 1
            torch.cuda.set_device = lambda number: None
            torch.cuda.get_device_properties = lambda number: gpu

            def run():
                with distributed.own_errors():
                    distributed.start_ranks(on_cpu=False)

            status = exit_status(run)
            sys.stdout.flush(); sys.stderr.flush()
            os._exit(status)
        """)
    )
    command = ["python", str(script)]
    ended = forked_commands.run_ranks(command, tmp_path, forked_commands.environment(), 3)
    assert [one.returncode for one in ended] == [2, 2, 2], ended
    assert "3 processes are on one GPU (rank 0, 1, 2)" in ended[0].stderr
    assert [one.stderr for one in ended[1:]] == ["", ""]
