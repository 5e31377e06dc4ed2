"""``mynah runs remove``: what still runs, and what others build on, is kept."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest
import yaml
from written_runs import listed, write_run

from mynah.cli.main import main
from mynah.config.schema import Config
from mynah.runs.record import RunRecord


def remove(capsys, *names: str) -> str:
    status = main(["runs", "remove", *names, "--yes"])
    said = capsys.readouterr()
    assert (status == 2) == bool(said.err)
    return " ".join(said.err.split())


def test_a_run_that_nothing_builds_on_is_removed_once_it_is_agreed(outputs, capsys, monkeypatch):
    run = write_run(outputs / "a", rate=0.2)
    (run / "model").mkdir()
    (run / "model" / "weights").write_bytes(bytes(2_000_000))
    assert main(["runs", "remove", "outputs/a"]) == 2  # there is nobody to ask
    assert "mynah runs remove outputs/a --yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked = []
    for answer, there in (("", True), ("n", True), ("yes", False)):
        monkeypatch.setattr("builtins.input", lambda text, a=answer: asked.append(text) or a)
        assert main(["runs", "remove", "outputs/a"]) == 0
        assert run.exists() == there
    assert "2.0 MB" in asked[0]
    assert main(["runs", "remove", "outputs/a"]) == 2
    assert "is not a run" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["resume_from_checkpoint", "eval_checkpoint", "pretrained"])
def test_a_run_that_another_was_resumed_from_adapts_or_measures_is_kept(outputs, capsys, setting):
    first = write_run(outputs / "first")
    (first / "model" / "checkpoint-2").mkdir(parents=True)
    second = write_run(outputs / "second", day=2)
    settings = yaml.safe_load((second / "config.yaml").read_text())
    held = settings["model"] if setting == "pretrained" else settings
    held[setting] = str(first / "model" / "checkpoint-2")
    (second / "config.yaml").write_text(yaml.safe_dump(settings))
    said = remove(capsys, "outputs/first")
    assert "outputs/first is not removed: outputs/second/config.yaml names" in said
    assert first.exists()
    assert remove(capsys, "outputs/first", "outputs/second") == ""
    assert not first.exists() and not second.exists()


@pytest.mark.parametrize("name", ["mynah.json", "adapter_config.json"])
def test_a_run_that_a_model_was_merged_from_or_adapts_is_kept(outputs, capsys, name):
    run = write_run(outputs / "a")
    (run / "model").mkdir()
    (outputs / "merged").mkdir()
    about = {"merged": {"checkpoint": str(run / "model")}}
    if name == "adapter_config.json":
        about = {"base_model_name_or_path": str(run / "model")}
    (outputs / "merged" / name).write_text(json.dumps(about))
    assert f"outputs/merged/{name} names" in remove(capsys, "outputs/a")
    assert run.exists()


def place(run: Path, **fields: object) -> None:
    """Say in a run's ``run.json`` where its process is."""
    file = run / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


NOBODY = 2**22 - 7  # above the largest number of a process


def test_a_run_of_another_machine_is_kept_until_it_is_said_to_have_ended(outputs, capsys):
    run = write_run(outputs / "far", status="running", process=NOBODY)
    place(run, machine="node7", process_space="11111111-2222/pid:[4026531836]")
    (row,) = listed(capsys)
    assert row[1] == "running on node7"
    said = remove(capsys, "outputs/far")
    assert "it is running on node7" in said
    assert "mynah runs remove outputs/far --ended" in said and run.exists()
    assert main(["runs", "remove", "outputs/far", "--ended"]) == 2  # there is nobody to ask
    assert "mynah runs remove outputs/far --ended --yes" in capsys.readouterr().err
    assert remove(capsys, "outputs/far", "--ended") == "" and not run.exists()


