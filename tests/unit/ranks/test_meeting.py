"""Processes that meet: each by its own token, and none twice."""

from __future__ import annotations

import socket
import threading
from datetime import timedelta

import pytest
from torch.distributed import PrefixStore, TCPStore

from mynah.errors import UserError
from mynah.ranks import meeting
from mynah.ranks.environment import Ranks
from mynah.ranks.meeting import meet


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ranks(rank: int, port: int, size: int = 2) -> Ranks:
    return Ranks(rank, size, "127.0.0.1", port)


def test_two_processes_meet_and_share_a_store(port):
    found = {}
    first = threading.Thread(target=lambda: found.update({0: meet(ranks(0, port), 20)}))
    first.start()
    found[1] = meet(ranks(1, port), 20)
    first.join()
    found[0].set("word", "said by the first")
    assert found[1].get("word") == b"said by the first"


def test_a_second_process_of_one_rank_is_refused(port):
    server = TCPStore(
        "127.0.0.1", port, 2, True, timeout=timedelta(seconds=5), wait_for_workers=False
    )
    PrefixStore("mynah/0", server).add("count/1", 1)
    with pytest.raises(UserError, match="Two processes have RANK=1"):
        meet(ranks(1, port), 5)


def test_the_first_process_of_another_training_is_not_taken_for_ones_own(port, monkeypatch, capsys):
    monkeypatch.setattr(meeting, "_SAID_SECONDS", 0.3)
    server = TCPStore(
        "127.0.0.1", port, 2, True, timeout=timedelta(seconds=5), wait_for_workers=False
    )
    PrefixStore("mynah/0", server).set("welcome/1", "a token of another process")
    with pytest.raises(UserError, match=r"Waited 1 s for rank 0 at 127\.0\.0\.1") as caught:
        meet(ranks(1, port), 1)
    assert "training.ranks_timeout_seconds" in caught.value.fix
    assert "rank 1: waiting for rank 0" in capsys.readouterr().err
