"""A transducer from the command line: trained on the embedded corpus, and measured again."""

from __future__ import annotations

import json

import pytest
from workspaces import SMALL, assert_trained, clone, run

SIZES = "model.family=transducer model.transducer.hidden_size=32 model.transducer.max_duration=4"


def test_a_transducer_trains_and_its_checkpoint_is_measured_again(tmp_path):
    folder = clone(tmp_path)
    done = run(folder, f"mynah train {SIZES} {SMALL}")
    settings = {"model.family": "transducer", "model.transducer.max_duration": 4}
    directory = assert_trained(folder, done, utterances={"validation": 4}, settings=settings)
    assert "model.language_model=words has no effect" in done.stdout + done.stderr
    assert "greedy TDT" in done.stdout
    measured = run(folder, "mynah eval outputs/model evaluation.bootstrap_samples=50")
    assert measured.returncode == 0, measured.stdout + measured.stderr
    (again,) = (
        path for path in folder.glob("outputs/*/*/evaluation/results.json")
        if directory not in path.parents
    )  # fmt: skip
    before, after = (
        json.loads(path.read_text())["evaluations"]["validation"]
        for path in (directory / "evaluation" / "results.json", again)
    )
    for count in ("words", "hits", "substitutions", "deletions", "insertions", "confusions"):
        assert before[count] == after[count], count


@pytest.mark.long
def test_the_beam_of_a_transducer_is_tuned_by_the_command(tmp_path):
    folder = clone(tmp_path)
    assert run(folder, f"mynah train {SIZES} {SMALL}").returncode == 0
    (folder / "names.txt").write_text("nightingale\nбуря\n", encoding="utf-8")
    few = "data.max_eval_samples=2 evaluation.bootstrap_samples=50"
    (folder / "text.txt").write_text("the light is green\ngood morning\n", encoding="utf-8")
    joins = "model.context_file=names.txt model.language_model=text.txt"
    tuned = run(folder, f"mynah tune-beam outputs/model {joins} {few}")
    assert tuned.returncode == 0, tuned.stdout + tuned.stderr
    assert "model.context_weight=" in tuned.stdout
    assert "model.language_model_weight=" in tuned.stdout
    joined = run(folder, f"mynah eval outputs/model {joins} {few}")
    assert joined.returncode == 0
    assert "TDT beam search with word n-grams of text.txt and 1 hot words" in joined.stdout


def test_words_typed_for_a_model_without_a_beam_are_an_error_before_anything_is_done(tmp_path):
    done = run(clone(tmp_path), "mynah train model.family=seq2seq model.language_model=words")
    assert done.returncode == 2
    assert "join CTC models alone" in done.stderr
    assert "model.language_model=none" in done.stderr and "Traceback" not in done.stderr
