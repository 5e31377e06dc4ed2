"""Parts of work on a stand-in for Ray: what is lost is begun again and counted, and given up."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

from mynah.config.schema import LaunchConfig
from mynah.errors import UserError
from mynah.launching.on_ray import pieces
from mynah.launching.on_ray.pieces import RayTasks


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause):
        self.cause = cause


class WorkerCrashedError(RayError):
    pass


class Ref:
    """A task that was given to a process."""

    def __init__(self, function, given):
        self.function, self.given = function, given


class FakeRay:
    """Two cores; a task is done when it is asked for, unless its process is to be lost.

    Args:
        losses: How often each piece loses its process.
    """

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, losses: dict[int, int]) -> None:
        self._losses = Counter(losses)
        self.most = 0
        self.cancelled = 0

    def nodes(self):
        return [
            {"Alive": True, "Resources": {"CPU": 2.0}},
            {"Alive": False, "Resources": {"CPU": 9}},
        ]

    def remote(self, **options):
        assert options == {"num_cpus": 1, "num_gpus": 0.0, "max_retries": 0}
        return lambda function: SimpleNamespace(remote=lambda *given: Ref(function, given))

    def wait(self, running, timeout):
        self.most = max(self.most, len(running))
        return running[-1:], running[:-1]  # the youngest is done first

    def get(self, one):
        work, piece, here = one.given
        if self._losses[piece] > 0:
            self._losses[piece] -= 1
            raise WorkerCrashedError
        try:
            return one.function(work, piece, here)
        except Exception as problem:
            raise RayTaskError(problem) from problem

    def cancel(self, one, force):
        self.cancelled += 1


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pieces.os, "environ", dict(pieces.os.environ))


def tasks(ray: FakeRay, **settings) -> RayTasks:
    launch = LaunchConfig(launcher="ray", **settings)
    return RayTasks(ray, launch, decodes_audio_alone=True)


def squared(number: int) -> int:
    return number * number


def refused(number: int) -> int:
    raise UserError(f"{number} is not a recording.")


def test_every_piece_is_done_once_whatever_is_lost_and_losses_are_counted(capsys):
    ray = FakeRay({0: 2, 7: 1})
    spread = tasks(ray, retries=2)
    assert dict(spread.each(squared, range(10))) == {number: number**2 for number in range(10)}
    assert spread.lost == 3
    said = capsys.readouterr().out
    assert "10 parts on Ray, 2 at a time, each with 1 core" in said
    assert said.count("Part 1 of 10 lost its process (WorkerCrashed) and is begun again") == 2
    assert said.count("Part 8 of 10 lost its process") == 1
    assert ray.most == 4  # two at work, and two that wait for them


def test_no_more_than_asked_for_are_given_at_the_same_time():
    ray = FakeRay({})
    assert len(list(tasks(ray, at_once=1).each(squared, range(5)))) == 5
    assert ray.most == 1


def test_a_piece_that_is_lost_too_often_is_given_up():
    ray = FakeRay({3: 5})
    with pytest.raises(UserError, match="Part 4 of 6 lost its process 3 times") as given_up:
        list(tasks(ray, retries=2).each(squared, range(6)))
    assert "launch.memory" in str(given_up.value)
    assert ray.cancelled > 0


def test_what_the_work_refuses_is_said_as_it_is_and_not_tried_again():
    with pytest.raises(UserError, match="5 is not a recording"):
        list(tasks(FakeRay({})).each(refused, [5]))


def test_a_node_with_another_version_is_named():
    here = pieces._Here(pieces.Path.cwd(), {}, version="0.0.1")
    with pytest.raises(UserError, match=r"and 0\.0\.1 where the command was typed"):
        pieces._done(squared, 2, here)
