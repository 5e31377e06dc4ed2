"""How many processes there are, as their launcher says it; and errors that all of them meet."""

from __future__ import annotations

import os

import pytest

from mynah import distributed
from mynah.cli.shared.exit_status import show_error
from mynah.errors import UserError

LAUNCHED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
STEP = {
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_STEP_NODELIST": "gpu[03-04]",
    "SLURM_JOB_ID": "4711",
    "SLURM_STEP_ID": "0",
}


@pytest.fixture
def environment(monkeypatch):
    import os

    for name in [*os.environ]:
        if name.startswith("SLURM_") or name in LAUNCHED:
            monkeypatch.delenv(name)

    def to(**values):
        for name in LAUNCHED:
            monkeypatch.setenv(name, "")  # whatever is set below is taken away again
            monkeypatch.delenv(name)
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        distributed.adopt_slurm()
        return {name: os.environ.get(name) for name in LAUNCHED}

    return to


def test_a_task_of_srun_knows_its_rank_and_where_the_first_one_is(environment):
    found = environment(**STEP)
    assert (found["RANK"], found["WORLD_SIZE"], found["LOCAL_RANK"]) == ("5", "8", "1")
    assert found["MASTER_ADDR"] == "gpu03"
    assert distributed.rank() == 5 and distributed.world_size() == 8


def test_all_tasks_of_a_step_agree_on_a_port_and_steps_have_their_own(environment):
    ports = {environment(**{**STEP, "SLURM_PROCID": rank})["MASTER_PORT"] for rank in "01234567"}
    assert len(ports) == 1
    assert environment(**{**STEP, "SLURM_STEP_ID": "1"})["MASTER_PORT"] not in ports


@pytest.mark.parametrize(
    "values",
    [
        {"SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_JOB_ID": "4711"},  # a batch script
        {**STEP, "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"},  # srun of one task
        {},
    ],
)
def test_a_process_alone_stays_alone(environment, values):
    assert environment(**values)["WORLD_SIZE"] is None
    assert distributed.world_size() == 1


def test_what_torchrun_says_is_not_changed(environment):
    found = environment(**STEP, RANK="1", WORLD_SIZE="2", MASTER_PORT="29500")
    assert (found["RANK"], found["WORLD_SIZE"], found["MASTER_PORT"]) == ("1", "2", "29500")


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("gpu03", "gpu03"),
        ("gpu[03-05,9],cpu1", "gpu03"),
        ("a1,b[2-3]", "a1"),
        ("n[1,5].cluster", "n1.cluster"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_the_first_node_of_a_list(nodes, first):
    assert distributed.first_host(nodes) == first


def test_an_error_that_all_ranks_meet_is_printed_by_the_first(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    show_error(UserError("wrong setting"))
    assert capsys.readouterr().err == ""


def test_an_error_of_another_rank_is_printed_with_its_number(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError) as caught, distributed.own_errors():
        raise UserError("cannot be read", where="a.wav")
    show_error(caught.value)
    assert "cannot be read (rank 1)" in capsys.readouterr().err


def test_a_process_that_lost_another_says_so_without_a_traceback(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="Another process"), distributed.own_errors():
        raise RuntimeError("[gloo/transport] Connection closed by peer [127.0.0.1]:55")
    with pytest.raises(RuntimeError, match="ours"), distributed.own_errors():
        raise RuntimeError("ours")


@pytest.mark.parametrize(
    ("ranks", "typed", "found"), [("1", None, None), ("2", None, "ERROR"), ("2", "INFO", "INFO")]
)
def test_several_processes_keep_torchs_warnings_to_themselves(monkeypatch, ranks, typed, found):
    monkeypatch.setenv("WORLD_SIZE", ranks)
    monkeypatch.delenv("TORCH_CPP_LOG_LEVEL", raising=False)
    if typed:
        monkeypatch.setenv("TORCH_CPP_LOG_LEVEL", typed)
    distributed.quiet_torch()
    assert os.environ.get("TORCH_CPP_LOG_LEVEL") == found
    monkeypatch.setenv("TORCH_CPP_LOG_LEVEL", "")  # which is undone with the rest


@pytest.mark.parametrize("rank", ["2", "7"])
def test_an_impossible_rank_is_said_by_its_own_process(environment, capsys, rank):
    environment(RANK=rank, WORLD_SIZE="2", MASTER_ADDR="localhost", MASTER_PORT="29500")
    with pytest.raises(UserError) as caught:
        distributed.check_launch()
    show_error(caught.value)
    assert f"RANK={rank} is not one of the 2 processes" in capsys.readouterr().err


def test_the_ranks_of_a_plan_are_the_processes_or_as_many_as_a_launcher_would_have(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MYNAH_PLANNED_RANKS", raising=False)
    assert distributed.planned_ranks() == 2
    monkeypatch.setenv("MYNAH_PLANNED_RANKS", "4")
    assert distributed.planned_ranks() == 4
    monkeypatch.setenv("MYNAH_PLANNED_RANKS", "3")
    with pytest.raises(UserError, match="not a multiple of the 2 processes"):
        distributed.planned_ranks()
