"""What comes here of storage before a training resumes: what it needs, and all of its mirror.

The storage is fsspec's memory.
"""

from __future__ import annotations

import dataclasses
import json

import fsspec
import pytest

from mynah.checkpoints.commit import commit
from mynah.checkpoints.mirror import Mirror
from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.storage.store import Patience, Store
from mynah.training.resuming import beginning
from mynah.training.resuming.beginning import checkpoint_to_resume


@pytest.fixture
def memory(monkeypatch):
    system = fsspec.filesystem("memory")
    system.store.clear()

    def store(address, **_):
        return stored(system, address.removeprefix("s3://"))

    monkeypatch.setattr(beginning, "Store", store)
    yield system
    system.store.clear()


def stored(system, place):
    return Store(f"memory://{place}", patience=Patience(()), connect=lambda: system)


def checkpoint(model, step, best):
    """A checkpoint that knows which step was the best."""
    with commit(model / f"checkpoint-{step}") as staging:
        about = {"step": step, "best": {"step": best, "score": 0.1}}
        (staging / "mynah.json").write_text(json.dumps(about))
    return model / f"checkpoint-{step}"


def upload(memory, model):
    for path in model.rglob("*"):
        if path.is_file():
            name = path.relative_to(model).as_posix()
            memory.pipe({f"/b/run/model/{name}": path.read_bytes()})


@pytest.fixture
def bucket(memory, tmp_path):
    """A run in a bucket: of three checkpoints that of step 50 is the best."""
    for step in (50, 75, 100):
        checkpoint(tmp_path / "lost/model", step, best=50)
    upload(memory, tmp_path / "lost/model")
    return memory


def resuming(address, **training):
    config = Config(resume_from_checkpoint=address)
    return dataclasses.replace(config, training=dataclasses.replace(config.training, **training))


def there(folder):
    return sorted(path.name for path in folder.glob("checkpoint-*"))


@pytest.mark.parametrize("address", ["s3://b/run", "s3://b/run/model/checkpoint-100"])
def test_the_best_checkpoint_comes_with_the_one_that_is_resumed_from(bucket, tmp_path, address):
    output = tmp_path / "new/model"
    resume = checkpoint_to_resume(resuming(address), tmp_path, output)
    assert resume == output / "checkpoint-100"
    assert there(output) == ["checkpoint-100", "checkpoint-50"]


def test_it_stays_where_it_is_if_the_newest_is_to_be_the_model(bucket, tmp_path):
    output = tmp_path / "new/model"
    config = resuming("s3://b/run", load_best_model_at_end=False)
    checkpoint_to_resume(config, tmp_path, output)
    assert there(output) == ["checkpoint-100"]


@pytest.mark.parametrize("address", ["s3://b/run", "s3://b/run/model/checkpoint-100"])
def test_where_it_is_not_there_that_is_said(bucket, tmp_path, capsys, address):
    bucket.rm("/b/run/model/checkpoint-50", recursive=True)
    output = tmp_path / "new/model"
    assert checkpoint_to_resume(resuming(address), tmp_path, output) is not None
    assert there(output) == ["checkpoint-100"]
    said = " ".join(capsys.readouterr().out.split())
    assert "run/model/checkpoint-50 is skipped: it is not complete" in said


def test_where_its_folder_may_not_be_listed_that_is_said(bucket, tmp_path, capsys, monkeypatch):
    def forbidden(*_):
        raise UserError("The credentials do not allow it to be read.")

    monkeypatch.setattr(beginning.stored, "beside", forbidden)
    output = tmp_path / "new/model"
    assert checkpoint_to_resume(resuming("s3://b/run"), tmp_path, output) is not None
    said = " ".join(capsys.readouterr().out.split())
    assert "checkpoint-50, the best so far, cannot be fetched: The credentials" in said


@pytest.mark.parametrize("best", ["../../evil", -1, True, None, 10**40])
def test_a_best_step_that_is_none_harms_nothing(memory, tmp_path, best):
    checkpoint(tmp_path / "lost/model", 3, best=best)
    upload(memory, tmp_path / "lost/model")
    output = tmp_path / "new/model"
    assert checkpoint_to_resume(resuming("s3://b/run"), tmp_path, output) is not None
    assert there(output) == ["checkpoint-3"]


@pytest.mark.parametrize("copied", [True, False])
def test_all_of_a_mirror_comes_here_for_what_is_not_here_goes_there(bucket, tmp_path, copied):
    run = tmp_path / "new"
    address = "s3://b/run"
    if copied:  # a folder that was carried to another machine
        address = str(checkpoint(tmp_path / "carried", 100, best=50))
    mirror = Mirror(stored(bucket, "b/run"), run, run / "model")
    checkpoint_to_resume(resuming(address), tmp_path, run / "model", mirror)
    checkpoint(run / "model", 125, best=50)
    mirror.committed()
    mirror.wait(20)
    assert mirror.finish() is None
    left = {name.split("/")[4] for name in bucket.store if "/model/checkpoint-" in name}
    assert left == {"checkpoint-50", "checkpoint-75", "checkpoint-100", "checkpoint-125"}


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (UserError("The checkpoint does not fit on this disk."), "does not fit on this disk"),
        (UserError("SHA256SUMS names '../x'."), "SHA256SUMS names '../x'"),
    ],
)
def test_where_it_cannot_be_fetched_that_is_said(
    bucket, tmp_path, capsys, monkeypatch, problem, said
):
    really = beginning.fetch

    def fails_for_the_best(found, final):
        if final.name == "checkpoint-50":
            raise problem
        return really(found, final)

    monkeypatch.setattr(beginning, "fetch", fails_for_the_best)
    output = tmp_path / "new/model"
    resume = checkpoint_to_resume(resuming("s3://b/run"), tmp_path, output)
    assert resume == output / "checkpoint-100"
    printed = " ".join(capsys.readouterr().out.split())
    assert "checkpoint-50, the best so far, cannot be fetched:" in printed and said in printed


@pytest.mark.parametrize(
    ("named", "found"),
    [("new", 100), ("new/model", 100), ("new/model/checkpoint-50", 50)],
)
def test_of_a_named_run_the_newest_of_its_mirror_is_resumed_from(bucket, tmp_path, named, found):
    run = tmp_path / "new"
    for step in (50, 75):
        checkpoint(run / "model", step, best=50)
    mirror = Mirror(stored(bucket, "b/run"), run, run / "model")
    resume = checkpoint_to_resume(resuming(named), tmp_path, run / "model", mirror)
    assert resume == run / f"model/checkpoint-{found}"
    assert there(run / "model") == ["checkpoint-100", "checkpoint-50", "checkpoint-75"]


@pytest.mark.parametrize("named", ["last", "auto", "new"])
def test_the_newest_that_is_damaged_here_comes_from_the_mirror(
    bucket, tmp_path, monkeypatch, named
):
    run = tmp_path / "new"
    for step in (75, 100):
        checkpoint(run / "model", step, best=50)
    about = run / "model/checkpoint-100/mynah.json"
    about.write_bytes(about.read_bytes().replace(b"0.1", b"0.2"))
    config = resuming(named, mirror="s3://b/run")
    monkeypatch.setattr(Mirror, "check", lambda *_, **__: None)  # whose run it is: asked elsewhere
    with beginning.mirrored(config, run, run / "model") as mirror:
        resume = checkpoint_to_resume(config, tmp_path, run / "model", mirror)
    assert resume == run / "model/checkpoint-100"
