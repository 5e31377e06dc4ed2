"""``training.average_checkpoints``: the best stay, and their average is the model where it is as
good."""

from __future__ import annotations

import os
import signal
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training_fakes import TinyFamily, tiny_config, tiny_train

from mynah.checkpoints.commit import is_intact
from mynah.runs.directory import named_checkpoints
from mynah.training.averaging.checkpoints import with_average

RATES = [0.9, 0.3, 0.5, 0.2, 0.6, 0.4, 0.8, 0.7]
BEST_THREE = (4, 2, 6)


def config(**settings):
    return tiny_config(
        eval_steps=1, save_steps=1, save_total_limit=1, average_checkpoints=3, **settings
    )


def trained(directory, **options):
    _, outcome = tiny_train(
        directory, config(), evaluate=lambda step: {"eval_wer": RATES[step - 1]}, **options
    )
    return outcome


def at_its_end(outcome, directory, rate):
    """What follows the training, where the average is measured to have a rate."""
    return with_average(
        outcome, config(), output_directory=directory, load=TinyFamily.load,
        measure=lambda family: {"wer": rate},
    )  # fmt: skip


@pytest.fixture
def training(tmp_path):
    return tmp_path / "model", trained(tmp_path / "model")


def mean_of(directory, steps):
    """The mean of checkpoints' weights, in NumPy's double precision."""
    models = [load_file(str(directory / f"checkpoint-{n}" / "model.safetensors")) for n in steps]
    return {
        name: np.mean([one[name].double().numpy() for one in models], axis=0) for name in models[0]
    }


def test_the_best_are_kept_besides_the_newest(training):
    directory, outcome = training
    assert [path.name for path in named_checkpoints(directory)] == [
        "checkpoint-2", "checkpoint-4", "checkpoint-6", "checkpoint-8",
    ]  # fmt: skip
    assert [path.name for path in outcome.best_checkpoints] == [
        f"checkpoint-{step}" for step in BEST_THREE
    ]


@pytest.mark.parametrize("rate", [0.15, 0.2])
def test_an_average_that_is_as_good_as_the_best_is_the_model(training, rate, capsys):
    directory, outcome = training
    chosen = at_its_end(outcome, directory, rate)
    assert chosen.best_checkpoint == directory / "average" and chosen.best_score == rate
    held = load_file(str(directory / "model.safetensors"))
    for name, value in mean_of(directory, BEST_THREE).items():
        np.testing.assert_array_equal(held[name].numpy(), value.astype(np.float32))
    assert is_intact(directory) and is_intact(directory / "average")
    said = " ".join(capsys.readouterr().out.split())
    assert f"The average of the checkpoints 2, 4, 6 has eval_wer {rate:.4f}" in said
    assert "the average is the model" in said


@pytest.mark.parametrize("rate", [0.21, float("nan")])
def test_an_average_that_is_worse_is_said_and_not_taken(training, rate, capsys):
    directory, outcome = training
    chosen = at_its_end(outcome, directory, rate)
    assert chosen.best_checkpoint == directory / "checkpoint-4" and chosen.best_score == 0.2
    held = load_file(str(directory / "model.safetensors"))
    best = load_file(str(directory / "checkpoint-4" / "model.safetensors"))
    assert all(torch.equal(held[name], value) for name, value in best.items())
    assert "the best is the model" in " ".join(capsys.readouterr().out.split())


def test_where_one_checkpoint_was_measured_there_is_nothing_to_average(tmp_path, capsys):
    settings = tiny_config(eval_steps=8, save_steps=8, average_checkpoints=3)
    _, outcome = tiny_train(tmp_path / "model", settings)
    assert at_its_end(outcome, tmp_path / "model", 0.0) == outcome
    assert "nothing to average" in " ".join(capsys.readouterr().out.split())
    assert not (tmp_path / "model" / "average").exists()


def killed_while_averaging(directory, fatal):
    """Train and average in a process that dies at the N-th file of the average."""
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        counted = 0

        def hook(event, arguments):
            nonlocal counted
            if event in ("open", "os.rename") and ".average.partial" in str(arguments[0]):
                counted += 1
                if counted == fatal:
                    os.kill(os.getpid(), signal.SIGKILL)

        outcome = trained(directory)
        sys.addaudithook(hook)
        at_its_end(outcome, directory, 0.1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


@pytest.mark.parametrize("fatal", [1, 6])
def test_killed_while_it_averages_the_resumed_one_ends_with_the_same_average(
    tmp_path, training, fatal
):
    untouched, outcome = training
    at_its_end(outcome, untouched, 0.1)
    directory = tmp_path / "killed"
    assert os.WTERMSIG(killed_while_averaging(directory, fatal)) == signal.SIGKILL
    assert not (directory / "average").exists()
    again = trained(directory, resume=directory / "checkpoint-8")
    at_its_end(again, directory, 0.1)
    for name in ("model.safetensors", "average/model.safetensors", "average/SHA256SUMS"):
        assert (directory / name).read_bytes() == (untouched / name).read_bytes()
    assert not [path for path in directory.iterdir() if path.name.startswith(".average")]
