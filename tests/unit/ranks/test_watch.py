"""A process that stops, dies or says that it ends is noticed by the others."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from torch.distributed import PrefixStore, TCPStore

from mynah.ranks import watch as watches
from mynah.ranks.environment import Ranks
from mynah.ranks.meeting import connection
from mynah.ranks.watch import Watch

FIRST = """
import signal, sys, time
from datetime import timedelta
from torch.distributed import PrefixStore, TCPStore
server = TCPStore("127.0.0.1", int(sys.argv[1]), 2, True, timedelta(seconds=5), False)
def end(number, frame):
    PrefixStore("mynah/0", server).set("pulse/0", "done")
    time.sleep(0.5)
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("there", flush=True)
for count in range(10_000):
    PrefixStore("mynah/0", server).set("pulse/0", f"{count} 1 elsewhere")
    time.sleep(0.1)
"""


@pytest.fixture
def meeting(monkeypatch):
    """Two ranks of this process that have met, with a quick watch; what is said of an end."""
    monkeypatch.setattr(watches, "_PULSE_SECONDS", 0.02)
    monkeypatch.setattr(watches, "_GRACE_SECONDS", 0.1)
    monkeypatch.setattr(watches, "_SAID_SECONDS", 0.1)
    monkeypatch.setattr(watches, "_FAREWELLS", 1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = TCPStore(
        "127.0.0.1", port, 2, True, timeout=timedelta(seconds=5), wait_for_workers=False
    )
    ended: list[str] = []
    ranks = [Ranks(rank, 2, "127.0.0.1", port) for rank in (0, 1)]
    pair = [Watch(one, 0.5, lambda error: ended.append(str(error))) for one in ranks]
    yield pair, PrefixStore("mynah/0", server), ended
    for one in pair:
        one.finish("the test is over")


@pytest.fixture
def first_elsewhere(monkeypatch):
    """A first rank in a process of its own, and where the second of the two meets it."""
    monkeypatch.setattr(watches, "_ANSWER_SECONDS", 1.0)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-c", FIRST, str(port)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "there\n"
        yield process, Ranks(1, 2, "127.0.0.1", port)
        process.kill()


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_processes_that_live_and_then_are_done_end_nobody(meeting):
    (first, second), store, ended = meeting
    first.start(store)
    second.start(store)
    time.sleep(1.0)  # twice the longest silence
    second.finish()
    time.sleep(0.7)
    assert ended == []


def test_one_that_is_silent_is_said_and_then_ends_the_others(meeting, capsys):
    (first, _), store, ended = meeting
    store.set("pulse/1", "1 1 elsewhere")
    first.start(store)
    wait_for(lambda: ended)
    assert "Rank 1 of this training has not answered for" in ended[0]
    assert "resume_from_checkpoint=last" in ended[0]
    assert "rank 1 does not answer since" in capsys.readouterr().out


def test_what_one_says_of_its_end_is_repeated(meeting):
    (first, second), store, ended = meeting
    first.start(store)
    second.start(store)
    second.finish("The disk is full.\nMore of it.")
    assert first.reasons() == "Rank 1: The disk is full."
    wait_for(lambda: ended)
    assert ended[0].startswith("Rank 1 of this training ended: The disk is full. So this one")


def test_one_that_was_killed_on_this_machine_is_not_waited_for(meeting):
    (first, _), store, ended = meeting
    if not watches.process_space():
        pytest.skip("asks the kernel")
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    store.set("pulse/1", f"1 {process.pid} {watches.process_space()}")
    first._seconds = 1000.0
    first.start(store)
    time.sleep(0.5)
    assert ended == []
    process.kill()
    process.wait()
    process.stdin.close()
    wait_for(lambda: ended)
    assert "Rank 1 of this training ended: it was killed" in ended[0]


def test_a_first_process_that_is_stopped_ends_the_others(first_elsewhere, monkeypatch, capsys):
    """It holds what they share: nobody is answered any more, not even with an error."""
    monkeypatch.setattr(watches, "_PULSE_SECONDS", 0.1)
    monkeypatch.setattr(watches, "_SAID_SECONDS", 0.5)
    first, place = first_elsewhere
    ended: list[str] = []
    second = Watch(place, 1.2, lambda error: ended.append(str(error)))
    try:
        second.start(connection(place, 5.0))
        time.sleep(1.8)
        assert ended == []
        first.send_signal(signal.SIGSTOP)
        wait_for(lambda: ended)
        assert "Rank 0 of this training has not answered for" in ended[0]
        assert "rank 1: rank 0 does not answer since" in capsys.readouterr().err
    finally:
        first.kill()
        first.wait()
        second.finish()


def test_a_first_process_that_is_done_and_gone_ends_nobody(first_elsewhere, monkeypatch):
    monkeypatch.setattr(watches, "_PULSE_SECONDS", 0.05)
    monkeypatch.setattr(watches, "_GRACE_SECONDS", 0.2)
    first, place = first_elsewhere
    ended = []
    second = Watch(place, 2.0, lambda error: ended.append(str(error)))
    second.start(connection(place, 5.0))
    wait_for(lambda: second._seen[0])
    first.terminate()
    first.wait()
    wait_for(lambda: second._refused)
    time.sleep(0.6)  # three times what it has to notice the end
    assert ended == []
    second.finish()
