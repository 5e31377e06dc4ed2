"""Whoever is taken from ``outputs/model`` is named, with its rate and the way back."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from mynah.runs.directory import link_newest_model
from mynah.runs.replaced import note_replaced, pointed_to, told_of_replaced


def make_run(outputs: Path, name: str, wer: float, *, data="d1", normalizer="basic") -> Path:
    """A run whose model was measured."""
    model = outputs / "2026-11-28" / name / "model"
    model.mkdir(parents=True)
    (model / "mynah.json").write_text(json.dumps({"scores": {"eval_wer": wer, "eval_cer": 0.1}}))
    (model / "config.yaml").write_text(f"evaluation: {{normalizer: {normalizer}}}\n")
    fingerprints = {"train": "t1", "validation": data}
    (model.parent / "data.json").write_text(json.dumps({"fingerprints": fingerprints}))
    return model


def move(folder: Path, model: Path) -> list[str]:
    outputs = folder / "outputs"
    before = pointed_to(outputs)
    assert link_newest_model(outputs, model)
    note_replaced(model.parent, before, model)
    return told_of_replaced(model.parent, model, folder)


def test_a_worse_model_names_the_better_one_and_the_command_points_back(tmp_path):
    good = make_run(tmp_path / "outputs", "10-00-00", 0.44)
    bad = make_run(tmp_path / "outputs", "11-00-00", 1.0)
    assert move(tmp_path, good) == []
    said, back = move(tmp_path, bad)
    assert said == (
        "outputs/model was outputs/2026-11-28/10-00-00/model before: WER 44.0% there, 100.0% here"
    )
    command = shlex.split(back.partition(":")[2])
    subprocess.run(command, cwd=tmp_path, check=True)
    assert (tmp_path / "outputs" / "model").resolve() == good
    assert told_of_replaced(bad.parent, bad, tmp_path) == []  # it is back already


@pytest.mark.parametrize("other", [{"data": "d2"}, {"normalizer": "none"}])
def test_rates_of_other_data_or_another_normaliser_are_not_set_side_by_side(tmp_path, other):
    move(tmp_path, make_run(tmp_path / "outputs", "10-00-00", 0.44, **other))
    said, _ = move(tmp_path, make_run(tmp_path / "outputs", "11-00-00", 0.2))
    assert said == "outputs/model was outputs/2026-11-28/10-00-00/model before"


def test_a_resumed_run_does_not_replace_itself(tmp_path):
    model = make_run(tmp_path / "outputs", "10-00-00", 0.44)
    move(tmp_path, model)
    assert move(tmp_path, model) == []
