"""What lies in a mirror at every moment is a complete checkpoint, or is not one.

The storage is fsspec's memory, which notes the order of what is written.
"""

from __future__ import annotations

import hashlib
import shutil

import fsspec
import pytest

from mynah.checkpoints.fetch import fetch
from mynah.checkpoints.mirror import Mirror
from mynah.errors import UserError
from mynah.runs import stored
from mynah.storage.store import Patience, Store

IDENTITY = {"data": "d1", "model": "m1", "seed": 1}


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


class Noted:
    """fsspec's memory, with what was written and removed in order.

    Attributes:
        done: (what, name), the oldest first.
        fails_after: How many writes succeed.
    """

    def __init__(self, system):
        self._system = system
        self.done = []
        self.fails_after = 10**9

    def __getattr__(self, name):
        asked = getattr(self._system, name)
        if name not in ("put_file", "pipe_file", "rm_file"):
            return asked

        def request(*arguments):
            path = arguments[1 if name == "put_file" else 0]
            if len(self.done) >= self.fails_after:
                raise PermissionError("the bucket is gone")
            asked(*arguments)
            self.done.append(("removed" if name == "rm_file" else "written", path))

        return request


def checkpoint(folder, content=b"weights"):
    """A checkpoint as sha256sum would list it."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(content)
    (folder / "trainer_state.json").write_bytes(b"{}")
    (folder / "SHA256SUMS").write_text(
        "".join(
            f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
            for name in ("model.safetensors", "trainer_state.json")
        )
    )
    return folder


def mirror_of(run, system):
    store = Store("memory://m", patience=Patience(()), connect=lambda: system)
    return Mirror(store, run, run / "model")


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def names(memory):
    return sorted(name.removeprefix("/m/") for name in memory.store)


def copied(mirror):
    mirror.committed()
    mirror.wait(20)
    return mirror.finish()


def test_the_list_of_sums_is_written_last_and_the_newest_checkpoint_first(run, memory):
    system = Noted(memory)
    for step in (2, 10):
        checkpoint(run / f"model/checkpoint-{step}")

    assert copied(mirror_of(run, system)) is None

    written = [path.removeprefix("memory://m/model/") for _, path in system.done]
    assert written == [
        f"checkpoint-{step}/{name}"
        for step in (10, 2)
        for name in ("model.safetensors", "trainer_state.json", "SHA256SUMS")
    ]


def test_what_retention_removed_here_is_removed_there_its_sums_first(run, memory):
    system = Noted(memory)
    mirror = mirror_of(run, system)
    for step in (1, 2):
        checkpoint(run / f"model/checkpoint-{step}")
    copied(mirror)
    system.done.clear()
    for path in (run / "model/checkpoint-1").iterdir():
        path.unlink()
    (run / "model/checkpoint-1").rmdir()
    checkpoint(run / "model/checkpoint-3")

    copied(mirror)

    removed = [path for what, path in system.done if what == "removed"]
    assert removed[0] == "memory://m/model/checkpoint-1/SHA256SUMS" and len(removed) == 3
    assert not [name for name in names(memory) if "checkpoint-1/" in name]
    assert system.done.index(("removed", removed[0])) > 2  # checkpoint-3 was complete before


@pytest.mark.parametrize("writes", range(6))
def test_a_copy_that_breaks_off_anywhere_is_never_resumed_from(run, memory, tmp_path, writes):
    system = Noted(memory)
    checkpoint(run / "model/checkpoint-1")
    mirror = mirror_of(run, system)
    copied(mirror)
    system.done.clear()
    checkpoint(run / "model/checkpoint-2")
    system.fails_after = writes

    problem = copied(mirror)

    elsewhere = mirror_of(tmp_path / "elsewhere", memory)
    elsewhere.restore()
    found = sorted(path.name for path in (tmp_path / "elsewhere/model").iterdir())
    if writes < 3:  # two files, and their sums
        assert found == ["checkpoint-1"]
        assert "checkpoint-2" in problem.what and "the bucket is gone" in problem.what
    else:
        assert found == ["checkpoint-1", "checkpoint-2"] and problem is None


def test_the_next_commit_copies_what_failed_before(run, memory):
    system = Noted(memory)
    checkpoint(run / "model/checkpoint-1")
    mirror = mirror_of(run, system)
    system.fails_after = 1
    mirror.committed()
    mirror.wait(20)
    system.fails_after = 10**9
    checkpoint(run / "model/checkpoint-2")

    assert copied(mirror) is None

    sums = [name for name in names(memory) if name.endswith("SHA256SUMS")]
    assert sums == ["model/checkpoint-1/SHA256SUMS", "model/checkpoint-2/SHA256SUMS"]


def test_a_checkpoint_that_was_altered_there_is_skipped_and_named(run, memory, tmp_path, capsys):
    for step in (1, 2):
        checkpoint(run / f"model/checkpoint-{step}")
    copied(mirror_of(run, memory))
    memory.pipe({"/m/model/checkpoint-2/model.safetensors": b"Weights"})

    mirror_of(tmp_path / "new", memory).restore()

    assert [path.name for path in (tmp_path / "new/model").iterdir()] == ["checkpoint-1"]
    assert "checkpoint-2 is skipped, for it is not intact" in capsys.readouterr().out.replace(
        "\n      ", " "
    )


def test_what_was_set_aside_here_is_not_brought_back(run, memory):
    for step in (1, 2):
        checkpoint(run / f"model/checkpoint-{step}", content=f"{step}".encode())
    copied(mirror_of(run, memory))
    (run / "model/set_aside").mkdir()
    (run / "model/checkpoint-2").rename(run / "model/set_aside/checkpoint-2")
    shutil.rmtree(run / "model/checkpoint-1")

    mirror_of(run, memory).restore()

    assert [path.name for path in (run / "model").glob("checkpoint-*")] == ["checkpoint-1"]
    # Another checkpoint of that step is another one.
    (run / "model/set_aside/checkpoint-2/SHA256SUMS").write_text(f"{'0' * 64}  other\n")
    mirror_of(run, memory).restore()
    assert (run / "model/checkpoint-2/model.safetensors").read_bytes() == b"2"


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "a\\..\\evil"])
def test_sums_that_name_what_is_outside_are_refused_and_nothing_is_written(memory, tmp_path, name):
    digest = hashlib.sha256(b"x").hexdigest()
    memory.pipe({"/m/checkpoint-1/SHA256SUMS": f"{digest}  {name}\n".encode()})
    memory.store[f"/m/checkpoint-1/{name}"] = memory.store["/m/checkpoint-1/SHA256SUMS"]
    store = Store("memory://m", patience=Patience(()), connect=lambda: memory)

    with pytest.raises(UserError, match=r"leads out|not a file of the checkpoint"):
        fetch(stored.newest_in(store), tmp_path / "here" / "checkpoint-1")

    assert list(tmp_path.rglob("*evil*")) == []


def test_a_place_that_holds_a_run_is_not_written_to_by_another(run, memory, tmp_path):
    checkpoint(run / "model/checkpoint-1")
    first = mirror_of(run, memory)
    first.check(IDENTITY, resumes=False)
    copied(first)
    before = dict(memory.store)

    with pytest.raises(UserError, match="holds a run already"):
        mirror_of(tmp_path / "new", memory).check(IDENTITY, resumes=False)
    with pytest.raises(UserError, match="differs in data, seed"):
        mirror_of(tmp_path / "new", memory).check(
            {"data": "d2", "model": "m1", "seed": 2}, resumes=True
        )
    assert memory.store == before
    mirror_of(tmp_path / "new", memory).check(IDENTITY, resumes=True)


def test_nothing_that_is_there_is_copied_again(run, memory):
    checkpoint(run / "model/checkpoint-1")
    copied(mirror_of(run, memory))
    system = Noted(memory)

    copied(mirror_of(run, system))

    assert system.done == []


@pytest.mark.parametrize("damage", [b"Weights", b"weig"])
def test_what_is_damaged_here_and_intact_there_is_fetched_again(run, memory, damage):
    for step in (1, 2):
        checkpoint(run / f"model/checkpoint-{step}")
    copied(mirror_of(run, memory))
    (run / "model/checkpoint-2/model.safetensors").write_bytes(damage)

    mirror = mirror_of(run, memory)
    mirror.restore()

    assert (run / "model/checkpoint-2/model.safetensors").read_bytes() == b"weights"
    copied(mirror)
    assert memory.cat("/m/model/checkpoint-2/model.safetensors") == b"weights"


def test_what_is_damaged_here_and_there_stays_where_it_is(run, memory):
    checkpoint(run / "model/checkpoint-1")
    copied(mirror_of(run, memory))
    memory.pipe({"/m/model/checkpoint-1/model.safetensors": b"Weights"})
    (run / "model/checkpoint-1/model.safetensors").write_bytes(b"weighTs")

    mirror_of(run, memory).restore()

    assert (run / "model/checkpoint-1/model.safetensors").read_bytes() == b"weighTs"
