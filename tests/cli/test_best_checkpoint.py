"""What chooses the checkpoint, and what is said of the split that did."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from workspaces import SMALL, clone, run, run_directories

sys.path.insert(0, str(Path(__file__).parents[1]))

from shard_files import write_manifest

LEGACY = {
    "metric_for_best_model": "eval_loss",
    "greater_is_better": False,
    "load_best_model_at_end": True,
    "eval_strategy": "steps",
    "eval_steps": 1,
    "save_steps": 1,
    "max_steps": 2,
    "eval_splits": ["validation"],
}
SHRINK = SMALL.replace("training.eval_steps=2", "").replace("training.save_steps=2", "")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A legacy file that is older than any error rate, run as it always was."""
    folder = clone(tmp_path_factory.mktemp("best"))
    (folder / "old.json").write_text(json.dumps(LEGACY))
    texts = ["abc", "bcd", "cde", "def", "efg", "fgh", "acegb", "hgfed"]
    for split, rows in (("train", texts * 3), ("validation", texts[:4]), ("test", texts[:5])):
        ids = [f"{split}{number}" for number in range(len(rows))]
        write_manifest(folder / "calls" / f"{split}.jsonl", ids, rows)
    done = run(
        folder,
        "python src/train.py old.json data=default model=small data.dataset_name=calls "
        f"data.sample_rate=8000 {SHRINK} training.eval_steps=1 training.save_steps=1",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (directory,) = run_directories(folder)
    return directory, done.stdout


def test_a_legacy_file_s_evaluation_loss_chooses_the_checkpoint(trained):
    directory, _ = trained
    path = directory / "model" / "checkpoint-2" / "trainer_state.json"
    state = json.loads(path.read_text())
    losses = {e["step"]: e["eval_loss"] for e in state["log_history"] if "eval_loss" in e}
    assert set(losses) == {1, 2}
    assert state["best_metric"] == min(losses.values())
    assert state["best_global_step"] == min(losses, key=losses.get)
    results = json.loads((directory / "evaluation" / "results.json").read_text())
    final = results["evaluations"]["validation"]
    assert final["best_metric"] == "loss"
    assert final["loss"] == pytest.approx(min(losses.values()), rel=1e-5)


def test_a_test_split_is_measured_at_the_end_too(trained):
    directory, printed = trained
    results = json.loads((directory / "evaluation" / "results.json").read_text())
    assert list(results["evaluations"]) == ["validation", "test"]
    lines = (directory / "evaluation" / "utterances.jsonl").read_text().splitlines()
    assert {json.loads(line)["split"] for line in lines} == {"validation", "test"}
    assert results["evaluations"]["test"]["utterances"] == 4
    assert results["about"]["measured_once"] == ["test"]
    table = printed[printed.index("with 95 % intervals") :]
    assert "validation" in table and "test" in table
    assert "at the end: test" in printed[: printed.index("with 95 % intervals")]


def test_a_test_split_has_no_part_in_what_is_measured_while_training(trained):
    directory, _ = trained
    state = json.loads((directory / "model" / "checkpoint-2" / "trainer_state.json").read_text())
    keys = {key for entry in state["log_history"] for key in entry}
    assert "eval_wer" in keys and not [key for key in keys if "test" in key]


def test_the_split_that_chose_the_checkpoint_is_named_on_the_screen_and_on_the_page(trained):
    directory, printed = trained
    said = "validation chose the checkpoint, the best in loss of 2 measurements"
    page = (directory / "evaluation" / "report.html").read_text()
    for text in (printed, page):
        assert said in " ".join(text.split())
        assert "test chose nothing." in " ".join(text.split())
