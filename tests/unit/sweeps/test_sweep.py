"""A sweep runs every job by itself, repeats none, and tells how all of them compare."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from mynah.checkpoints.find import resolve_resume
from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.sweeps.jobs import SweepJob, make_jobs, sweep_name
from mynah.sweeps.sweep import SweepResult, run_sweep

FAKE_JOB = Path(__file__).with_name("fake_job.py")


def jobs_of(sweep: Path, grid: list[dict]) -> list[SweepJob]:
    overrides = [[f"training.{key}={value}" for key, value in point.items()] for point in grid]
    return make_jobs(overrides, [{"training": point} for point in grid], sweep)


def run(
    tmp_path: Path, grid: list[dict], behaviours: list[str] | None = None, **options
) -> SweepResult:
    sweep = tmp_path / "outputs" / "sweeps" / "grid"
    behaviours = behaviours or ["train 0.5"] * len(grid)

    def command(job: SweepJob, added: list[str]) -> list[str]:
        behaviour = behaviours[job.number].split()
        return [sys.executable, str(FAKE_JOB), str(job.directory), *behaviour, *added]

    return run_sweep(jobs_of(sweep, grid), command, sweep, working_directory=tmp_path, **options)


def times_run(result: SweepResult) -> dict[int, int]:
    counted = {}
    for row in result.rows:
        ran = row.job.directory / "ran"
        counted[row.job.number] = len(ran.read_text().splitlines()) if ran.exists() else 0
    return counted


def committed(checkpoint: Path, content: bytes = b"as they were saved") -> None:
    """A checkpoint whose sums, hashlib's, are those of what was saved; ``content`` is there now."""
    checkpoint.mkdir(parents=True)
    (checkpoint / "weights").write_bytes(content)
    sums = hashlib.sha256(b"as they were saved").hexdigest()
    (checkpoint / "SHA256SUMS").write_text(f"{sums}  weights\n")


RATES = [{"learning_rate": rate} for rate in (1e-5, 3e-5, 5e-5)]


def test_jobs_come_out_best_first_with_their_intervals_and_status_zero(tmp_path, capsys):
    result = run(tmp_path, RATES, ["train 0.3", "train 0.1", "train 0.2"])
    assert [row.job.number for row in result.rows] == [1, 2, 0]
    assert result.exit_status == 0
    printed = capsys.readouterr().out
    assert "9.00 – 11.00 %" in printed
    assert "outputs/sweeps/grid/sweep.csv" in printed.replace(str(tmp_path) + "/", "")


def test_a_job_that_fails_and_one_that_is_killed_stop_no_other(tmp_path, capsys):
    grid = [*RATES, {"learning_rate": 7e-5}]
    result = run(tmp_path, grid, ["die", "fail", "mistake", "train 0.2"])
    statuses = {row.job.number: row.outcome.status for row in result.rows}
    assert statuses == {0: "killed", 1: "failed", 2: "failed", 3: "done"}
    assert result.rows[0].job.number == 3
    assert result.exit_status == 1
    captured = capsys.readouterr()
    assert "the disk is full" in captured.out
    assert "killed by SIGKILL, perhaps for want of memory" in captured.err
    assert "learning_rate=1e-05" in captured.err and "job.log" in captured.err


def test_failures_that_are_all_the_users_to_fix_give_status_two(tmp_path):
    assert run(tmp_path, RATES, ["mistake", "train 0.1", "mistake"]).exit_status == 2


def test_the_same_sweep_again_runs_only_what_is_missing(tmp_path, capsys):
    run(tmp_path, RATES, ["train 0.3", "die", "fail"])
    result = run(tmp_path, RATES, ["train 0.3", "train 0.2", "train 0.1"])
    assert times_run(result) == {0: 1, 1: 2, 2: 2}
    assert result.exit_status == 0
    assert [row.outcome.status for row in result.rows] == ["done", "done", "done before"]
    assert "1 done before and not run again" in capsys.readouterr().out


