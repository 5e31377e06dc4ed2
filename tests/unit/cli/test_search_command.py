"""A search that cannot find anything is refused before its first training, in a few lines."""

from __future__ import annotations

import importlib.util
import shlex
import sys

import pytest

from mynah.cli.shared.command_line import CommandLine
from mynah.errors import ConfigErrors, UserError

RATE = "training.learning_rate=interval(1e-5,1e-3)"
SMALL = ["model=small", "training.max_steps=8", "training.eval_steps=2"]


# Arguments, what is said of them, and what stands in the corrected command.
QUICK = [
    (["training.learning_rat=interval(1e-5,1e-3)"], "no setting", "rate=interval(1e-05,0.001)"),
    (["training.learning_rate=interval(1e-4,1e-4)"], "one point", "rate=0.0001"),
    (["model.lora_dropout=interval(0,2)"], "0 to 0.9", "=interval(0,0.9)"),
    ([RATE, "training.output_dir=a,b"], "nothing that is learned", None),
    ([RATE, "training.seed=1,2,3"], "is luck", "sweep.seeds=3"),
    ([RATE, "sweep.objectives=[ser]"], "not measured", "evaluation.metrics=[wer,cer,ser]"),
    (
        [
            RATE,
            "sweep.pruner=halving",
            "training.eval_strategy=no",
            "training.load_best_model_at_end=false",
        ],
        "training.eval_strategy is no",
        "sweep.pruner=none",
    ),
]
OTHERS = [
    (["training.learning_rate=interval(1e-5,inf)"], "between two numbers", None),
    (["training.learning_rate=interval(1e-3,1e-5)"], "wrong order", "(1e-05,0.001)"),
    (["training.learning_rate=tag(log,interval(0,1e-3))"], "above 0", "tag(log,interval(1e-06"),
    ([RATE, "model.lora_r=choice(8)"], "one point", "model.lora_r=8"),
    ([RATE, "training.logging_steps=interval(1,9)"], "nothing that is learned", None),
    ([RATE, "evaluation.normalizer=none,basic"], "cannot be compared", None),
    ([RATE, "sweep.trials=4,8"], "cannot be searched itself", None),
    (["sweep.trials=4"], "varies a setting at least", "tag(log,interval(1e-5,1e-3))"),
    ([RATE, "sweep.objectives=[wer,wer]"], "twice", "sweep.objectives=[wer]"),
    ([RATE, "sweep.objectives=[wers]"], "wers", "sweep.objectives"),
    ([RATE, "sweep.pruner=halving", "sweep.objectives=[wer,speed]"], "compares one", "none"),
    ([RATE, "sweep.pruner=halving", "sweep.objectives=[speed]"], "at the end alone", "none"),
    (
        [RATE, "sweep.pruner=halving", "sweep.objectives=[cer]"],
        "chooses checkpoints",
        "training.metric_for_best_model=cer",
    ),
    ([RATE, "sweep.pruner=halving", "training.eval_steps=8"], "the last", "eval_steps=2"),
    ([RATE, "sweep.pruner=halving", "sweep.min_steps=9"], "leaves nothing", "min_steps=null"),
    ([RATE, "data.eval_splits=[]"], "nothing to evaluate", "training.eval_strategy=no"),
]


def refused(*arguments: str, kind: type[UserError] = ConfigErrors) -> UserError:
    """What is said of a command, which runs nothing."""
    line = CommandLine([*arguments], "mynah train")
    with pytest.raises(kind) as caught:
        line.run(lambda: pytest.fail("it was run"))
    return caught.value


@pytest.mark.parametrize(
    ("arguments", "what", "corrected"),
    [*QUICK, *(pytest.param(*one, marks=pytest.mark.long) for one in OTHERS)],
)
def test_what_cannot_be_searched_is_refused_with_the_corrected_command(arguments, what, corrected):
    problem = refused("-m", *SMALL, *arguments)
    assert what in str(problem)
    assert len(str(problem).splitlines()) <= 4
    if corrected is not None:
        assert corrected in (problem.command or "")


