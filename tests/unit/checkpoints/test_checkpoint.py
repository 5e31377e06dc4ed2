"""A checkpoint is complete under its final name, or it is not there."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mynah.checkpoints import commit as checkpoints
from mynah.checkpoints.commit import (
    add_file,
    checkpoint_path,
    clean,
    commit,
    copy_to_model_directory,
    intact_checkpoints,
    is_intact,
    retain,
    verify,
)
from mynah.errors import UserError


def write(model, step, text="weights"):
    with commit(checkpoint_path(model, step)) as staging:
        (staging / "model.safetensors").write_text(text * (step + 1))
        (staging / "optimizer.safetensors").write_text("moments")
        (staging / "trainer_state.json").write_text("{}")
        (staging / "tokenizer").mkdir()
        (staging / "tokenizer" / "vocab.json").write_text('{"a": 0}')
    return checkpoint_path(model, step)


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_a_commit_appears_under_its_name_only_when_it_is_done(tmp_path):
    final = checkpoint_path(tmp_path, 5)
    with commit(final) as staging:
        (staging / "file").write_text("x")
        assert not final.exists()
        assert intact_checkpoints(tmp_path) == []
    assert names(tmp_path) == ["checkpoint-5"]
    assert is_intact(final)


def test_the_sums_are_those_that_sha256sum_checks(tmp_path):
    final = write(tmp_path, 1)
    lines = (final / "SHA256SUMS").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == [
        "model.safetensors",
        "optimizer.safetensors",
        "tokenizer/vocab.json",
        "trainer_state.json",
    ]
    expected = hashlib.sha256(b"moments").hexdigest()
    assert f"{expected}  optimizer.safetensors" in lines
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=final, capture_output=True, check=False
    )
    assert done.returncode == 0


def test_files_can_be_read_by_whom_the_umask_allows(tmp_path):
    final = checkpoint_path(tmp_path, 1)
    before = os.umask(0o027)
    try:
        with commit(final) as staging:
            (staging / "model.safetensors").touch(mode=0o600)
    finally:
        os.umask(before)
    assert (final / "model.safetensors").stat().st_mode & 0o777 == 0o640


def test_a_block_that_raises_leaves_no_trace(tmp_path):
    write(tmp_path, 1)
    with pytest.raises(ZeroDivisionError), commit(checkpoint_path(tmp_path, 2)) as staging:
        (staging / "file").write_text("x")
        raise ZeroDivisionError
    assert names(tmp_path) == ["checkpoint-1"]


def test_a_commit_replaces_a_checkpoint_of_the_same_step(tmp_path):
    write(tmp_path, 1, "old")
    final = write(tmp_path, 1, "new")
    assert (final / "model.safetensors").read_text() == "newnew"
    assert names(tmp_path) == ["checkpoint-1"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
    ],
    ids=["disk", "quota", "safetensors"],
)
def test_a_full_disk_is_said_with_what_is_needed_and_what_is_free(tmp_path, error):
    write(tmp_path, 1)
    with (
        pytest.raises(UserError, match=r"needs about 2\.0 MB, [\d,.]+ MB are free") as caught,
        commit(checkpoint_path(tmp_path, 2), expected_bytes=2_000_000) as staging,
    ):
        (staging / "file").write_text("x")
        raise error
    assert "resume_from_checkpoint=last" in caught.value.fix
    assert names(tmp_path) == ["checkpoint-1"]
    assert is_intact(checkpoint_path(tmp_path, 1))


def test_a_folder_that_cannot_be_written_is_the_users_to_fix(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(checkpoints, "write_sums", refuse)
    with (
        pytest.raises(UserError, match="cannot be written") as caught,
        commit(checkpoint_path(tmp_path, 1)),
    ):
        pass
    assert "training.output_dir" in caught.value.fix


def test_every_file_and_directory_is_synced_before_the_rename(tmp_path, monkeypatch):
    events = []
    fsync, rename = os.fsync, os.rename

    def record_sync(descriptor):
        events.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(
        type(tmp_path), "rename", lambda a, b: (events.append("rename"), rename(a, b))
    )
    final = write(tmp_path, 1)
    before, after = events[: events.index("rename")], events[events.index("rename") + 1 :]
    assert set(before) == {path.stat().st_ino for path in [final, *final.rglob("*")]}
    assert after == [tmp_path.stat().st_ino]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda d: (d / "model.safetensors").unlink(), "model.safetensors missing"),
        (lambda d: (d / "model.safetensors").write_text("weightsweighty"), "altered"),
        (lambda d: (d / "tokenizer" / "vocab.json").write_text(""), "tokenizer/vocab.json altered"),
        (lambda d: (d / "SHA256SUMS").unlink(), "no SHA256SUMS"),
        (lambda d: (d / "SHA256SUMS").write_text("abc"), "SHA256SUMS is cut short"),
        (lambda d: (d / "SHA256SUMS").write_text("abc\n"), "SHA256SUMS is damaged"),
        (lambda d: (d / "SHA256SUMS").write_bytes(b"\xff\n"), "cannot be read"),
    ],
)
def test_damage_is_found_and_named_with_the_checkpoints_that_are_intact(tmp_path, damage, said):
    write(tmp_path, 1)
    final = write(tmp_path, 2)
    damage(final)
    with pytest.raises(UserError, match=said) as caught:
        verify(final)
    assert "checkpoint-1" in caught.value.fix
    assert intact_checkpoints(tmp_path) == [checkpoint_path(tmp_path, 1)]


def test_a_file_that_was_added_later_does_no_harm(tmp_path):
    final = write(tmp_path, 1)
    (final / "README.md").write_text("mine")
    verify(final)


def test_checkpoints_are_listed_by_step_and_nothing_else_is(tmp_path):
    for step in (100, 20, 3):
        write(tmp_path, step)
    (tmp_path / "checkpoint-x").mkdir()
    (tmp_path / "checkpoint-7").mkdir()
    assert [path.name for path in intact_checkpoints(tmp_path)] == [
        "checkpoint-3",
        "checkpoint-20",
        "checkpoint-100",
    ]
    assert intact_checkpoints(tmp_path / "nowhere") == []


def test_retention_keeps_the_newest_and_the_best(tmp_path):
    for step in (1, 2, 3, 4, 5):
        write(tmp_path, step)
    removed = retain(tmp_path, limit=3, best=checkpoint_path(tmp_path, 2))
    assert [path.name for path in removed] == ["checkpoint-1", "checkpoint-3"]
    assert names(tmp_path) == ["checkpoint-2", "checkpoint-4", "checkpoint-5"]


def test_retention_never_removes_the_newest_intact_one_or_the_best_for_a_limit_of_one(tmp_path):
    for step in (1, 2, 3, 4):
        write(tmp_path, step)
    (tmp_path / "checkpoint-4" / "model.safetensors").write_text("flipped")
    retain(tmp_path, limit=1, best=checkpoint_path(tmp_path, 1))
    assert names(tmp_path) == ["checkpoint-1", "checkpoint-3"]


def test_retention_never_removes_what_was_just_committed_whatever_steps_others_have(tmp_path):
    for step in (700, 800, 1400):
        write(tmp_path, step)
    best, new = checkpoint_path(tmp_path, 700), checkpoint_path(tmp_path, 800)
    retain(tmp_path, limit=2, best=best, committed=new)
    assert names(tmp_path) == ["checkpoint-1400", "checkpoint-700", "checkpoint-800"]
    retain(tmp_path, limit=2, best=None, committed=new)
    assert names(tmp_path) == ["checkpoint-1400", "checkpoint-800"]


def test_without_a_limit_everything_is_kept(tmp_path):
    for step in (1, 2, 3):
        write(tmp_path, step)
    assert retain(tmp_path, limit=None, best=None) == []
    assert len(intact_checkpoints(tmp_path)) == 3


def test_what_a_killed_process_left_is_cleaned_and_named(tmp_path):
    write(tmp_path, 1)
    for name in (".checkpoint-2.partial", ".checkpoint-0.deleting"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    (tmp_path / ".mine").mkdir()
    assert clean(tmp_path) == ["checkpoint-2"]
    assert names(tmp_path) == [".mine", "checkpoint-1"]


def test_a_checkpoint_killed_while_being_replaced_gets_its_name_back(tmp_path):
    write(tmp_path, 1).rename(tmp_path / ".checkpoint-1.replaced")
    assert clean(tmp_path) == []
    assert names(tmp_path) == ["checkpoint-1"]
    assert is_intact(checkpoint_path(tmp_path, 1))


def test_a_published_model_is_intact_and_has_no_training_state(tmp_path):
    copy_to_model_directory(write(tmp_path, 1), tmp_path)
    assert is_intact(tmp_path)
    assert names(tmp_path) == ["SHA256SUMS", "checkpoint-1", "model.safetensors", "tokenizer"]


def test_publishing_again_replaces_the_model_and_one_cut_short_is_recognised(tmp_path, monkeypatch):
    copy_to_model_directory(write(tmp_path, 1), tmp_path)
    second = write(tmp_path, 2)
    copy_to_model_directory(second, tmp_path)
    assert (tmp_path / "model.safetensors").read_text() == "weights" * 3

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints.shutil, "copyfile", fail)
    with pytest.raises(UserError, match="disk is full"):
        copy_to_model_directory(second, tmp_path)
    assert not is_intact(tmp_path)
    assert intact_checkpoints(tmp_path) == [checkpoint_path(tmp_path, 1), second]


def test_confidences_of_the_model_before_do_not_stay_beside_another_one(tmp_path):
    first = write(tmp_path, 1)
    copy_to_model_directory(first, tmp_path)
    for folder in (first, tmp_path):
        add_file(folder, "confidence.json", "{}")
    copy_to_model_directory(write(tmp_path, 2), tmp_path)
    assert is_intact(tmp_path) and not (tmp_path / "confidence.json").exists()
    copy_to_model_directory(first, tmp_path)  # which has its own
    assert is_intact(tmp_path) and (tmp_path / "confidence.json").read_text() == "{}"


def test_a_damaged_checkpoint_is_not_published(tmp_path):
    final = write(tmp_path, 1)
    (final / "model.safetensors").write_text("flipped")
    with pytest.raises(UserError, match="not intact"):
        copy_to_model_directory(final, tmp_path)
    assert names(tmp_path) == ["checkpoint-1"]


@settings(max_examples=60, deadline=None)
@given(
    damaged=st.lists(st.booleans(), min_size=1, max_size=6),
    limit=st.integers(1, 4),
    best=st.integers(0, 6),
)
def test_retention_keeps_the_newest_intact_one_and_the_best_whatever_is_damaged(
    tmp_path_factory, damaged, limit, best
):
    model = tmp_path_factory.mktemp("model")
    for step, is_damaged in enumerate(damaged):
        with commit(model / f"checkpoint-{step}") as staging:
            (staging / "weights").write_text(str(step))
        if is_damaged:
            (model / f"checkpoint-{step}" / "weights").write_text("other")
    chosen = model / f"checkpoint-{best}" if best < len(damaged) else None
    intact = intact_checkpoints(model)
    retain(model, limit=limit, best=chosen)
    left = {path.name for path in model.iterdir()}
    if intact:
        assert intact[-1].name in left
    if chosen is not None:
        assert chosen.name in left
    protected = {path.name for path in [*intact[-1:], chosen] if path is not None}
    assert len(left) == min(len(damaged), max(limit, len(protected)))
