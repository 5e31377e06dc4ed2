"""What processes must share is compared, and each difference is named with rank and value."""

from __future__ import annotations

import pytest

from mynah.errors import UserError
from mynah.ranks.agreement import check_agreement
from mynah.ranks.environment import Ranks


def test_processes_that_agree_go_on():
    check_agreement([{"seed": 1, "steps": [2, None]}, {"seed": 1, "steps": [2, None]}])


def test_each_difference_is_named_with_rank_and_value():
    with pytest.raises(UserError) as caught:
        check_agreement([{"seed": 1, "data": "a"}, {"seed": 1, "data": "b"}, {"seed": 2}])
    assert caught.value.what == (
        "The processes of this training differ: data is a on rank 0 and b on rank 1; "
        "data is a on rank 0 and null on rank 2; seed is 1 on rank 0 and 2 on rank 2."
    )
    assert caught.value.shared


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"RANK": "abc"}, "RANK=abc is not a number"),
        ({"WORLD_SIZE": "2.5"}, "WORLD_SIZE=2.5 is not a number"),
        ({"RANK": "2"}, "RANK=2 is not one of the 2 processes"),
        ({"RANK": "-1"}, "RANK=-1 is not a number"),
        ({"MASTER_ADDR": ""}, "MASTER_ADDR of a training"),
        ({"MASTER_PORT": "http"}, "MASTER_PORT=http is not a number"),
    ],
)
def test_an_environment_that_cannot_be_is_refused(monkeypatch, variables, said):
    right = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
    for name, value in (right | variables).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as caught:
        Ranks.of_environment()
    assert said in caught.value.what and caught.value.fix


def test_a_right_environment_says_where_they_meet(monkeypatch):
    right = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "gpu03", "MASTER_PORT": "29500"}
    for name, value in right.items():
        monkeypatch.setenv(name, value)
    found = Ranks.of_environment()
    assert (found.rank, found.size, found.place) == (1, 2, "gpu03:29500")
