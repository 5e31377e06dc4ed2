"""A training that is resumed with other evaluation data, or another way to score them."""

from __future__ import annotations

import pytest
from training_fakes import tiny_config, tiny_train

BEFORE = {"evaluation data (fingerprint)": "one", "model.beam_size": 8, "evaluation.options": {}}


def resumed(directory, measured_by, *, scores, **settings):
    """Trained for 8 steps, of which 4 was the best, and resumed to 12; what that came to."""
    every = {"save_steps": 2, "eval_steps": 2, **settings}
    first = {2: 0.10, 4: 0.05, 6: 0.07, 8: 0.08}
    tiny_train(
        directory, tiny_config(max_steps=8, **every),
        evaluate=lambda step: {"eval_wer": first[step]}, measured_by=BEFORE,
    )  # fmt: skip
    _, result = tiny_train(
        directory, tiny_config(max_steps=12, **every), resume=directory / "checkpoint-8",
        evaluate=lambda step: {"eval_wer": scores[step]}, measured_by=measured_by,
    )  # fmt: skip
    return result


@pytest.mark.parametrize("name", ["evaluation data (fingerprint)", "model.beam_size"])
def test_scores_of_another_measure_are_not_compared(tmp_path, capsys, name):
    result = resumed(tmp_path, BEFORE | {name: 3}, scores={10: 0.5, 12: 0.4})
    assert result.best_checkpoint == tmp_path / "checkpoint-12" and result.best_score == 0.4
    said = " ".join(capsys.readouterr().out.split())
    assert f"What is measured, or how, is not as it was ({name})" in said
    assert "step 10: WER 50.00 % (best so far)" in said


def test_the_same_measure_is_compared_as_ever_and_nothing_is_said(tmp_path, capsys):
    result = resumed(tmp_path, dict(BEFORE), scores={10: 0.5, 12: 0.4})
    assert result.best_checkpoint == tmp_path / "checkpoint-4" and result.best_score == 0.05
    assert "not as it was" not in capsys.readouterr().out


def test_a_setting_that_an_earlier_version_did_not_know_counts_as_its_default(tmp_path, capsys):
    known = BEFORE | {"model.word_bonus": 0.0}  # its default
    assert resumed(tmp_path, known, scores={10: 0.5, 12: 0.4}).best_score == 0.05
    assert "not as it was" not in capsys.readouterr().out


def test_patience_and_averages_begin_with_the_other_measure(tmp_path):
    result = resumed(
        tmp_path, BEFORE | {"model.beam_size": 3}, scores={10: 0.5, 12: 0.4},
        average_checkpoints=4, early_stopping_patience=3,
    )  # fmt: skip
    assert result.steps == 12  # 6, 8 and 10 are not three without a better one
    assert [path.name for path in result.best_checkpoints] == ["checkpoint-12", "checkpoint-10"]


def test_patience_that_was_at_its_end_counts_from_the_other_measure_on(tmp_path):
    every = {"save_steps": 2, "eval_steps": 2, "max_steps": 12, "early_stopping_patience": 2}
    first = {2: 0.05, 4: 0.07, 6: 0.08}
    _, stopped = tiny_train(
        tmp_path, tiny_config(**every), evaluate=lambda step: {"eval_wer": first[step]},
        measured_by=BEFORE,
    )  # fmt: skip
    assert stopped.steps == 6
    scores = {8: 0.5, 10: 0.6, 12: 0.7}  # the first is the best of its measure, two are not better
    for _ in range(2):
        _, result = tiny_train(
            tmp_path, tiny_config(**every), resume=tmp_path / f"checkpoint-{stopped.steps}",
            evaluate=lambda step: {"eval_wer": scores[step]},
            measured_by=BEFORE | {"model.beam_size": 3},
        )  # fmt: skip
        assert (result.steps, result.best_score) == (12, 0.5)
        stopped = result  # and resumed by the same measure it is at its end again


def test_until_something_is_measured_the_best_stays_what_it_was(tmp_path):
    now = BEFORE | {"model.beam_size": 3}
    every = {"save_steps": 2, "eval_steps": 2, "max_steps": 8}
    scores = {2: 0.10, 4: 0.05, 6: 0.07, 8: 0.08}
    for measured_by, resume in ((BEFORE, None), (now, tmp_path / "checkpoint-8")):
        _, result = tiny_train(
            tmp_path, tiny_config(**every), resume=resume, measured_by=measured_by,
            evaluate=lambda step: {"eval_wer": scores[step]},
        )  # fmt: skip
    assert result.best_checkpoint == tmp_path / "checkpoint-4" and result.best_score == 0.05
    # Saved where nothing was measured: it still knows what its best was measured by.
    stopped = tiny_config(**every | {"max_steps": 10, "eval_strategy": "no"})
    tiny_train(tmp_path, stopped, resume=tmp_path / "checkpoint-8", measured_by=now)
    _, result = tiny_train(
        tmp_path, tiny_config(**every | {"max_steps": 12}), resume=tmp_path / "checkpoint-10",
        measured_by=now, evaluate=lambda step: {"eval_wer": 0.6},
    )  # fmt: skip
    assert result.best_checkpoint == tmp_path / "checkpoint-12" and result.best_score == 0.6


def test_a_learning_rate_that_follows_the_scores_begins_with_the_other_measure(tmp_path):
    plateau = {
        "lr_scheduler_type": "reduce_lr_on_plateau", "logging_steps": 1,
        "lr_scheduler_kwargs": {"patience": 2, "factor": 0.5},
    }  # fmt: skip
    result = resumed(
        tmp_path, BEFORE | {"model.beam_size": 3}, scores={10: 0.5, 12: 0.4}, **plateau
    )
    # 6 and 8 did not improve on 4; as a third one 10 would have lowered it.
    assert {e["learning_rate"] for e in result.history if "learning_rate" in e} == {0.01}
