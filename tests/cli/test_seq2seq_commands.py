"""A Whisper from the command line: tuned at its true length, and measured again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from workspaces import SMALL, assert_trained, clone, run

sys.path.insert(0, str(Path(__file__).parents[1]))

import standins


def test_a_whisper_is_tuned_at_its_true_length_and_measured_as_it_was_tuned(tmp_path):
    folder = clone(tmp_path)
    standins.write(folder / "whisper", "whisper_asr")
    done = run(folder, f"mynah train model.pretrained=whisper model.audio_window=clip {SMALL}")
    settings = {"model.audio_window": "clip"}
    directory = assert_trained(folder, done, utterances={"validation": 4}, settings=settings)
    assert "clips as long as they are" in done.stdout
    written = json.loads((folder / "outputs" / "model" / "config.json").read_text())
    assert written["mynah"]["audio_window"] == "clip"
    measured = run(folder, "mynah eval outputs/model evaluation.bootstrap_samples=50")
    assert measured.returncode == 0, measured.stdout + measured.stderr
    assert "clips as long as they are" in measured.stdout
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
def test_a_measured_whisper_takes_listed_words_and_gives_several_hypotheses(tmp_path):
    folder = clone(tmp_path)
    standins.write(folder / "whisper", "whisper_asr")
    assert run(folder, f"mynah train model.pretrained=whisper {SMALL}").returncode == 0
    (folder / "names.txt").write_text("Ada\nZoë\n" + "x" * 10_000, encoding="utf-8")
    few = "data.max_eval_samples=2 evaluation.bootstrap_samples=50"
    for names, said in (("names.txt", "2 listed words before each transcript"), ("null", "")):
        done = run(folder, f"mynah eval outputs/model model.context_file={names} {few}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert ("listed words" in done.stdout) == bool(said) and said in done.stdout
    (folder / "text.txt").write_text("one two three\n", encoding="utf-8")
    done = run(
        folder, f"mynah eval outputs/model evaluation.n_best=5 model.language_model=text.txt {few}"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 hypotheses each of validation, WER:" in done.stdout and "the oracle" in done.stdout
    assert "rescored by text.txt (weight 0.7, 0 a word)" in done.stdout
    newest = max(
        folder.glob("outputs/*/*/evaluation/results.json"), key=lambda p: p.stat().st_mtime
    )
    rates = json.loads(newest.read_text())["evaluations"]["validation"]["n_best"]
    assert rates["oracle"] <= rates["first"] and rates["oracle"] <= rates["rescored"]
    tuned = run(folder, f"mynah tune-beam outputs/model model.language_model=text.txt {few}")
    assert tuned.returncode == 0, tuned.stdout + tuned.stderr
    assert "% the oracle" in tuned.stdout
    assert "evaluation.n_best=5 model.language_model_weight=" in tuned.stdout
    refused = run(folder, "mynah eval outputs/model model.context_file=nowhere.txt")
    assert refused.returncode == 2 and "There is no file" in refused.stderr


def test_timestamps_of_a_model_that_has_none_are_an_error_before_anything_is_done(tmp_path):
    folder = clone(tmp_path)
    standins.write(folder / "moonshine", "moonshine")
    done = run(folder, "mynah train model.pretrained=moonshine model.timestamps=true")
    assert done.returncode == 2
    assert "writes no timestamps" in done.stderr and "Traceback" not in done.stderr
    assert "model.timestamps=false" in done.stderr