def test_a_process_is_looked_for_only_where_its_number_means_it(outputs, capsys):
    started = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    namespace = str(Path("/proc/self/ns/pid").readlink())
    name = os.uname().nodename
    spaces = {
        "here": (name, f"{started}/{namespace}", "killed"),
        "renamed": ("before", f"{started}/{namespace}", "killed"),
        "container": (name, f"{started}/pid:[1]", f"running on {name}"),
        "restarted": (name, f"11111111-2222/{namespace}", "killed"),
        "elsewhere": ("node7", f"11111111-2222/{namespace}", "running on node7"),
        "unknown": ("node7", "", "running on node7"),
    }
    for day, (run, (machine, space, _)) in enumerate(spaces.items(), 1):
        write_run(outputs / run, status="running", day=day, process=NOBODY)
        place(outputs / run, machine=machine, process_space=space)
    # A number that another process has since the system was started again.
    write_run(outputs / "taken", status="running", day=9)
    place(outputs / "taken", machine=name, process_space=f"11111111-2222/{namespace}")
    found = {row[0]: row[1] for row in listed(capsys)}
    assert found == {run: status for run, (_, _, status) in spaces.items()} | {"taken": "killed"}


def test_a_machine_of_the_same_name_is_not_this_one_started_again(
    outputs, capsys, tmp_path, monkeypatch
):
    id_file = tmp_path / "machine-id"
    monkeypatch.setattr("mynah.machine._MACHINE_ID", id_file)
    id_file.write_text("0123456789abcdef" * 2 + "\n")
    (outputs / "now").mkdir(parents=True)
    with RunRecord.of_run(outputs / "now", Config()):
        record = json.loads((outputs / "now" / "run.json").read_text())
    assert "0123456789abcdef" not in record["machine_id"]
    before = "11111111-2222/" + str(Path("/proc/self/ns/pid").readlink())
    place(outputs / "now", status="running", process=NOBODY, process_space=before)
    assert [row[1] for row in listed(capsys)] == ["killed"]
    id_file.write_text("f" * 32 + "\n")
    assert [row[1] for row in listed(capsys)] == [f"running on {os.uname().nodename}"]
    assert "--ended" in remove(capsys, "outputs/now")
    for unknown in ("", "uninitialized\n"):
        id_file.write_text(unknown)
        assert [row[1] for row in listed(capsys)] == ["killed"]


def test_a_run_says_where_its_process_is(outputs, capsys):
    (outputs / "now").mkdir(parents=True)
    with RunRecord.of_run(outputs / "now", Config()):
        record = json.loads((outputs / "now" / "run.json").read_text())
        (row,) = listed(capsys)
    assert row[1] == "running" and record["process"] == os.getpid()
    assert record["machine"] == os.uname().nodename
    assert str(Path("/proc/self/ns/pid").readlink()) in record["process_space"]


def test_a_run_into_whose_model_another_process_trains_is_kept(outputs, capsys):
    run = write_run(outputs / "a")
    (run / "model").mkdir()
    with (run / "model" / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        said = remove(capsys, "outputs/a")
        assert "a training writes into its model" in said and run.exists()
        assert "a training writes" in remove(capsys, "outputs/a", "--ended")
    assert remove(capsys, "outputs/a") == "" and not run.exists()


def test_a_run_that_is_linked_running_or_of_a_sweep_is_kept(outputs, capsys):
    linked = write_run(outputs / "linked")
    (linked / "model").mkdir()
    (outputs / "model").symlink_to("linked/model")
    assert "outputs/model points to its model" in remove(capsys, "outputs/linked")
    going = write_run(outputs / "going", status="running", day=2)
    assert "it is still running" in remove(capsys, "outputs/going")
    job = write_run(outputs / "sweeps" / "one" / "0", day=3)
    (job / "job.json").write_text("{}")
    assert "it is a job of the sweep outputs/sweeps/one" in remove(capsys, str(job))
    write_run(outputs / "free", day=4)
    # Where one of several is needed, none is removed.
    assert "points to its model" in remove(capsys, "outputs/free", "outputs/linked")
    assert all(run.exists() for run in (linked, going, job, outputs / "free"))