def test_a_run_that_ended_well_after_its_sweep_was_killed_is_not_run_again(tmp_path):
    job = jobs_of(tmp_path / "outputs/sweeps/grid", RATES)[0]
    job.directory.mkdir(parents=True)
    (job.directory / "run.json").write_text('{"status": "done"}')
    assert times_run(run(tmp_path, RATES)) == {0: 0, 1: 1, 2: 1}


def test_a_job_that_was_stopped_resumes_from_its_newest_checkpoint(tmp_path):
    result = run(tmp_path, RATES[:1], ["die"])
    checkpoint = result.rows[0].job.directory / "model" / "checkpoint-5"
    committed(checkpoint)
    again = run(tmp_path, RATES[:1])
    last = (again.rows[0].job.directory / "ran").read_text().splitlines()[-1]
    assert last == f"train 0.5 resume_from_checkpoint='{again.rows[0].job.directory}'"


def test_a_job_whose_newest_checkpoint_is_damaged_resumes_from_the_one_before(tmp_path, capsys):
    (job,) = jobs_of(tmp_path / "outputs/sweeps/grid", RATES[:1])
    for step in (2, 4):
        checkpoint = job.directory / "model" / f"checkpoint-{step}"
        committed(checkpoint)
    (checkpoint / "weights").write_bytes(b"one bit is flipped")
    run(tmp_path, RATES[:1])
    _, _, typed = (job.directory / "ran").read_text().strip().partition("resume_from_checkpoint=")
    capsys.readouterr()
    config = Config(resume_from_checkpoint=typed.strip("'"))
    found = resolve_resume(config, working_directory=tmp_path)
    assert found == job.directory / "model" / "checkpoint-2"
    # And where both are, what is wrong with the newest is said.
    (found / "weights").write_bytes(b"one bit is flipped")
    with pytest.raises(UserError, match="is not intact: weights altered or cut short") as caught:
        resolve_resume(config, working_directory=tmp_path)
    assert caught.value.where == str(checkpoint)
    assert "copy this one again" in (caught.value.fix or "")
    assert "checkpoint-4 is skipped, for it is not intact" in capsys.readouterr().out


def test_a_job_without_an_intact_checkpoint_is_left_to_find_that_out_itself(tmp_path):
    """What its mirror has in their place only the job can fetch, and a cluster's job is alone."""
    damaged, cut, new = jobs_of(tmp_path / "outputs/sweeps/grid", RATES)
    committed(damaged.directory / "model" / "checkpoint-2", b"one bit is flipped")
    (cut.directory / "model" / "checkpoint-4").mkdir(parents=True)  # its files are gone
    run(tmp_path, RATES)
    for job in (damaged, cut):
        itself = f"train 0.5 resume_from_checkpoint='{job.directory}'\n"
        assert (job.directory / "ran").read_text() == itself
    assert (new.directory / "ran").read_text() == "train 0.5\n"


def test_the_best_jobs_model_becomes_outputs_model_when_the_sweep_ends(tmp_path):
    jobs = jobs_of(tmp_path / "outputs/sweeps/grid", RATES)
    for job in jobs:
        committed(job.directory / "model" / "checkpoint-5")
    run(tmp_path, RATES, ["train 0.3", "train 0.1", "train 0.2"])
    assert (tmp_path / "outputs" / "model").resolve() == jobs[1].directory / "model"


