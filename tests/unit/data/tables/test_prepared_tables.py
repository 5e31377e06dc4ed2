"""Prepared tables on disk: killed, cut short, of another version, on a full disk."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import data_helpers
import numpy as np
import pytest
from data_helpers import settings, write_folder

from mynah import console
from mynah.cli.main import main
from mynah.data.preparation import checking, selection
from mynah.data.preparation.prepare import prepare
from mynah.data.tables import shards, table
from mynah.errors import UserError

ROWS = [(f"a{number}.wav", f"Sentence number {number}", f"s{number % 4}") for number in range(12)]


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "recordings", ROWS)


def prepared(tmp_path, **changed):
    config = settings(tmp_path, dataset_name="recordings", eval_splits=[], **changed)
    return prepare(config, working_directory=tmp_path)


def files_read(monkeypatch):
    read, look = [], checking.files.inspect

    def inspect(file, **part):
        read.append(file.name)
        return look(file, **part)

    monkeypatch.setattr(checking.files, "inspect", inspect)
    return read


def only(paths):
    (path,) = paths
    return path


SLOW = """
    import sys, time
    from pathlib import Path
    sys.path.insert(0, {helpers!r})
    from data_helpers import settings
    from mynah.data.preparation import checking
    from mynah.data.preparation.prepare import prepare
    checking._SHARD_ROWS = 3
    look = checking.files.inspect
    def slow(file, **part):
        time.sleep(0.15)
        return look(file, **part)
    checking.files.inspect = slow
    config = settings(Path({root!r}), dataset_name="recordings", eval_splits=[], num_proc=1)
    prepare(config, working_directory=Path({root!r}))
