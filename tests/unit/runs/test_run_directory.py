"""The rules of a run's directory that concern directories."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mynah.checkpoints import find
from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.runs import directory as runs_directory
from mynah.runs import record


def make_checkpoint(directory: Path, committed: float = 1000.0) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "model.safetensors").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    (directory / "SHA256SUMS").write_text(f"{digest}  model.safetensors\n")
    os.utime(directory / "SHA256SUMS", (committed, committed))
    return directory


def make_run(outputs: Path, name: str, identity: dict, steps: dict[int, float]) -> Path:
    run = outputs / name
    run.mkdir(parents=True)
    record.record(run, identity=identity, status="running")
    for step, committed in steps.items():
        make_checkpoint(run / "model" / f"checkpoint-{step}", committed)
    return run


def _claim_at_once(parent: str, barrier, claimed) -> None:
    barrier.wait()
    for _ in range(20):
        claimed.put(str(runs_directory.claim(Path(parent), "14-03-11")))


def test_processes_that_claim_at_the_same_moment_never_share_a_directory(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, claimed = context.Barrier(2), context.Queue()
    workers = [
        context.Process(target=_claim_at_once, args=(str(tmp_path / "day"), barrier, claimed))
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    names = [claimed.get(timeout=20) for _ in range(40)]
    for worker in workers:
        worker.join()
    assert len(set(names)) == 40
    assert {Path(name).name for name in names} == {"14-03-11"} | {
        f"14-03-11-{n}" for n in range(1, 40)
    }


def test_a_claim_below_a_file_is_the_users_to_fix(tmp_path):
    (tmp_path / "day").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        runs_directory.claim(tmp_path / "day", "14-03-11")


def test_importing_the_module_does_not_import_torch():
    code = "import sys, mynah.runs.directory; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_link_moves_to_the_newest_model_and_survives_a_move_of_outputs(tmp_path):
    outputs = tmp_path / "outputs"
    for name in ("one", "two"):
        make_checkpoint(outputs / name / "model" / "checkpoint-1")
        assert runs_directory.link_newest_model(outputs, outputs / name / "model")
    assert (outputs / "model").resolve() == outputs / "two" / "model"
    outputs.rename(tmp_path / "moved")
    assert (tmp_path / "moved" / "model" / "checkpoint-1" / "SHA256SUMS").is_file()


def test_the_link_is_never_missing_while_it_moves(tmp_path):
    outputs = tmp_path / "outputs"
    models = [outputs / name / "model" for name in ("one", "two")]
    for model in models:
        model.mkdir(parents=True)
    runs_directory.link_newest_model(outputs, models[0])
    missing, done = [], threading.Event()

    def watch() -> None:
        while not done.is_set():
            if not (outputs / "model").is_dir():
                missing.append(True)

    watcher = threading.Thread(target=watch)
    watcher.start()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)  # the two would wait 5 ms for each other, again and again
    for turn in range(300):
        assert runs_directory.link_newest_model(outputs, models[turn % 2])
    done.set()
    watcher.join()
    sys.setswitchinterval(before)
    assert not missing
    assert {path.name for path in outputs.iterdir()} == {"one", "two", "model"}


def test_a_link_that_dangles_is_replaced(tmp_path):
    (tmp_path / "model").symlink_to("gone")
    (tmp_path / "run" / "model").mkdir(parents=True)
    assert runs_directory.link_newest_model(tmp_path, tmp_path / "run" / "model")
    assert (tmp_path / "model").resolve() == tmp_path / "run" / "model"


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_what_is_not_a_link_is_never_replaced(tmp_path, kind):
    real = tmp_path / "model"
    real.mkdir() if kind == "directory" else real.write_text("mine")
    (tmp_path / "run" / "model").mkdir(parents=True)
    assert runs_directory.link_newest_model(tmp_path, tmp_path / "run" / "model") is False
    assert real.exists() and not real.is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"model", "run"}


def test_a_checkpoint_directory_is_itself_and_relative_to_where_the_command_was_typed(tmp_path):
    checkpoint = make_checkpoint(tmp_path / "here" / "checkpoint-100")
    found = find.resolve_checkpoint("./checkpoint-100", tmp_path / "here")
    assert found == checkpoint.resolve()


def test_the_guides_path_through_the_link_resolves_to_the_real_checkpoint(tmp_path):
    outputs = tmp_path / "outputs"
    run = make_run(outputs, "2026-11-22/14-03-11", {}, {1000: 1.0})
    runs_directory.link_newest_model(outputs, run / "model")
    found = find.resolve_checkpoint("./outputs/model/checkpoint-1000", tmp_path)
    assert found == run / "model" / "checkpoint-1000"


@pytest.mark.parametrize("typed", ["outputs/day/time", "outputs/day/time/model"])
def test_a_run_means_its_best_model_to_measure_and_its_newest_checkpoint_to_resume(tmp_path, typed):
    run = make_run(tmp_path / "outputs", "day/time", {}, {90: 5.0, 100: 4.0})
    newest = run / "model" / "checkpoint-100"
    assert find.resolve_checkpoint(typed, tmp_path) == newest
    make_checkpoint(run / "model")
    assert find.resolve_checkpoint(typed, tmp_path) == run / "model"
    assert find.resolve_checkpoint(typed, tmp_path, resume=True) == newest


def test_a_run_with_an_explicit_output_dir_finds_its_checkpoints_there(tmp_path):
    run = make_run(tmp_path / "outputs", "day/time", {"seed": 1}, {})
    record.record(run, output_dir=str(tmp_path / "mine"))
    checkpoint = make_checkpoint(tmp_path / "mine" / "checkpoint-7")
    assert find.resolve_checkpoint("outputs/day/time", tmp_path) == checkpoint
    assert find.find_last(tmp_path / "outputs", {"seed": 1}) == checkpoint
    assert runs_directory.run_directory_of(checkpoint, tmp_path / "outputs") == run


def test_the_run_of_a_checkpoint_in_its_own_directory_is_found(tmp_path):
    run = make_run(tmp_path / "outputs", "day/time", {}, {5: 1.0})
    inside = run / "model" / "checkpoint-5"
    assert runs_directory.run_directory_of(inside, tmp_path / "outputs") == run
    loose = make_checkpoint(tmp_path / "elsewhere" / "checkpoint-5")
    assert runs_directory.run_directory_of(loose, tmp_path / "outputs") is None


def test_a_missing_checkpoint_names_those_that_exist_newest_first(tmp_path):
    make_run(tmp_path / "outputs", "day/old", {}, {500: 10.0})
    run = make_run(tmp_path / "outputs", "day/new", {}, {200: 20.0, 300: 30.0})
    runs_directory.link_newest_model(tmp_path / "outputs", run / "model")
    with pytest.raises(UserError) as caught:
        find.resolve_checkpoint("outputs/model/checkpoint-1000", tmp_path)
    assert "no checkpoint outputs/model/checkpoint-1000" in caught.value.what
    assert caught.value.where == "outputs/model is outputs/day/new/model"
    assert [line.split("=")[1] for line in caught.value.fix.splitlines()[1:]] == [
        "outputs/model/checkpoint-300",
        "outputs/model/checkpoint-200",
        "outputs/day/old/model/checkpoint-500",
    ]


def test_before_any_training_the_message_says_what_makes_outputs_model(tmp_path):
    with pytest.raises(UserError) as caught:
        find.resolve_checkpoint("./outputs/model/checkpoint-1000", tmp_path)
    assert "does not exist yet" in caught.value.where
    assert "train first" in caught.value.fix


def test_a_checkpoint_that_lost_a_file_is_named_with_the_file(tmp_path):
    broken = make_checkpoint(tmp_path / "checkpoint-2")
    (broken / "model.safetensors").unlink()
    make_checkpoint(tmp_path / "checkpoint-1")
    with pytest.raises(UserError) as caught:
        find.resolve_checkpoint("checkpoint-2", tmp_path)
    assert "missing in it: model.safetensors" in caught.value.what
    assert "eval_checkpoint=checkpoint-1" in caught.value.fix


def test_a_checkpoint_without_its_sums_is_not_taken_for_complete(tmp_path):
    broken = make_checkpoint(tmp_path / "checkpoint-2")
    (broken / "SHA256SUMS").unlink()
    with pytest.raises(UserError, match="not a complete checkpoint"):
        find.resolve_checkpoint("checkpoint-2", tmp_path)


def test_a_folder_without_checkpoints_and_a_file_are_kept_apart(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("")
    with pytest.raises(UserError, match="holds no checkpoint"):
        find.resolve_checkpoint("empty", tmp_path)
    with pytest.raises(UserError, match="this is a file"):
        find.resolve_checkpoint("note.txt", tmp_path, resume=True)


def test_an_output_dir_that_holds_another_run_is_refused_and_resuming_is_named(tmp_path):
    checkpoint = make_checkpoint(tmp_path / "mine" / "checkpoint-20")
    make_checkpoint(tmp_path / "mine" / "checkpoint-3")
    with pytest.raises(UserError) as caught:
        runs_directory.check_output_directory(tmp_path / "mine", resume=None)
    assert f"resume_from_checkpoint={checkpoint}" in caught.value.fix


def test_resuming_continues_in_the_same_output_dir_and_in_no_other(tmp_path):
    checkpoint = make_checkpoint(tmp_path / "mine" / "checkpoint-20")
    runs_directory.check_output_directory(tmp_path / "mine", resume=checkpoint)
    other = make_checkpoint(tmp_path / "other" / "checkpoint-1")
    with pytest.raises(UserError):
        runs_directory.check_output_directory(tmp_path / "mine", resume=other)


@pytest.mark.parametrize("folder", ["set_aside", "set_aside-2"])
def test_what_was_set_aside_is_not_resumed_among_the_other_course(tmp_path, folder):
    make_checkpoint(tmp_path / "mine" / "checkpoint-4")
    aside = make_checkpoint(tmp_path / "mine" / folder / "checkpoint-20")
    with pytest.raises(UserError, match="set aside") as caught:
        runs_directory.check_output_directory(tmp_path / "mine", resume=aside)
    assert "training.output_dir=FOLDER" in caught.value.fix
    runs_directory.check_output_directory(tmp_path / "new", resume=aside)


def test_a_free_output_dir_is_fine_whether_it_exists_or_not(tmp_path):
    runs_directory.check_output_directory(tmp_path / "new", resume=None)
    (tmp_path / "notes.txt").write_text("")
    runs_directory.check_output_directory(tmp_path, resume=None)
    with pytest.raises(UserError, match="is a file"):
        runs_directory.check_output_directory(tmp_path / "notes.txt", resume=None)


def test_a_half_written_checkpoint_still_makes_the_directory_another_runs(tmp_path):
    (tmp_path / "mine" / "checkpoint-5").mkdir(parents=True)
    with pytest.raises(UserError, match="holds another run"):
        runs_directory.check_output_directory(tmp_path / "mine", resume=None)


HOLDER = """
import os, sys, time
from pathlib import Path
from mynah.config.schema import Config
from mynah.runs.record import RunRecord
run, output = map(Path, sys.argv[1:])
run.mkdir()
config = Config()
config.training.output_dir = str(output)
record = RunRecord.start(run, config)
begun, begins = os.pipe()
worker = os.fork()
if worker:
    os.read(begun, 1)  # a worker lets go of the lock as its first step, before which it may wait
    print("held", worker, flush=True)