def test_seeds_of_the_same_settings_are_grouped_with_mean_and_spread(tmp_path, capsys):
    grid = [{"lr": lr, "seed": seed} for lr in (1, 2) for seed in (1, 2, 3)]
    result = run(tmp_path, grid, [f"train 0.{n}" for n in (30, 32, 34, 20, 20, 26)])
    printed = capsys.readouterr().out
    assert "22.00 %" in printed and "3.46 %" in printed  # mean and std of 20, 20, 26
    by_settings = printed.partition("over their seeds")[2]
    assert by_settings.index("22.00 %") < by_settings.index("32.00 %")
    with (result.rows[0].job.directory.parent / "sweep.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 6
    assert float(rows[0]["mean_wer_over_seeds"]) == pytest.approx(0.22)
    assert float(rows[0]["std_wer_over_seeds"]) == pytest.approx(0.034641016, rel=1e-5)
    assert [row["training.lr"] for row in rows] == ["2", "2", "2", "1", "1", "1"]


def test_jobs_of_one_seed_each_get_no_second_table(tmp_path, capsys):
    run(tmp_path, RATES)
    assert "over their seeds" not in capsys.readouterr().out


def test_the_csv_holds_every_job_also_those_without_an_error_rate(tmp_path):
    result = run(tmp_path, RATES, ["die", "train 0.25", "fail"])
    with (result.rows[0].job.directory.parent / "sweep.csv").open() as handle:
        rows = {row["training.learning_rate"]: row for row in csv.DictReader(handle)}
    assert rows["3e-05"]["wer"] == "0.25" and rows["3e-05"]["status"] == "done"
    assert rows["1e-05"]["wer"] == "" and rows["1e-05"]["exit_status"] == "-9"
    assert rows["5e-05"]["status"] == "failed"


def test_the_plot_is_well_formed_xml_and_names_every_measured_setting(tmp_path):
    result = run(tmp_path, [{"name": "a<b>&c"}, {"name": "d"}], ["train 0.1", "die"])
    root = ElementTree.parse(result.rows[0].job.directory.parent / "sweep.svg").getroot()
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "name=a<b>&c" in texts and "10.00 %" in texts
    assert {"0 %", "2 %", "4 %", "6 %", "8 %", "10 %"} <= set(texts)
    assert "name=d" not in texts


def test_without_any_error_rate_there_is_a_table_and_no_plot(tmp_path):
    result = run(tmp_path, RATES, ["die"] * 3)
    sweep = result.rows[0].job.directory.parent
    assert (sweep / "sweep.csv").is_file() and not (sweep / "sweep.svg").exists()


def test_what_a_job_prints_is_in_its_own_log(tmp_path):
    result = run(tmp_path, RATES, ["train 0.1", "fail", "train 0.1"])
    logs = {row.job.number: (row.job.directory / "job.log").read_text() for row in result.rows}
    assert logs[0] == "at work\n" and "the disk is full" in logs[1]


def test_several_jobs_run_at_once_and_share_out_the_devices(tmp_path):
    sweep = tmp_path / "sweep"
    code = (
        "import os, pathlib, sys, time; here = pathlib.Path(sys.argv[1]);"
        "(here / 'up').write_text(os.environ['CUDA_VISIBLE_DEVICES']);"
        "deadline = time.monotonic() + 20\n"
        "while len(list(here.parent.glob('*/up'))) < 2 and time.monotonic() < deadline:"
        " time.sleep(0.02)\n"
        "sys.exit(len(list(here.parent.glob('*/up'))) < 2)"
    )
    jobs = jobs_of(sweep, RATES[:2])
    result = run_sweep(
        jobs,
        lambda job, added: [sys.executable, "-c", code, str(job.directory)],
        sweep,
        working_directory=tmp_path,
        at_once=2,
        devices=["0", "1"],
    )
    assert result.exit_status == 0
    assert sorted((job.directory / "up").read_text() for job in jobs) == ["0", "1"]


DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
import test_sweep
from mynah.sweeps import processes
processes._INTERRUPT_SECONDS = {patience}
result = test_sweep.run(Path({tmp!r}), test_sweep.RATES, {behaviours!r})
sys.exit(result.exit_status)
"""


def start_sweep(tmp_path, behaviours: list[str], patience: float = 30) -> subprocess.Popen:
    code = DRIVER.format(
        here=str(Path(__file__).parent),
        tmp=str(tmp_path),
        behaviours=behaviours,
        patience=patience,
    )
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True)


def wait_for(pattern: str, folder: Path) -> Path:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = list(folder.glob(pattern))
        if found:
            return found[0]
        time.sleep(0.02)
    raise AssertionError(f"no {pattern}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_the_running_job_and_says_what_is_done(tmp_path, number):
    process = start_sweep(tmp_path, ["train 0.1", "wait", "train 0.2"])
    waiting = wait_for("outputs/sweeps/grid/*/waiting", tmp_path)
    process.send_signal(number)
    printed, problems = process.communicate(timeout=30)
    assert process.returncode == 130, problems
    assert (waiting.parent / "stopped").exists()
    assert "Stopped with 1 of 3 jobs done" in printed
    assert "interrupted" in printed and "not run" in printed


def test_a_job_that_ignores_the_interrupt_is_killed_after_a_while(tmp_path):
    process = start_sweep(tmp_path, ["stubborn", "train 0.1", "train 0.2"], patience=0.3)
    wait_for("outputs/sweeps/grid/*/waiting", tmp_path)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_the_same_sweep_cannot_run_twice_at_a_time_even_after_its_parent_was_killed(tmp_path):
    process = start_sweep(tmp_path, ["wait", "train 0.1", "train 0.2"])
    waiting = wait_for("outputs/sweeps/grid/*/waiting", tmp_path)
    with pytest.raises(UserError, match="running right now"):
        run(tmp_path, RATES)
    process.kill()
    process.communicate(timeout=30)
    with pytest.raises(UserError, match="left behind"):
        run(tmp_path, RATES)
    orphan = json.loads((waiting.parent / "job.json").read_text())
    assert orphan["status"] == "running"
    os.kill(orphan["process"], signal.SIGKILL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            assert run(tmp_path, RATES).exit_status == 0
            return
        except UserError:
            time.sleep(0.05)
    raise AssertionError("the lock outlived the job")


def test_a_sweep_is_the_same_whatever_the_order_it_is_typed_in():
    one = [("model.lora_r", ["8", "16"]), ("training.learning_rate", ["1e-5", "5e-5"])]
    other = [("training.learning_rate", ["5e-5", "1e-5"]), ("model.lora_r", ["16", "8"])]
    assert sweep_name(one) == sweep_name(other)
    assert sweep_name(one).startswith("learning_rate-lora_r-")
    assert sweep_name(one) != sweep_name([*one, ("training.max_steps", ["5"])])


def test_a_job_is_named_by_its_settings_and_not_by_its_place(tmp_path):
    forward = jobs_of(tmp_path, RATES)
    backward = jobs_of(tmp_path, RATES[::-1])
    assert [job.directory for job in forward] == [job.directory for job in backward][::-1]
    other = make_jobs(
        [list(job.overrides) for job in forward],
        [dict(job.settings, data={"path": "elsewhere"}) for job in forward],
        tmp_path,
    )
    assert not {job.directory for job in forward} & {job.directory for job in other}


def test_only_what_differs_between_the_jobs_labels_them(tmp_path):
    overrides = [["training.max_steps=5", f"+experiments={name}"] for name in ("a", "b")]
    jobs = make_jobs(overrides, [{"n": 1}, {"n": 2}], tmp_path)
    assert [job.label for job in jobs] == ["experiments=a", "experiments=b"]
    single = make_jobs([["training.max_steps=5"]], [{}], tmp_path)
    assert single[0].label == "max_steps=5"


def test_names_need_no_quoting_anywhere(tmp_path):
    jobs = make_jobs([["data.path='/a b/(c)'"], ["data.path=x"]], [{"n": 1}, {"n": 2}], tmp_path)
    for job in jobs:
        assert not set(job.directory.name) & set(" '\"()=,/$")


def test_a_sweep_folder_that_cannot_be_made_is_the_users_to_fix(tmp_path):
    (tmp_path / "outputs").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        run(tmp_path, RATES)
