"""The report's own plots: training curves and error rate over duration."""

from __future__ import annotations

from evaluation_fakes import FakeCorpus, evaluation_of

from mynah.evaluation import breakdown
from mynah.evaluation.pages.durations import error_rate_over_duration
from mynah.evaluation.pages.training import curves_of, over_minutes, training_section


def test_one_bin_of_durations_is_not_plotted():
    evaluation = evaluation_of(FakeCorpus(["a"]), ["a"])
    bins = breakdown.by_duration(evaluation)
    assert error_rate_over_duration(bins, evaluation.scores["wer"]) is None


def test_a_trainer_s_log_becomes_curves_by_split():
    history = [
        {"step": 10, "loss": 3.0, "learning_rate": 1e-3, "grad_norm": 2.0},
        {"step": 20, "eval_wer": 0.5, "eval_wer_low": 0.4, "eval_wer_high": 0.6, "eval_cer": 0.2},
        {"step": 20, "eval_test.clean_wer": 0.7, "eval_loss": 2.5, "eval_substitutions": 9},
        {"train_runtime": 5.0},
    ]
    losses, rates, others = curves_of(history, ["validation", "test.clean"])
    assert {line.name: line.points for line in losses} == {
        "training": [(10, 3.0)],
        "evaluation": [(20, 2.5)],
    }
    assert {line.name: line.points for line in rates} == {
        "validation WER": [(20, 0.5)],
        "validation CER": [(20, 0.2)],
        "test.clean WER": [(20, 0.7)],
    }
    assert others == []
    assert rates[0].intervals == [(0.4, 0.6)]


TIMED = [
    {"step": 10, "loss": 3.0, "learning_rate": 1e-3, "minutes": 0.5},
    {"step": 20, "loss": 2.0, "learning_rate": 5e-4, "minutes": 2.0},
    {"step": 20, "eval_wer": 0.5, "minutes": 2.0},
    {"step": 30, "loss": 1.0, "learning_rate": 1e-4},
    {"step": 40, "eval_wer": 0.25, "minutes": 4.5},
]


def test_error_rates_and_the_learning_rate_are_drawn_over_minutes():
    rates, learning = over_minutes(TIMED, ["validation"])
    assert [(line.name, line.points) for line in rates] == [
        ("validation WER", [(2.0, 0.5), (4.5, 0.25)])
    ]
    assert [line.points for line in learning] == [[(0.5, 1e-3), (2.0, 5e-4)]]
    page = str(training_section(TIMED, ["validation"]))
    assert "Error rates over minutes" in page and "Learning rate over minutes" in page
    assert "validation WER, minutes 4.5: 25 %" in page


def test_a_history_without_minutes_has_no_curve_over_them():
    untimed = [{key: value for key, value in entry.items() if key != "minutes"} for entry in TIMED]
    assert over_minutes(untimed, ["validation"]) == ([], [])
    assert "over minutes" not in str(training_section(untimed, ["validation"]))