LOG = "training.learning_rate=tag(log,interval(1e-5,1e-3))"
KEPT = [
    # as typed, and the words of the corrected command
    (
        [RATE, "sweep.pruner=halving", "training.max_steps=8", "training.eval_steps=8"],
        [RATE, "sweep.pruner=halving", "training.max_steps=8", "training.eval_steps=2"],
    ),
    (
        [RATE, "sweep.objectives=[ser]"],
        [RATE, "sweep.objectives=[ser]", "evaluation.metrics=[wer,cer,ser]"],
    ),
    (
        [RATE, "sweep.objectives=[ser]", "evaluation.metrics=[wer]"],
        [RATE, "sweep.objectives=[ser]", "evaluation.metrics=[wer,ser]"],
    ),
    (
        ["training.seed=7,8,9", "sweep.seeds=2", RATE],
        ["training.seed=7", "sweep.seeds=3", RATE],
    ),
    (["model=small", "sweep.trials=4"], ["model=small", "sweep.trials=4", LOG]),
    (["launch=local,slurm", "sweep.trials=4"], ["sweep.trials=4", LOG]),
    (
        ["sweep.objectives=wer,speed", RATE],
        ["sweep.objectives=[wer,speed]", RATE],
    ),
    (["model=small,larg", RATE], ["model=small,large", RATE]),
    (["training.optim=adamw_torch,adaam", RATE], ["training.optim=adamw_torch", RATE]),
    (["training.max_steps=interval(2000000,1000)"], ["training.max_steps=interval(1000,2000000)"]),
]


@pytest.mark.parametrize(
    ("typed", "corrected"),
    [
        *KEPT[:2],
        KEPT[3],
        *(pytest.param(*one, marks=pytest.mark.long) for one in (KEPT[2], *KEPT[4:])),
    ],
)
def test_a_corrected_command_keeps_what_was_right_and_works(typed, corrected):
    problem = refused("-m", *typed)
    assert isinstance(problem, ConfigErrors) and problem.command is not None
    words = shlex.split(problem.command)
    assert words == ["mynah", "train", "-m", *corrected]
    ran = []
    CommandLine(words[2:], "mynah train").run(lambda: ran.append(True))
    assert ran


def test_one_configuration_of_a_search_is_shown_by_its_corrected_command(capsys):
    problem = refused("-m", "--cfg", "job", LOG, "model=small,large", "sweep.trials=4")
    assert isinstance(problem, ConfigErrors) and problem.command is not None
    words = shlex.split(problem.command)
    assert words[2:] == ["--cfg", "job", "training.learning_rate=1e-05", "model=small"]
    CommandLine(words[2:], "mynah train").run(lambda: pytest.fail("it was run"))
    assert "learning_rate: 1.0e-05" in capsys.readouterr().out


@pytest.mark.parametrize(
    "value", ["interval(1e-5;1e-3)", "tag(log,interval(1e-5))", "intervall(1,2)", "interval[1,2]"]
)
def test_an_interval_that_is_typed_wrongly_is_answered_with_how_it_is_typed(value):
    problem = refused("-m", f"training.learning_rate={value}")
    assert "tag(log,interval(a,b))" in str(problem) and "null" not in str(problem)


def test_an_interval_of_a_billion_whole_numbers_is_searched():
    ran = []
    line = ["-m", "training.max_steps=interval(1,1000000000)"]
    CommandLine(line, "mynah train").run(lambda: ran.append(True))
    assert ran


def test_one_name_stands_for_a_list_of_one_in_a_search():
    handed = []
    typed = ["-m", RATE, "sweep.objectives=wer"]
    CommandLine(typed, "mynah train").run(lambda: handed.extend(sys.argv))
    assert "sweep.objectives=[wer]" in handed


def test_a_name_beyond_ascii_goes_to_hydra_in_quotes():
    handed = []
    CommandLine(["data.dataset_name=häuser!"], "mynah train").run(lambda: handed.extend(sys.argv))
    assert 'data.dataset_name="häuser!"' in handed


def test_settings_of_a_search_without_one_are_refused():
    problem = refused(*SMALL, "sweep.trials=4")
    assert "is for a search" in str(problem) and problem.command == f"mynah train {' '.join(SMALL)}"


def test_a_setting_of_a_search_that_is_added_counts_as_one():
    assert "is for a search" in str(refused(*SMALL, "+sweep.trials=4"))


def test_a_search_is_not_submitted():
    problem = refused("-m", *SMALL, RATE, "launch=slurm", kind=UserError)
    assert "chooses its next training" in str(problem) and "sbatch" in problem.fix


def test_without_optuna_a_search_names_the_extra_and_a_grid_needs_nothing(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "optuna" else found(name)
    )
    problem = refused("-m", *SMALL, RATE, kind=UserError)
    assert problem.fix.startswith('pip install "mynah-asr[search]"')
    handed = []
    grid = ["-m", *SMALL, "training.learning_rate=1e-5,1e-3"]
    CommandLine(grid, "mynah train").run(lambda: handed.extend(sys.argv))
    assert handed[-1] == "training.learning_rate=1e-5,1e-3"
    assert not [word for word in handed if "sweeper" in word]


def test_an_interval_goes_to_the_sweeper_of_searches():
    handed = []
    CommandLine(["-m", *SMALL, RATE], "mynah train").run(lambda: handed.extend(sys.argv))
    assert "hydra/sweeper=mynah_search" in handed
