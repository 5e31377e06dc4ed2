"""The guide's other commands, word for word: evaluations, what shows a configuration, hatch."""

from __future__ import annotations

import shutil
import tomllib

import pytest
import yaml
from workspaces import REPOSITORY, SMALL, assert_measured, clone, run, run_directories, words


def copy_of(folder, tmp_path):
    """A copy of a folder with its trainings, ``outputs/model`` pointing into the copy."""
    return shutil.copytree(folder, tmp_path / "clone", symlinks=True)


def test_a_checkpoint_is_measured_on_its_own_data_and_gives_the_same_rates(trained, tmp_path):
    folder = copy_of(trained, tmp_path)
    model = (folder / "outputs" / "model").resolve()
    (model / "checkpoint-2").rename(model / "checkpoint-1000")
    (first,) = run_directories(folder)
    done = run(folder, "python src/train_hydra.py eval_checkpoint=./outputs/model/checkpoint-1000")
    assert done.returncode == 0, done.stdout + done.stderr
    (second,) = set(run_directories(folder)) - {first}
    before = assert_measured(first, {"validation": 4})["validation"]
    after = assert_measured(second, {"validation": 4})["validation"]
    for name in ("wer", "cer", "corpus_fingerprint", "normalizer"):
        assert after[name] == before[name]
    assert str(model / "checkpoint-1000") in done.stdout
    assert (folder / "outputs" / "model").resolve() == model
    assert not (second / "model").exists()


@pytest.mark.long  # another is fast in test_measured_corpus.py
def test_an_experiment_beside_a_checkpoint_says_what_it_is_measured_on(trainings, tmp_path):
    trained, _ = trainings["test"]
    folder = copy_of(trained, tmp_path)
    shutil.copytree(folder / "outputs" / "model" / "checkpoint-2", folder / "checkpoint-100")
    done = run(
        folder,
        "python src/train_hydra.py +experiments=test eval_checkpoint=./checkpoint-100",
        SMALL.replace("max_eval_samples=4", "max_eval_samples=6"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert_measured(run_directories(folder)[-1], {"validation": 6})


def test_cfg_job_shows_a_configuration_and_with_hydra_help_both(tmp_path):
    folder = clone(tmp_path / "clone")
    done = run(folder, "python src/train_hydra.py --cfg job")
    assert yaml.safe_load(done.stdout)["training"]["eval_steps"] > 0
    done = run(folder, "python src/train_hydra.py --cfg job --hydra-help")
    assert done.returncode == 0
    assert "max_steps:" in done.stdout and "--multirun" in done.stdout
    assert not (folder / "outputs").exists()


SCRIPTS = {
    "hatch run train": "python src/train_hydra.py",
    "hatch run train-test": "python src/train_hydra.py +experiments=test",
    "hatch run train-mac": "python src/train_hydra.py +experiments=mac_minimal",
    "hatch run train-prod": "python src/train_hydra.py +experiments=production",
    "hatch run train-legacy configs/experiments/test_config.json": (
        "python src/train.py configs/experiments/test_config.json"
    ),
}


@pytest.mark.parametrize("command", SCRIPTS)
def test_a_hatch_script_is_the_command_beside_it_in_the_guide_and_takes_arguments(
    command, tmp_path
):
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    scripts = project["tool"]["hatch"]["envs"]["default"]["scripts"]
    _, _, name, *arguments = command.split()
    suffix = "training.seed=7 --cfg job --resolve"
    meant = scripts[name].replace("{root}", str(REPOSITORY))
    meant = meant.replace("{args}", " ".join([*arguments, suffix]))
    folder = clone(tmp_path / "clone")
    by_hatch, plain = run(folder, meant), run(folder, SCRIPTS[command], suffix)
    assert by_hatch.returncode == 0, by_hatch.stderr
    assert yaml.safe_load(by_hatch.stdout)["training"]["seed"] == 7
    assert by_hatch.stdout == plain.stdout


def test_the_commands_words_reach_the_process_as_they_are_printed():
    assert words("python a.py \\\n    b=1 \\\n    c=2", "d=3")[1:] == ["a.py", "b=1", "c=2", "d=3"]
