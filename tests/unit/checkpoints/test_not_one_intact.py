"""Where not one checkpoint is intact: a person reads which file is damaged, and a job of a sweep
begins again."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from pathlib import Path

import fsspec
import pytest

from mynah.checkpoints import find
from mynah.checkpoints.commit import commit
from mynah.checkpoints.mirror import Mirror
from mynah.cli.shared.job import run_overrides
from mynah.config.hydra.compose import compose
from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.runs.record import identity
from mynah.storage.store import Patience, Store
from mynah.training.resuming.beginning import checkpoint_to_resume, mirrored


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def there(monkeypatch):
    """A store in fsspec's memory, in the place of the one that ``training.mirror`` names."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    store = Store("memory://b/runs/0", patience=Patience(()), connect=lambda: system)
    monkeypatch.setattr("mynah.training.resuming.beginning.Store", lambda *_, **__: store)
    monkeypatch.setattr(Mirror, "check", lambda *_, **__: None)  # whose run it is: asked elsewhere
    yield system
    system.store.clear()


def checkpoint(model: Path, step: int, *, damaged: bool = True) -> Path:
    with commit(model / f"checkpoint-{step}") as staging:
        (staging / "weights").write_bytes(b"as they were saved")
    if damaged:
        (model / f"checkpoint-{step}" / "weights").write_bytes(b"one bit is flipped")
    return model / f"checkpoint-{step}"


def run_of(folder: Path, config: Config, *, is_job: bool = False, output: Path | None = None):
    folder.mkdir(parents=True)
    about = {"identity": identity(config), "output_dir": str(output or folder / "model")}
    (folder / "run.json").write_text(json.dumps(about))
    if is_job:
        (folder / "job.json").write_text("{}")
    return folder


@pytest.mark.parametrize("others", [False, True])
def test_last_names_the_newest_of_the_damaged_and_its_file(tmp_path, others):
    config = Config(resume_from_checkpoint="last")
    run = run_of(tmp_path / "outputs/day/1", config)
    newest = [checkpoint(run / "model", step) for step in (5, 10)][-1]
    if others:  # of which another seed is not what is wrong
        other = dataclasses.replace(config, training=dataclasses.replace(config.training, seed=8))
        checkpoint(run_of(tmp_path / "outputs/day/2", other) / "model", 7, damaged=False)
    with pytest.raises(UserError) as caught:
        find.resolve_resume(config, working_directory=tmp_path)
    assert caught.value.what == (
        "checkpoint-10, which would be resumed from, is not intact: weights altered or cut short. "
        "1 before it are not intact either."
    )
    assert caught.value.where == str(newest)
    assert "copy it again" in caught.value.fix and "new run" in caught.value.fix
    auto = dataclasses.replace(config, resume_from_checkpoint="auto")
    assert find.resolve_resume(auto, working_directory=tmp_path) is None


def test_last_names_the_damaged_one_of_the_folder_that_is_trained_into(tmp_path):
    damaged = checkpoint(tmp_path / "elsewhere", 5)
    config = Config(resume_from_checkpoint="last")
    with pytest.raises(UserError, match=r"^checkpoint-5, which .* weights altered") as caught:
        find.resolve_resume(config, working_directory=tmp_path, output_directory=damaged.parent)
    assert caught.value.where == str(damaged)


@pytest.mark.parametrize("place", ["model", "elsewhere"])
@pytest.mark.parametrize("lost", [False, True])
def test_a_job_of_a_sweep_begins_again_and_keeps_the_damaged(tmp_path, capsys, place, lost):
    job, output = tmp_path / "outputs/sweeps/grid/0", tmp_path / "weights/0"
    typed = [f"hydra.run.dir={job}", f"resume_from_checkpoint={job}"]
    if place == "elsewhere":
        typed.append(f"training.output_dir={output}")
    else:
        output = job / "model"
    config = compose(typed).config
    run_of(job, config, is_job=True, output=output)
    damaged = checkpoint(output, 5)
    if lost:
        for path in damaged.iterdir():
            path.unlink()
    assert run_overrides(compose(typed)) == []  # before the run begins
    assert damaged.is_dir()
    assert checkpoint_to_resume(config, tmp_path, output) is None
    assert [path.name for path in (output / "set_aside").iterdir()] == ["checkpoint-5"]
    assert not damaged.exists()
    said = " ".join(capsys.readouterr().out.split())
    assert "Not one of this job's checkpoints is intact, so it begins again" in said
    resumed = checkpoint(output, 2, damaged=False)
    checkpoint(output, 4)
    assert checkpoint_to_resume(config, tmp_path, output) == resumed
    assert (output / "checkpoint-4").is_dir()


def test_a_job_whose_drive_does_not_answer_ends_and_leaves_its_checkpoints(tmp_path, monkeypatch):
    """They may be intact, as another node of the cluster sees them."""
    job = run_of(tmp_path / "outputs/sweeps/grid/0", Config(), is_job=True)
    intact = checkpoint(job / "model", 5, damaged=False)
    open_as_ever = Path.open

    def stale(path, *args, **kwargs):
        if path.name == "weights":
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
        return open_as_ever(path, *args, **kwargs)

    config = Config(resume_from_checkpoint=str(job))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", stale)
        with pytest.raises(UserError, match=r"^checkpoint-5 cannot be read .*Stale") as caught:
            checkpoint_to_resume(config, tmp_path, job / "model")
    assert caught.value.where == str(intact / "weights")
    assert checkpoint_to_resume(config, tmp_path, job / "model") == intact


def test_what_is_damaged_here_comes_from_the_mirror_of_the_job(tmp_path, there):
    job = run_of(tmp_path / "outputs/sweeps/grid/0", Config(), is_job=True)
    intact = checkpoint(job / "model", 5, damaged=False)
    for path in intact.iterdir():
        there.pipe({f"/b/runs/0/model/checkpoint-5/{path.name}": path.read_bytes()})
    (intact / "weights").write_bytes(b"one bit is flipped")
    typed = [
        f"hydra.run.dir={job}", f"resume_from_checkpoint={job}", "training.mirror=s3://b/runs"
    ]  # fmt: skip
    assert run_overrides(compose(typed)) == []
    config = compose(typed).config
    with mirrored(config, job, job / "model") as mirror:
        assert checkpoint_to_resume(config, tmp_path, job / "model", mirror) == intact
    assert (intact / "weights").read_bytes() == b"as they were saved"


def test_a_run_beside_a_sweep_is_not_begun_again_unasked(tmp_path, there):
    run = run_of(tmp_path / "mine", Config())
    damaged = checkpoint(run / "model", 5)
    typed = [f"hydra.run.dir={run}", f"resume_from_checkpoint={run}"]
    with pytest.raises(UserError, match="is not intact: weights altered"):
        run_overrides(compose(typed))
    mirrored_too = [*typed, "training.mirror=s3://b/runs"]
    assert run_overrides(compose(mirrored_too)) == []  # its mirror may have it
    config = compose(mirrored_too).config
    with (
        pytest.raises(UserError, match="is not intact: weights altered"),
        mirrored(config, run, run / "model") as mirror,
    ):
        checkpoint_to_resume(config, tmp_path, run / "model", mirror)
    assert damaged.is_dir()
