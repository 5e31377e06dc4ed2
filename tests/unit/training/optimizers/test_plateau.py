"""A learning rate that follows the scores."""

from __future__ import annotations

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from mynah.training.optimizers.plateau import MeasuredRate


def rate(mode, **settings):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    return MeasuredRate(ReduceLROnPlateau(optimizer, mode, patience=1, factor=0.5, **settings))


def rates(schedule, scores):
    found = []
    for score in scores:
        schedule.measured(score)
        found += schedule.get_last_lr()
    return found


def test_a_state_of_the_same_direction_is_continued_as_it_was():
    before = rate("max")
    assert rates(before, [30.0, 20.0]) == [0.1, 0.1]
    after = rate("max")
    after.load_state_dict(before.state_dict())
    assert rates(after, [25.0, 26.0]) == [0.05, 0.05]  # two in a row that are not above 30


def test_a_state_of_the_wrong_direction_no_longer_lowers_the_rate_of_a_rising_score():
    before = rate("min")  # as BLEU had it in a version before: 10 stays the best of them
    assert rates(before, [10.0, 20.0]) == [0.1, 0.1]
    after = rate("max")
    after.load_state_dict(before.state_dict())
    assert rates(after, [30.0, 40.0, 50.0]) == [0.1, 0.1, 0.1]
    assert after.state_dict()["mode"] == "max"
    assert rates(after, [45.0, 45.0]) == [0.1, 0.05]