else:
    os.write(begins, b".")
time.sleep(60)
"""


def test_two_runs_cannot_write_to_one_output_dir_at_the_same_time(tmp_path):
    mine = tmp_path / "mine"
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "first"), str(mine)]
    config = Config()
    config.training.output_dir = str(mine)
    (tmp_path / "second").mkdir()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        said, worker = first.stdout.readline().split()
        assert said == "held"
        with pytest.raises(UserError, match="right now"):
            record.RunRecord.start(tmp_path / "second", config)
        assert not (tmp_path / "second" / "run.json").exists()
        first.kill()
        first.wait()
        try:  # what the killed run forked, as workers that load data, holds nothing
            record.RunRecord.start(tmp_path / "second", config).finish("done")
        finally:
            os.kill(int(worker), signal.SIGKILL)
    assert record.read_record(tmp_path / "second")["status"] == "done"


def test_only_the_first_rank_keeps_the_record(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    record.RunRecord.start(tmp_path, Config()).finish("done")
    assert not list(tmp_path.iterdir())


def test_last_is_the_newest_intact_checkpoint_of_the_same_data_model_and_seed(tmp_path):
    mine = {"data": "d1", "model": "m1", "seed": 7}
    make_run(tmp_path, "day/1", mine, {900: 10.0})
    wanted = make_run(tmp_path, "day/2", mine, {50: 11.0, 100: 20.0})
    make_run(tmp_path, "day/3", mine | {"seed": 8}, {999: 30.0})
    torn = make_checkpoint(wanted / "model" / "checkpoint-150", 40.0)
    (torn / "model.safetensors").unlink()
    assert find.find_last(tmp_path, mine) == wanted / "model" / "checkpoint-100"


def test_last_looks_into_sweeps_too(tmp_path):
    job = make_run(tmp_path, "sweeps/grid-1a2b/job-3c4d", {"seed": 1}, {5: 1.0})
    found = find.find_last(tmp_path, {"seed": 1})
    assert found == job / "model" / "checkpoint-5"


def test_last_says_what_differs_where_no_run_is_the_same(tmp_path):
    make_run(tmp_path, "day/1", {"data": "d1", "model": "m1", "seed": 7}, {10: 1.0})
    with pytest.raises(UserError, match=r"differs in: model, seed\."):
        find.find_last(tmp_path, {"data": "d1", "model": "m2", "seed": 8})


def test_last_without_any_run_says_so(tmp_path):
    with pytest.raises(UserError, match="nothing to resume"):
        find.find_last(tmp_path, {"seed": 1})


def test_the_record_keeps_what_is_not_changed(tmp_path):
    record.record(tmp_path, identity={"seed": 1}, status="running")
    record.record(tmp_path, status="done")
    assert json.loads((tmp_path / "run.json").read_text()) == {
        "identity": {"seed": 1},
        "status": "done",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_job_of_a_sweep_does_not_move_the_link_but_the_sweeps_best_does(tmp_path):
    single = make_run(tmp_path, "day/1", {}, {1: 1.0})
    job = make_run(tmp_path, "sweeps/grid/job", {}, {1: 1.0})
    assert runs_directory.link_newest_model(tmp_path, single / "model")
    assert runs_directory.link_newest_model(tmp_path, job / "model") is False
    assert (tmp_path / "model").resolve() == single / "model"
    assert runs_directory.link_newest_model(tmp_path, job / "model", of_sweep=True)
    assert (tmp_path / "model").resolve() == job / "model"


def test_a_started_run_can_be_resumed_as_last_by_the_same_settings_alone(tmp_path):
    config = Config(resume_from_checkpoint="last")
    run = tmp_path / "outputs" / "day" / "1"
    run.mkdir(parents=True)
    record.RunRecord.start(run, config).finish("interrupted")
    checkpoint = make_checkpoint(run / "model" / "checkpoint-9")
    assert record.read_record(run)["status"] == "interrupted"
    assert find.resolve_resume(config, working_directory=tmp_path) == checkpoint
    config.data.num_proc = 7  # changes nothing that is learned
    assert find.resolve_resume(config, working_directory=tmp_path) == checkpoint
    config.training.seed += 1
    with pytest.raises(UserError, match=r"differs in: seed\."):
        find.resolve_resume(config, working_directory=tmp_path)


def test_last_prefers_the_checkpoints_of_the_output_directory_at_hand(tmp_path):
    own = make_checkpoint(tmp_path / "mine" / "checkpoint-2")
    found = find.resolve_resume(
        Config(resume_from_checkpoint="last"),
        working_directory=tmp_path,
        output_directory=tmp_path / "mine",
    )
    assert found == own


def test_last_and_a_run_pass_over_a_checkpoint_that_was_cut_short(tmp_path):
    outputs = tmp_path / "outputs"
    run = make_run(outputs, "day/1", {"seed": 1}, {1: 10.0, 2: 20.0})
    (run / "model" / "checkpoint-2" / "model.safetensors").write_bytes(b"wei")
    wanted = run / "model" / "checkpoint-1"
    assert find.find_last(outputs, {"seed": 1}) == wanted
    assert find.resolve_checkpoint("outputs/day/1", tmp_path) == wanted


def test_a_place_where_nothing_can_be_saved_is_reported_at_the_start(tmp_path, monkeypatch):
    runs_directory.check_writable(tmp_path / "not" / "yet" / "there")
    assert list(tmp_path.iterdir()) == []

    def refuse(**options):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(runs_directory.tempfile, "TemporaryFile", refuse)
    with pytest.raises(UserError, match="Read-only file system") as caught:
        runs_directory.check_writable(tmp_path / "not" / "yet" / "there")
    assert caught.value.where == str(tmp_path) and "training.output_dir" in caught.value.fix
