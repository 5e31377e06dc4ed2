"""Runs that were made before are known again: `last` finds them by data, model and seed."""

from dataclasses import replace
from pathlib import Path

import pytest

from mynah.config.recorded import read_recorded
from mynah.runs.record import identity

# What run.json held of a run with these settings, when settings were listed by hand.
BEFORE = {
    "default": ("acb8d77cf7864465", "726f7622e6f160d4"),
    "test": ("5e4add056e6ce681", "581317d6071c9dbb"),
    "tuned": ("acb8d77cf7864465", "f42bc8ef082128f6"),
    "corpus": ("043183f8e84a2d6c", "726f7622e6f160d4"),
}
SETTINGS = Path(__file__).parent / "settings_of_before"


@pytest.mark.parametrize("name", BEFORE)
def test_a_run_of_before_has_the_identity_that_it_had(name):
    found = identity(read_recorded(SETTINGS / f"{name}.yaml"))
    assert found == {"data": BEFORE[name][0], "model": BEFORE[name][1], "seed": 42}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("num_proc", 7),
        ("dataset_cache_dir", "/elsewhere"),
        ("max_eval_samples", 3),
        ("filter_eval", True),
    ],
)
def test_what_changes_nothing_that_is_learned_makes_no_other_run(setting, value):
    config = read_recorded(SETTINGS / "default.yaml")
    changed = replace(config, data=replace(config.data, **{setting: value}))
    assert identity(changed) == identity(config)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("eval_splits", None), ("eval_fraction", 0.2), ("path", "/b"), ("max_audio_seconds", 9.0)],
)
def test_what_changes_the_rows_makes_another_run(setting, value):
    config = read_recorded(SETTINGS / "default.yaml")
    changed = replace(config, data=replace(config.data, **{setting: value}))
    assert identity(changed)["data"] != identity(config)["data"]