"""


def test_a_preparation_that_was_killed_resumes_where_it_stopped(tmp_path, folder, monkeypatch):
    code = textwrap.dedent(SLOW).format(
        helpers=str(Path(data_helpers.__file__).parent), root=str(tmp_path)
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    until = time.monotonic() + 60
    while not list((tmp_path / "cache").glob("*.partial/shard-00001.arrow")):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    monkeypatch.setattr(checking, "_SHARD_ROWS", 3)
    read = files_read(monkeypatch)
    data = prepared(tmp_path)
    assert set(read) <= {row[0] for row in ROWS[6:]}
    assert data.train.ids == [row[0] for row in ROWS]


def test_a_table_of_another_version_is_made_again_and_said(tmp_path, folder, capsys, monkeypatch):
    first = prepared(tmp_path)
    monkeypatch.setattr(table, "FORMAT_VERSION", shards.FORMAT_VERSION + 1)
    read = files_read(monkeypatch)
    again = prepared(tmp_path)
    assert "was made by another version of Mynah: it is made again" in capsys.readouterr().out
    assert len(again.train) == 12 and again.train.fingerprint == first.train.fingerprint
    assert not read  # its shards have the same columns: only what was said of them was old


def test_shards_with_other_columns_are_not_gone_on_with(tmp_path, folder, monkeypatch):
    prepared(tmp_path)
    monkeypatch.setattr(table, "FORMAT_VERSION", shards.FORMAT_VERSION + 1)
    more = shards.TABLE_SCHEMA.append(shards.pa.field("new", "int32"))
    monkeypatch.setattr(shards, "TABLE_SCHEMA", more)
    assert not shards.is_complete_shard(
        only((tmp_path / "cache").glob("folder-*/shard-00000.arrow"))
    )


@pytest.mark.parametrize("damage", ["cut", "empty", "absent", "no account"])
def test_a_table_that_is_cut_short_is_made_again_and_said(tmp_path, folder, capsys, damage):
    first = prepared(tmp_path)
    shard = only((tmp_path / "cache").glob("folder-*/shard-00000.arrow"))
    if damage == "cut":
        shard.write_bytes(shard.read_bytes()[:-100])
    elif damage == "empty":
        shard.write_bytes(b"")
    elif damage == "absent":
        shard.unlink()
    else:
        (shard.parent / "table.json").write_text("{")
    again = prepared(tmp_path)
    assert "is cut short or altered: it is made again" in capsys.readouterr().out
    assert again.report == first.report and len(again.train.read_audio(3))


@pytest.mark.parametrize("name", ["account.json", "rows.npy", "dropped.jsonl"])
def test_a_choice_that_is_cut_short_is_made_again(tmp_path, folder, name):
    first = prepared(tmp_path, max_audio_seconds=1.0)
    file = only((tmp_path / "cache" / "views").glob(f"*/{name}"))
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    again = prepared(tmp_path, max_audio_seconds=1.0)
    assert again.report == first.report and again.train.ids == first.train.ids
    assert file.read_bytes() == content


def test_a_choice_is_not_made_twice(tmp_path, folder, monkeypatch):
    first = prepared(tmp_path, max_audio_seconds=1.0)
    monkeypatch.setattr("mynah.data.preparation.candidates._choose", None)
    assert prepared(tmp_path, max_audio_seconds=1.0).report == first.report
    with pytest.raises(TypeError):
        prepared(tmp_path, max_audio_seconds=1.1)


def full_after(monkeypatch, writes):
    """From the given write of a file on, the disk is full."""
    left, sync = [writes], os.fsync

    def fsync(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("writes", range(11))
def test_a_full_disk_is_reported_and_poisons_nothing(tmp_path, folder, monkeypatch, writes):
    monkeypatch.setattr(checking, "_SHARD_ROWS", 6)
    with monkeypatch.context() as full:
        full_after(full, writes)
        try:
            prepared(tmp_path)
            finished = True
        except UserError as problem:
            finished = False
            assert "No space left on device" in problem.what
            assert "data.dataset_cache_dir=" in problem.fix
    # Two shards, the table, the choice's two files: each is synced, and then its folder.
    assert finished == (writes >= 10)
    assert prepared(tmp_path).train.ids == [row[0] for row in ROWS]


def test_the_first_bad_file_ends_the_preparation_where_that_is_asked(
    tmp_path, folder, monkeypatch, capsys
):
    (folder / "a2.wav").write_bytes(b"no sound")
    (folder / "a7.wav").write_bytes(b"nor here")
    monkeypatch.setattr(checking, "_SHARD_ROWS", 4)
    read = files_read(monkeypatch)
    with pytest.raises(UserError, match=r"a2\.wav cannot be read"):
        prepared(tmp_path, on_error="fail", num_proc=1)
    assert len(read) <= 4  # and not all twelve
    assert len(prepared(tmp_path).train) == 10
    with pytest.raises(UserError, match=r"2 training recordings cannot be read.*a2\.wav"):
        prepared(tmp_path, on_error="fail")


def test_many_rows_left_out_are_listed_in_a_file_beside_the_account(
    tmp_path, folder, monkeypatch, capsys
):
    monkeypatch.setattr("mynah.data.preparation.candidates.LISTED_ROWS", 3)
    data = prepared(tmp_path, max_audio_seconds=1.0)
    data.write(tmp_path)
    account = json.loads((tmp_path / "data.json").read_text())["splits"]["train"]
    assert account["dropped"] == {"too long": 6} and len(account["dropped_rows"]) == 3
    listed = (tmp_path / account["dropped_file"]).read_text().splitlines()
    assert [json.loads(line)["id"] for line in listed] == [f"a{n}.wav" for n in range(6, 12)]
    assert "dropped-train.jsonl lists them" in capsys.readouterr().out


def test_the_command_prepares_a_folder_and_shows_its_splits(tmp_path, folder, monkeypatch, capsys):
    (folder / "a2.wav").write_bytes(b"no sound")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MYNAH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(console.console(), "width", 200)  # a row of the table is one line
    status = main(["data", "prepare", "./recordings", "data.max_audio_seconds=1.05", "--to", "x"])
    reported = " ".join(capsys.readouterr().out.split())
    assert status == 0
    assert "train (training)" in reported and "held_out (evaluation)" in reported
    assert "1 unreadable" in reported and "too long" in reported
    assert f"Prepared tables lie in {tmp_path / 'cache'}" in reported
    assert json.loads((tmp_path / "x" / "data.json").read_text())["corpus"] == "recordings"


def test_the_command_says_what_is_wrong_in_a_few_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["data", "prepare", "data.max_audio_second=3"]) == 2
    assert "mynah data prepare data.max_audio_seconds=3" in capsys.readouterr().err
    assert main(["data", "prepare", "./nowhere"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_limits_in_hours_leave_one_row_at_least():
    kept, seconds = np.arange(10), np.full(10, 3600.0)
    assert len(selection.within_limits(kept, seconds, hours=3.5)) == 3
    assert len(selection.within_limits(kept, seconds, hours=0.1)) == 1
    few = selection.within_limits(kept, seconds, samples=4)
    assert set(few) < set(selection.within_limits(kept, seconds, samples=6))


def test_a_table_that_was_altered_at_equal_size_is_made_again(tmp_path, folder, capsys):
    before = prepared(tmp_path).train
    texts, fingerprint = list(before.texts), before.fingerprint
    file = only(tmp_path.rglob("shard-*.arrow"))
    content = file.read_bytes()
    assert content.count(b"Sentence number 7") == 1
    file.write_bytes(content.replace(b"Sentence number 7", b"Sentence number 8"))
    again = prepared(tmp_path).train
    assert "is cut short or altered: it is made again" in capsys.readouterr().out
    assert list(again.texts) == texts and again.fingerprint == fingerprint


def test_a_table_that_was_copied_is_taken_as_it_is(tmp_path, folder, monkeypatch):
    file = prepared(tmp_path) and only(tmp_path.rglob("shard-*.arrow"))
    os.utime(file, (1, 1))
    read = files_read(monkeypatch)
    prepared(tmp_path)
    assert read == []


def test_a_drive_that_fails_is_not_a_fault_of_a_recording(tmp_path, folder, monkeypatch):
    look = checking.files.inspect

    def inspect(file, **part):
        if file.name == "a3.wav":
            raise OSError(errno.EIO, "Input/output error", str(file))
        return look(file, **part)

    with monkeypatch.context() as patch, pytest.raises(UserError, match="drive failed") as caught:
        patch.setattr(checking.files, "inspect", inspect)
        prepared(tmp_path)
    assert caught.value.where.endswith("a3.wav")
    assert len(prepared(tmp_path).train) == 12  # and nothing of it was kept


def test_a_recording_of_hours_shows_that_it_is_being_read(tmp_path, monkeypatch, capsys):
    import soundfile

    name = "long.flac"
    write_folder(tmp_path / "recordings", [(name, "a very long talk", "s1")])
    minutes = np.zeros((4 * 60 * 8000, 8), dtype=np.int16)
    minutes[::50] = 1000
    soundfile.write(tmp_path / "recordings" / name, minutes, 8000)
    monkeypatch.setattr(checking, "_LONG_SECONDS", 60)
    monkeypatch.setattr(console, "_PLAIN_SECONDS", 0.0)
    prepared(tmp_path, max_audio_seconds=None)
    said = [line for line in capsys.readouterr().out.splitlines() if "min read" in line]
    assert any("(long.flac: 2 min read)" in line for line in said) and len(said) > 3


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_a_recording_whose_name_is_not_utf_8_is_left_out_and_says_so(tmp_path, folder):
    strange = Path(os.fsdecode(os.fsencode(folder) + b"/b\xefd.wav"))
    (folder / "a5.wav").rename(strange)
    for file in folder.glob("metadata.*"):
        file.unlink()
    for name in ("a0", "a1"):
        (folder / f"{name}.txt").write_text("some words")
    strange.with_suffix(".txt").write_text("other words")
    data = prepared(tmp_path)
    assert sorted(data.train.texts) == ["some words", "some words"]
    (left,) = [
        row for row in data.report["splits"]["train"]["dropped_rows"] if "UTF-8" in row["detail"]
    ]
    assert "b\\udcefd.wav" in left["detail"] and "rename it" in left["detail"]
