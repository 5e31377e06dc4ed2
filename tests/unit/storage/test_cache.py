"""What was fetched is complete or not there, and the cache has a bound.

The storage is fsspec's memory, of which some requests fail where a test says so.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from pathlib import Path

import fsspec
import pytest

from mynah.errors import UserError
from mynah.files import sha256
from mynah.runs.stored import checkpoint_in, fetched_model
from mynah.storage import cache
from mynah.storage.store import Patience, Store


@pytest.fixture(autouse=True)
def memory(tmp_path, monkeypatch):
    monkeypatch.setenv("MYNAH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_held", {})
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def store(memory, address="memory://b/corpus"):
    return Store(address, patience=Patience(()), connect=lambda: memory)


def wanted(memory, address="memory://b/corpus"):
    there = store(memory, address)
    return cache.Fetched(there, there.list())


def test_a_folder_is_here_as_it_is_there_and_read_once(memory, monkeypatch):
    memory.pipe({"/b/corpus/a.txt": b"one", "/b/corpus/wav/1.wav": b"RIFF"})
    folder = cache.fetched(wanted(memory))

    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")} == {
        "a.txt": b"one", "wav/1.wav": b"RIFF",
    }  # fmt: skip
    assert folder.name == "corpus"
    monkeypatch.setattr(Store, "pieces", None)
    assert cache.fetched(wanted(memory)) == folder
    assert cache.kept("memory://b/corpus/") == folder


def test_what_changed_there_is_fetched_again(memory):
    memory.pipe({"/b/corpus/a.txt": b"one"})
    cache.fetched(wanted(memory))
    memory.pipe({"/b/corpus/a.txt": b"three"})

    assert (cache.fetched(wanted(memory)) / "a.txt").read_bytes() == b"three"


def test_what_breaks_off_is_not_there_and_is_fetched_in_full_the_next_time(memory, monkeypatch):
    memory.pipe({"/b/corpus/a.txt": b"one", "/b/corpus/b.txt": b"two"})
    intact = Store.pieces

    def broken(self, entry, **named):
        if entry.name == "b.txt":
            raise UserError("the network is gone")
        return intact(self, entry, **named)

    monkeypatch.setattr(Store, "pieces", broken)
    with pytest.raises(UserError, match="the network is gone"):
        cache.fetched(wanted(memory))
    assert cache.kept("memory://b/corpus") is None
    monkeypatch.setattr(Store, "pieces", intact)

    assert (cache.fetched(wanted(memory)) / "b.txt").read_bytes() == b"two"


def _fetch_and_end(address):
    cache.fetched(wanted(fsspec.filesystem("memory"), address))


def test_what_was_used_longest_ago_goes_first_and_nothing_that_is_in_use(memory, monkeypatch):
    monkeypatch.setenv("MYNAH_STORAGE_GIB", str(2500 / 2**30))
    for name in ("old", "new", "third"):
        memory.pipe({f"/b/{name}/a": bytes(1000)})
    for name in ("old", "new"):  # in a process of its own, whose use ends with it
        process = multiprocessing.get_context("fork").Process(
            target=_fetch_and_end, args=(f"memory://b/{name}",)
        )
        process.start()
        process.join()
    cache.fetched(wanted(memory, "memory://b/old"))  # used now, though it is the older one

    cache.fetched(wanted(memory, "memory://b/third"))

    assert cache.kept("memory://b/old") is not None
    assert cache.kept("memory://b/new") is None
    assert cache.kept("memory://b/third") is not None


def test_what_others_remove_while_room_is_made_is_left_out(memory, monkeypatch):
    other = cache.storage_root() / "other" / "content"
    other.mkdir(parents=True)
    (other / "a").write_bytes(b"x" * 10)
    is_file = Path.is_file

    def removed_after(path: Path) -> bool:
        found = is_file(path)
        if path == other / "a":
            path.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Path, "is_file", removed_after)
    memory.pipe({"/b/corpus/a.txt": b"one"})
    assert (cache.fetched(wanted(memory)) / "a.txt").read_bytes() == b"one"
    assert not (other / "a").exists()


def test_what_is_larger_than_the_bound_is_refused_before_it_is_read(memory, monkeypatch):
    monkeypatch.setenv("MYNAH_STORAGE_GIB", str(500 / 2**30))
    memory.pipe({"/b/corpus/a": bytes(1000)})
    monkeypatch.setattr(Store, "pieces", None)

    with pytest.raises(UserError, match="the cache of storage may hold"):
        cache.fetched(wanted(memory))


@pytest.mark.parametrize("typed", ["a lot", "-1", "nan", "inf", "0"])
def test_a_bound_is_a_number(typed, monkeypatch):
    monkeypatch.setenv("MYNAH_STORAGE_GIB", typed)

    with pytest.raises(UserError, match="is a number of GiB"):
        cache.bound_bytes()


def model(memory, tmp_path, prefix, content):
    (tmp_path / "sum").write_bytes(content)
    sums = f"{sha256(tmp_path / 'sum')}  config.json\n".encode()
    memory.pipe({f"{prefix}/config.json": content, f"{prefix}/SHA256SUMS": sums})


def test_of_a_run_the_best_model_is_fetched_and_no_checkpoint(memory, tmp_path, monkeypatch):
    model(memory, tmp_path, "/b/run/model", b"best")
    model(memory, tmp_path, "/b/run/model/checkpoint-5", b"newest")
    monkeypatch.setattr("mynah.runs.stored.Store", lambda address, setting: store(memory, address))

    folder = fetched_model("memory://b/run", "eval_checkpoint")

    assert sorted(path.name for path in folder.iterdir()) == ["SHA256SUMS", "config.json"]
    assert (folder / "config.json").read_bytes() == b"best"


def test_a_model_whose_sums_do_not_agree_is_refused_and_not_kept(memory, tmp_path, monkeypatch):
    model(memory, tmp_path, "/b/run/model", b"best")
    memory.pipe({"/b/run/model/config.json": b"evil"})
    monkeypatch.setattr("mynah.runs.stored.Store", lambda address, setting: store(memory, address))

    with pytest.raises(UserError, match=r"not intact: config.json altered"):
        fetched_model("memory://b/run/model", "eval_checkpoint")
    assert cache.kept("memory://b/run/model") is None


def test_a_checkpoint_of_which_a_file_is_missing_is_not_complete(memory, tmp_path):
    model(memory, tmp_path, "/b/run/checkpoint-5", b"newest")
    memory.rm("/b/run/checkpoint-5/config.json")
    there = store(memory, "memory://b/run")

    assert checkpoint_in(there, there.list(), "checkpoint-5/").summed() is None


class Evicted:
    """The lock that a process lets go of; another one removes the folder at that moment."""

    def __init__(self, lock, place):
        self._lock, self._place = lock, place

    def close(self):
        self._lock.close()
        assert cache._removed(self._place)


def test_a_folder_that_is_evicted_before_it_is_filled_is_made_again(memory, monkeypatch):
    memory.pipe({"/b/corpus/a.txt": b"one"})
    keep = cache._keep

    def kept(place):
        keep(place)
        if not (place / "complete.json").exists():
            monkeypatch.setitem(cache._held, place, Evicted(cache._held[place], place))

    monkeypatch.setattr(cache, "_keep", kept)
    assert (cache.fetched(wanted(memory)) / "a.txt").read_text() == "one"


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no file that is open")
@pytest.mark.parametrize("at", [1, 2], ids=["to read it", "to fill it"])
def test_a_folder_that_is_evicted_while_its_lock_is_waited_for_is_locked_all_the_same(
    memory, monkeypatch, at
):
    memory.pipe({"/b/corpus/a.txt": b"one"})
    lock, fill = cache._lock, cache._fill
    waits = []

    def waited(file, *, shared, wait):
        waits.extend([file.name] * wait)
        if wait and len(waits) == at:  # who removes it had the lock, and is done now
            shutil.rmtree(Path(file.name).parent)
        return lock(file, shared=shared, wait=wait)

    def filled(place, *given):
        assert (place / "lock").is_file() and not cache._removed(place)
        fill(place, *given)

    monkeypatch.setattr(cache, "_lock", waited)
    monkeypatch.setattr(cache, "_fill", filled)
    folder = cache.fetched(wanted(memory))
    assert len(waits) > at and not cache._removed(folder.parents[1])
    assert (folder / "a.txt").read_text() == "one"


def removed_at(monkeypatch, moments):
    """Others remove a folder before it is kept, each time that is one of ``moments``."""
    keep, seen = cache._keep, []

    def kept(place):
        if (place / "complete.json").exists() and place not in cache._held:
            seen.append(place)
            if len(seen) in moments:
                assert cache._removed(place)
        keep(place)

    monkeypatch.setattr(cache, "_keep", kept)
    return seen


def test_a_folder_that_is_evicted_between_filling_and_keeping_it_is_filled_again(
    memory, monkeypatch
):
    memory.pipe({"/b/corpus/a.txt": b"one"})
    seen = removed_at(monkeypatch, {1, 2})
    folder = cache.fetched(wanted(memory))
    assert len(seen) == 3 and (folder / "a.txt").read_text() == "one"
    assert not cache._removed(folder.parents[1])


def test_a_folder_that_is_evicted_again_and_again_is_an_error_with_a_way_out(memory, monkeypatch):
    memory.pipe({"/b/corpus/a.txt": b"one"})
    removed_at(monkeypatch, set(range(1, 1000)))
    with pytest.raises(UserError, match="removed 3 times before it could be read") as problem:
        cache.fetched(wanted(memory))
    assert "MYNAH_STORAGE_GIB=200 " in problem.value.fix  # 100 GiB, where nothing is set


def test_a_folder_that_is_evicted_before_it_is_kept_is_not_the_one_that_was_fetched_last(
    memory, monkeypatch
):
    folders = []
    for number, content in enumerate((b"one", b"three")):
        memory.pipe({"/b/corpus/a.txt": content})
        folders.append(cache.fetched(wanted(memory)))
        os.utime(folders[-1].parents[1] / "complete.json", (number, number))
    cache._held.clear()  # as in a process of its own
    removed_at(monkeypatch, {1})
    assert cache.kept("memory://b/corpus") == folders[0]
    assert not folders[1].exists() and not cache._removed(folders[0].parents[1])
