"""Options that a plug-in declares: checked and typed as settings are."""

from __future__ import annotations

import dataclasses

import pytest

from mynah.config.checks.check import check
from mynah.config.options import check_given, option, typed_options
from mynah.config.origins import Origin
from mynah.config.schema import Config
from mynah.errors import ConfigErrors


@dataclasses.dataclass(frozen=True)
class TrnOptions:
    encoding: str = option("utf-8", "How it is encoded.", choices=("utf-8", "latin-1"))
    skip: int = option(0, "Lines to skip.", minimum=0, maximum=9)
    scale: float = 1.0
    tags: list[str] = dataclasses.field(default_factory=list)


def refused(given, options=TrnOptions):
    with pytest.raises(ConfigErrors) as caught:
        check_given("data.options", given, options, "the corpus format trn")
    (problem,) = caught.value.errors
    return problem


def test_options_become_their_dataclass_with_defaults_for_the_rest():
    made = typed_options({"skip": 2, "scale": 3, "tags": ["a"]}, TrnOptions)
    assert made == TrnOptions(encoding="utf-8", skip=2, scale=3.0, tags=["a"])
    assert isinstance(made.scale, float)


@pytest.mark.parametrize(
    ("given", "what", "fix"),
    [
        (
            {"skp": 2},
            "There is no setting data.options.skp. Nearest: data.options.skip. Options of the "
            "corpus format trn: encoding, skip, scale, tags.",
            "data.options.skip=2",
        ),
        (
            {"skip": "two"},
            'data.options.skip takes a whole number, not "two".',
            "data.options.skip=0",
        ),
        ({"skip": True}, "data.options.skip takes a whole number, not true.",
         "data.options.skip=0"),
        ({"skip": 12}, "data.options.skip is from 0 to 9, not 12.", "data.options.skip=9"),
        (
            {"encoding": "latin1"},
            'data.options.encoding takes one of utf-8, latin-1, not "latin1".',
            "data.options.encoding=latin-1",
        ),
        ({"scale": "wide"}, 'data.options.scale takes a number, not "wide".',
         "data.options.scale=1"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_answered_as_a_wrong_setting_is(given, what, fix):
    problem = refused(given)
    assert (problem.what, problem.fix) == (what, fix)


def test_options_of_what_takes_none_are_refused():
    problem = refused({"skip": 2}, None)
    assert problem.what == (
        "There is no setting data.options.skip: the corpus format trn has no options."
    )
    assert problem.fix == "remove data.options.skip"


def checked(origins=None, **changed):
    config = Config()
    for name, value in changed.items():
        section, leaf = name.split("__")
        setattr(getattr(config, section), leaf, value)
    with pytest.raises(ConfigErrors) as caught:
        check(config, origins)
    return caught.value.errors


def test_options_of_a_metric_are_checked_before_anything_runs():
    typed = "evaluation.options.bleu.tokeniz=zh"
    origins = dict.fromkeys(
        ("evaluation.options", "evaluation.options.bleu.tokeniz"), Origin("command line", typed)
    )
    (problem,) = checked(
        origins,
        evaluation__options={"bleu": {"tokeniz": "zh"}},
        evaluation__metrics=["bleu"],
    )
    assert (problem.argument, problem.instead) == (typed, "evaluation.options.bleu.tokenize=zh")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"bleu": {"tokenize": "zh"}}, "evaluation.options.bleu has no effect: the metric bleu"),
        ({"blue": {}}, "there is no metric blue. Nearest: bleu."),
        ({"wer": 3}, "evaluation.options.wer takes pairs, as {name: value}, not 3."),
        ({"wer": {"a": 1}}, "There is no setting evaluation.options.wer.a: the metric wer has no"),
    ],
)
def test_options_that_nothing_takes_are_an_error(options, what):
    (problem,) = checked(evaluation__options=options, evaluation__metrics=["wer"])
    assert what in problem.what


def test_options_of_a_format_that_is_named_are_checked_before_anything_runs():
    (problem,) = checked(data__options={"skip": 1}, data__format="kaldi")
    assert "data.options.skip: the corpus format kaldi has no options" in problem.what


def test_options_of_a_metric_change_its_value():
    from mynah.evaluation.metrics.choice import Choice

    config = Config()
    config.evaluation.metrics = ["bleu"]
    config.evaluation.options = {"bleu": {"lowercase": True}}
    (bleu,) = Choice.of(config).metrics(["A B C D E"])
    same = bleu.statistics("a b c d e", "A B C D E")
    assert bleu.value(same) == pytest.approx(100.0)  # as sacrebleu's -lc
