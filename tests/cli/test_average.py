"""Averages by the command: at the end of a training, on its page and for who measures it again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file
from workspaces import SMALL, clone, run, run_directories

sys.path.insert(0, str(Path(__file__).parents[1]))

from shard_files import write_manifest

SHRINK = SMALL.replace("training.eval_steps=2", "").replace("training.save_steps=2", "")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = clone(tmp_path_factory.mktemp("average"))
    texts = ["abc", "bcd", "cde", "def", "efg", "fgh", "acegb", "hgfed"]
    for split, rows in (("train", texts * 2), ("validation", texts[:4])):
        ids = [f"{split}{number}" for number in range(len(rows))]
        write_manifest(folder / "calls" / f"{split}.jsonl", ids, rows)
    done = run(
        folder,
        "mynah train model=small data.dataset_name=calls data.eval_splits=[validation] "
        f"data.sample_rate=8000 {SHRINK} training.max_steps=3 training.eval_steps=1 "
        "training.save_steps=1 training.save_total_limit=1 training.ema_decay=0.5 "
        "training.average_checkpoints=2 training.metric_for_best_model=loss",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (directory,) = run_directories(folder)
    return directory, " ".join(done.stdout.split())


def test_the_average_of_the_best_two_is_made_and_said(trained):
    directory, printed = trained
    state = json.loads((directory / "model" / "checkpoint-3" / "trainer_state.json").read_text())
    losses = {e["step"]: e["eval_loss"] for e in state["log_history"] if "eval_loss" in e}
    first, second = sorted(sorted(losses, key=losses.get)[:2])
    assert f"The average of the checkpoints {first}, {second} has eval_loss" in printed
    page = " ".join((directory / "evaluation" / "report.html").read_text().split())
    assert f"The average of the checkpoints {first}, {second}" in page
    held = load_file(directory / "model" / "average" / "model.safetensors")
    two = [
        load_file(directory / "model" / f"checkpoint-{step}" / "model.safetensors")
        for step in (first, second)
    ]
    name = next(name for name in held if name.endswith("linear1.weight"))
    mean = (two[0][name].double() + two[1][name].double()) / 2
    assert held[name].equal(mean.float())


def test_the_measured_model_is_the_one_that_was_chosen(trained):
    directory, printed = trained
    about = json.loads((directory / "model" / "mynah.json").read_text())
    results = json.loads((directory / "evaluation" / "results.json").read_text())
    taken = "the average is the model" in printed
    assert ("averaged" in about) == taken
    final = results["evaluations"]["validation"]["loss"]
    assert final == pytest.approx(about["scores"]["eval_loss"], rel=1e-5)


def test_the_weights_of_its_beam_are_tuned_on_the_split_that_chose_it(trained):
    directory, _ = trained
    folder = directory.parents[2]
    done = run(folder, "mynah tune-beam outputs/model/average evaluation.metrics=[wer]")
    assert done.returncode == 0, done.stdout + done.stderr
    printed = " ".join(done.stdout.split())
    assert "Weights on validation" in printed
    assert "Next: mynah eval outputs/model/average evaluation.metrics=[wer] model." in printed


def test_weights_are_not_tuned_on_a_test_split(trained):
    directory, _ = trained
    calls = directory.parents[2] / "calls"
    (calls / "test.jsonl").write_text((calls / "validation.jsonl").read_text())
    done = run(directory.parents[2], "mynah tune-beam outputs/model data.eval_splits=[test]")
    assert done.returncode == 2
    assert "test is a test split" in " ".join(done.stderr.split())
