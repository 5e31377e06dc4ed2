"""A transducer from the command line: trained on the embedded corpus, and measured again."""

from __future__ import annotations

import json

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


def test_words_typed_for_a_transducer_are_an_error_before_anything_is_done(tmp_path):
    done = run(clone(tmp_path), "mynah train model.family=transducer model.language_model=words")
    assert done.returncode == 2
    assert "joins CTC models alone" in done.stderr
    assert "model.language_model=none" in done.stderr and "Traceback" not in done.stderr
