"""Room for checkpoints: said early, made where it may be, never met in the middle of a save."""

from __future__ import annotations

from collections import namedtuple

import pytest

from mynah.checkpoints.commit import commit, intact_checkpoints
from mynah.errors import UserError
from mynah.training.guards import disk
from mynah.training.guards.disk import DiskWatch

SIZE = 100_000


@pytest.fixture
def model(tmp_path):
    """Three checkpoints of about 100 kB."""
    for step in (1, 2, 3):
        with commit(tmp_path / f"checkpoint-{step}") as staging:
            (staging / "model.safetensors").write_bytes(bytes(SIZE))
    return tmp_path


@pytest.fixture
def free(monkeypatch):
    """Sets what is free; a checkpoint that goes gives its room back."""
    usage = namedtuple("usage", "total used free")
    amount = {}

    def asked(path):
        there = len(list(amount["model"].glob("checkpoint-*"))) if amount.get("model") else 0
        return usage(1, 1, amount["free"] - there * SIZE)

    monkeypatch.setattr(disk.shutil, "disk_usage", asked)

    def to(bytes_free, model=None):
        amount.update(free=bytes_free, model=model)

    return to


def test_a_disk_that_will_not_hold_them_all_is_said_at_the_start(tmp_path, free, capsys):
    watch = DiskWatch(tmp_path / "new" / "model", expected_bytes=SIZE, limit=3)
    free(5 * SIZE)
    watch.warn_early(saves=100)
    assert capsys.readouterr().out == ""
    free(5 * SIZE - 1)
    watch.warn_early(saves=100)
    assert "The disk may fill up: 3 checkpoints and the model" in capsys.readouterr().out
    watch.warn_early(saves=2)
    assert capsys.readouterr().out == ""


def test_all_of_many_checkpoints_are_counted_where_all_are_kept(tmp_path, free, capsys):
    free(50 * SIZE)
    DiskWatch(tmp_path, expected_bytes=SIZE, limit=None).warn_early(saves=60)
    assert "60 checkpoints" in capsys.readouterr().out


def test_a_disk_nearly_full_is_said_once(model, free, capsys):
    watch = DiskWatch(model, expected_bytes=SIZE, limit=3)
    free(int(1.5 * SIZE))
    watch.make_room(best=None)
    watch.make_room(best=None)
    assert capsys.readouterr().out.count("nearly full") == 1


def test_old_checkpoints_make_room_but_not_the_best_or_the_newest(model, free, capsys):
    free(int(4.5 * SIZE) - SIZE // 2, model)  # one checkpoint's room too little, or nearly
    DiskWatch(model, expected_bytes=SIZE, limit=3).make_room(best=model / "checkpoint-1")
    left = [path.name for path in intact_checkpoints(model)]
    assert left == ["checkpoint-1", "checkpoint-3"]
    assert "checkpoint-2 had to go" in capsys.readouterr().out


def test_where_all_are_to_be_kept_none_goes_and_the_training_stops_before_it_writes(model, free):
    free(SIZE // 2)
    with pytest.raises(UserError, match="nearly full") as caught:
        DiskWatch(model, expected_bytes=SIZE, limit=None).make_room(best=None)
    assert "resume_from_checkpoint=last" in caught.value.fix
    assert len(intact_checkpoints(model)) == 3
