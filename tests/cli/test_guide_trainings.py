"""Every training of the guide, word for word, cut short by what is typed behind it."""

from __future__ import annotations

import re

import pytest
from guide_commands import TRAININGS
from tiers import fast_where
from workspaces import SMALL, assert_trained, clone, run

# Of these, one each with real weights, from scratch, by an experiment.
FAST = ("default", "small", "test", "my_experiment")


@pytest.mark.parametrize("name", fast_where(lambda name: name in FAST, TRAININGS))
def test_the_guides_training_ends_in_a_complete_model_and_a_report(trainings, name):
    folder, done = trainings[name]
    training = TRAININGS[name]
    assert_trained(folder, done, utterances=training.utterances, settings=training.settings)


def test_a_person_sees_what_will_be_spent_what_came_out_and_what_to_type_next(trainings):
    folder, done = trainings["small"]
    for part in ("estimated time", "WER %", "reference:", "outputs/model -> outputs/"):
        assert part in done.stdout
    (report,) = re.findall(r"Report: (\S+)", done.stdout)
    assert (folder / report).is_file()
    (following,) = re.findall(r"python src/train_hydra.py eval_checkpoint=(\S+)", done.stdout)
    assert (folder / following / "mynah.json").is_file()


def test_lora_where_nothing_is_pretrained_is_a_notice_and_the_run_continues(tmp_path):
    folder = clone(tmp_path / "clone")
    done = run(folder, "python src/train_hydra.py model.lora_r=16", SMALL)
    notice = "model.lora_r has no effect: nothing pretrained is there to adapt."
    assert done.returncode == 0 and notice in " ".join((done.stdout + done.stderr).split())


def test_the_guides_own_experiment_trains_where_it_says(trainings):
    folder, _ = trainings["my_experiment"]
    model = folder / "outputs" / "my_experiment"
    assert (model / "checkpoint-2" / "adapter" / "adapter_model.safetensors").is_file()
    assert (folder / "outputs" / "model").resolve() == model.resolve()
