"""What is searched is read from the command line, and what cannot be is refused with the reason."""

from __future__ import annotations

import pytest

from mynah.config.hydra.overrides import parse_overrides
from mynah.errors import ConfigErrors
from mynah.sweeps.search.reading import read_space
from mynah.sweeps.search.space import Choices, Interval, Space


def space_of(*overrides: str) -> Space:
    return read_space(parse_overrides(overrides))[0]


def test_each_way_of_typing_is_read_as_what_it_says():
    space = space_of(
        "training.learning_rate=tag(log,interval(1e-5,1e-3))",
        "training.gradient_accumulation_steps=interval(1,8)",
        "model.lora_r=range(4,20,4)",
        "training.weight_decay=range(0.1,0.5,0.1)",
        "training.max_grad_norm=int(interval(1,5))",
        "model=small,large",
        "+experiments=choice(a,b)",
    )
    found = space.dimensions
    assert found["training.learning_rate"] == Interval(
        "training.learning_rate", 1e-5, 1e-3, log=True
    )
    assert found["training.gradient_accumulation_steps"].integer
    assert found["model.lora_r"].values == [4, 8, 12, 16]
    assert found["training.weight_decay"].values == [0.1, 0.2, 0.3, 0.4]
    assert found["training.max_grad_norm"].values == [1, 2, 3, 4, 5]
    assert found["model"] == Choices("model", ("small", "large"))
    assert found["experiments"].key == "+experiments"
    assert space.has_interval and space.size == float("inf")


def test_a_grid_counts_its_points_and_gives_each_once():
    space = space_of("model.lora_r=8,16", "training.learning_rate=1e-4,2e-4,1e-4")
    assert space.size == 4 and not space.has_interval
    points = [tuple(space.overrides(one)) for one in space.points()]
    assert points == [
        (f"model.lora_r={r}", f"training.learning_rate={rate}")
        for r in (8, 16)
        for rate in ("0.0001", "0.0002")
    ]


@pytest.mark.parametrize(
    ("proposed", "typed"),
    [(0.00031415926, "0.0003142"), (1.00004, "1.00004"), (9.99999, "9.9999")],
)
def test_a_proposed_number_has_four_digits_and_stays_between_its_bounds(proposed, typed):
    interval = Interval("x", 1.00004 if proposed > 1 else 1e-5, 9.9999)
    value = interval.rounded(proposed)
    assert Space({"x": interval}).overrides({"x": value}) == [f"x={typed}"]


@pytest.mark.parametrize(
    ("argument", "what", "instead"),
    [
        ("training.learning_rate=interval(1e-4,1e-4)", "one point", "=0.0001"),
        ("training.learning_rate=interval(1e-3,1e-5)", "wrong order", "=interval(1e-05,0.001)"),
        ("training.learning_rate=interval(1e-5,inf)", "between two numbers", None),
        ("training.learning_rate=interval(nan,1e-3)", "between two numbers", None),
        ("training.learning_rate=tag(log,interval(0,1e-3))", "above 0", "=tag(log,interval(1e-06"),
        ("training.learning_rate=tag(lin,interval(1e-5,1e-3))", "tag of an interval is log", None),
        ("model.lora_r=tag(log,choice(8,16))", "tag log is for an interval", None),
        ("model.lora_r=interval(4.5,16.5)", "whole numbers", "=interval(5,16)"),
        ("training.optim=interval(1,2)", "for numbers", None),
        ("data.eval_splits=interval(1,2)", "for numbers", None),
        ("model=interval(1,2)", "for numbers", None),
    ],
)
def test_what_is_not_an_interval_is_refused_with_what_may_be_typed(argument, what, instead):
    with pytest.raises(ConfigErrors) as caught:
        space_of(argument)
    (error,) = caught.value.errors
    assert what in error.what and argument in error.where
    if instead is None:
        assert error.fix
    else:
        assert error.argument == argument and instead in error.instead
