"""A checkpoint that a kill left without its name, between two renames, is found under it again."""

from __future__ import annotations

import filelock
import pytest

from mynah.checkpoints import find
from mynah.checkpoints.commit import commit
from mynah.config.schema import Config
from mynah.runs.record import identity, record

CONFIG = Config(resume_from_checkpoint="auto")


def written(final, state):
    with commit(final) as staging:
        (staging / "trainer_state.json").write_text(state)
    return final


@pytest.fixture
def killed(tmp_path):
    """A run whose only checkpoint was being written again: both are there, neither has the name."""
    run = tmp_path / "outputs" / "day" / "time"
    model = run / "model"
    written(model / "checkpoint-5", "{}").rename(model / ".checkpoint-5.replaced")
    written(tmp_path / "checkpoint-5", "{ }").rename(model / ".checkpoint-5.partial")
    record(run, identity=identity(CONFIG), order=1)
    return model


def by_output(model, working):
    return find.resolve_resume(CONFIG, working_directory=working, output_directory=model)


def by_identity(model, working):
    return find.resolve_resume(CONFIG, working_directory=working)


def by_run(model, working):
    return find.resolve_checkpoint("outputs/day/time", working, resume=True)


def by_path(model, working):
    return find.resolve_checkpoint("outputs/day/time/model/checkpoint-5", working, resume=True)


@pytest.mark.parametrize("found", [by_output, by_identity, by_run, by_path])
def test_it_is_found(killed, tmp_path, found):
    assert found(killed, tmp_path) == killed / "checkpoint-5"
    assert (killed / "checkpoint-5" / "trainer_state.json").read_text() == "{}"


def test_a_training_that_is_about_to_give_the_name_is_left_alone(killed, tmp_path):
    with filelock.FileLock(killed / ".lock", fallback_to_soft=False):
        assert by_output(killed, tmp_path) is None
    assert (killed / ".checkpoint-5.replaced").is_dir()


def test_one_that_is_not_intact_gets_no_name(killed, tmp_path):
    (killed / ".checkpoint-5.replaced" / "trainer_state.json").write_text("[]")
    assert by_output(killed, tmp_path) is None


def test_where_the_newer_one_has_the_name_it_is_the_one(killed, tmp_path):
    (killed / ".checkpoint-5.partial").rename(killed / "checkpoint-5")
    assert by_output(killed, tmp_path) == killed / "checkpoint-5"
    assert (killed / "checkpoint-5" / "trainer_state.json").read_text() == "{ }"
