"""Files that are written in full or not at all, read leniently, and shown to a person."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import pytest

from mynah import files


def test_a_file_is_replaced_only_when_the_block_ends_well(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), files.staged(target) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    with files.staged(target) as beside:
        beside.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_reader_never_sees_a_part_while_two_threads_write(tmp_path):
    target = tmp_path / "run.json"
    files.write_json(target, {"value": "a" * 5000})
    ended = threading.Event()

    def write(letter: str) -> None:
        for _ in range(60):
            files.write_json(target, {"value": letter * 5000})

    def read() -> None:
        while not ended.is_set():
            seen.add(json.loads(target.read_text())["value"][:2])

    seen: set[str] = set()
    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=[letter]) for letter in "bc"]
    reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    ended.set()
    reader.join()
    assert seen <= {"aa", "bb", "cc"}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    script = (
        "import os, signal, sys; from pathlib import Path; from mynah import files\n"
        "with files.staged(Path(sys.argv[1])) as beside:\n"
        "    beside.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "table.json")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    (tmp_path / ".hidden.writing").write_text("of a person")
    assert len(list(tmp_path.iterdir())) == 2 and not (tmp_path / "table.json").exists()
    files.remove_staged(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".hidden.writing"]


def test_a_file_is_synced_before_it_takes_its_name(tmp_path, monkeypatch):
    done, fsync, replace = [], os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        done.append("sync")
        fsync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        done.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    files.write_bytes(tmp_path / "a", b"1")
    assert done == ["sync", "rename", "sync"]


def test_a_text_with_half_a_character_is_written_as_an_escape_that_json_reads(tmp_path):
    files.write_json(tmp_path / "a.json", {"text": "naïve \udc80"})
    assert (tmp_path / "a.json").read_bytes() == b'{"text": "na\xc3\xafve \\udc80"}\n'
    assert files.read_json(tmp_path / "a.json") == {"text": "naïve \udc80"}


def test_a_text_keeps_its_line_ends_and_may_come_in_parts(tmp_path):
    files.write_text(tmp_path / "a.csv", ["a\r\n", "b\n"])
    assert (tmp_path / "a.csv").read_bytes() == b"a\r\nb\n"


@pytest.mark.parametrize("content", [None, b"{", b"[1]", b"\xff"])
def test_json_that_cannot_be_read_is_an_empty_object(tmp_path, content):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    assert files.read_json(tmp_path / "a.json") == {}


def test_a_sum_is_that_of_sha256sum(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")  # the example of FIPS 180-2
    found = files.sha256(tmp_path / "a")
    assert found == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_path_is_shown_from_where_a_person_is(tmp_path, monkeypatch):
    (tmp_path / "here" / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    inside = tmp_path / "here" / "sub" / "a"
    assert files.display_path(inside) == files.display_path(Path("sub/a")) == "sub/a"
    assert files.display_path(tmp_path / "link" / "sub" / "a") == "sub/a"
    assert files.display_path(inside, tmp_path) == "here/sub/a"
    assert files.display_path(tmp_path / "other") == str(tmp_path / "other")


def test_who_has_waited_for_a_lock_says_so_once_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_SECONDS_BEFORE_SAYING", 0.05)
    held = filelock.FileLock(tmp_path / "here" / "a.lock", thread_local=False)
    (tmp_path / "here").mkdir()
    held.acquire()
    said = []

    def release():
        said.append("waiting")
        held.release()

    with files.alone(tmp_path / "here" / "a.lock", waiting=release):
        assert said == ["waiting"]
        with pytest.raises(filelock.Timeout):
            filelock.FileLock(tmp_path / "here" / "a.lock").acquire(timeout=0)
    held.acquire(timeout=0)


def test_nobody_waits_where_there_are_no_locks(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with files.alone(tmp_path / "file" / "a.lock"):
        assert (tmp_path / "file").read_text() == "not a folder"
