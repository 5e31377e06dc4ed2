"""A training that resumes elsewhere than at its newest checkpoint, with all of them at hand."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal

import fsspec
import pytest
import torch
from training_fakes import tiny_config, tiny_train, weights

from mynah import run
from mynah.checkpoints.commit import intact_checkpoints, is_intact, write_sums
from mynah.checkpoints.find import resolve_resume
from mynah.checkpoints.mirror import Mirror
from mynah.config.schema import Config
from mynah.storage.store import Patience, Store


def names(model):
    return [path.name for path in intact_checkpoints(model)]


def last(model):
    """What resume_from_checkpoint=last means where a run has these checkpoints."""
    config = Config(resume_from_checkpoint="last")
    return resolve_resume(config, working_directory=model, output_directory=model).name


def with_scores(scores):
    return lambda step: {"eval_wer": scores[step]}


def test_checkpoints_of_later_steps_are_set_aside_and_the_new_ones_stay(tmp_path, capsys):
    often = {"save_total_limit": 2, "eval_strategy": "no"}
    scores = with_scores({4: 0.1, 8: 0.5})
    first = tiny_config(max_steps=8, save_steps=4, eval_steps=4, save_total_limit=2)
    tiny_train(tmp_path, first, evaluate=scores)
    assert names(tmp_path) == ["checkpoint-4", "checkpoint-8"]
    seen = []
    tiny_train(
        tmp_path,
        tiny_config(max_steps=7, save_steps=1, **often),
        resume=tmp_path / "checkpoint-4",
        on_commit=lambda: seen.append((last(tmp_path), names(tmp_path))),
    )
    assert seen == [
        ("checkpoint-5", ["checkpoint-4", "checkpoint-5"]),
        ("checkpoint-6", ["checkpoint-4", "checkpoint-6"]),  # 4 is the best
        ("checkpoint-7", ["checkpoint-4", "checkpoint-7"]),
    ]
    assert is_intact(tmp_path / "set_aside" / "checkpoint-8")
    said = " ".join(capsys.readouterr().out.split())
    assert "checkpoint-8: of later steps than 4" in said and "set_aside" in said
    assert "training.mirror" not in said
    # The first training had ended, and its model lies there until the second one ends.
    assert "is that of before until this training ends" in said
    # Once more: what was set aside before stays there too.
    tiny_train(
        tmp_path,
        tiny_config(max_steps=6, save_steps=1, mirror="s3://b/run", **often),
        resume=tmp_path / "checkpoint-4",
    )
    assert names(tmp_path) == ["checkpoint-4", "checkpoint-6"]
    assert is_intact(tmp_path / "set_aside" / "checkpoint-8")
    assert is_intact(tmp_path / "set_aside-1" / "checkpoint-7")
    assert "training.mirror has them no longer" in " ".join(capsys.readouterr().out.split())


def test_a_stopped_course_left_no_model_of_which_to_speak(tmp_path, capsys):
    def stopped(step):
        if step == 8:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"eval_wer": 1.0 / step}

    config = tiny_config(max_steps=12, save_steps=4, eval_steps=4, save_total_limit=2)
    tiny_train(tmp_path, config, evaluate=stopped)
    assert names(tmp_path) == ["checkpoint-4", "checkpoint-8"]
    assert not (tmp_path / "SHA256SUMS").exists()
    tiny_train(tmp_path, config, resume=tmp_path / "checkpoint-4")
    said = " ".join(capsys.readouterr().out.split())
    assert "checkpoint-8: of later steps than 4" in said
    assert "is that of before" not in said


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_later_checkpoint_is_set_aside_only_where_it_is_intact(tmp_path, capsys, mirrored):
    run, system = tmp_path / "run", fsspec.filesystem("memory")
    model = run / "model"
    system.store.clear()
    store = Store("memory://m", patience=Patience(()), connect=lambda: system)
    config = tiny_config(save_steps=4, save_total_limit=2, average_checkpoints=2)
    tiny_train(model, config)
    if mirrored:
        mirror = Mirror(store, run, model)
        mirror.committed()
        mirror.wait(20)
        mirror.close()
    about = model / "checkpoint-8" / "mynah.json"
    intact = about.read_bytes()
    about.write_bytes(intact.replace(b"0.5", b"0.4"))  # its error rates
    assert names(model) == ["checkpoint-4"]
    capsys.readouterr()
    if mirrored:
        Mirror(store, run, model).restore()
    shorter = dataclasses.replace(config.training, max_steps=6, save_steps=2)
    _, result = tiny_train(
        model, dataclasses.replace(config, training=shorter), resume=model / "checkpoint-4"
    )
    said = " ".join(capsys.readouterr().out.split())
    if mirrored:
        assert (model / "set_aside/checkpoint-8/mynah.json").read_bytes() == intact
        assert "checkpoint-8: of later steps than 4" in said
    else:
        assert not (model / "set_aside").exists() and "of later steps" not in said
        assert (model / "checkpoint-8").is_dir() and not is_intact(model / "checkpoint-8")
    # 8 would be the first of them: an error rate of 1/9 after 1/7 and 1/5.
    assert [path.name for path in result.best_checkpoints] == ["checkpoint-6", "checkpoint-4"]
    tiny_train(model, config, resume=model / "checkpoint-4")
    assert is_intact(model / "checkpoint-8")
    system.store.clear()


def test_without_the_best_checkpoint_the_best_of_those_at_hand_is_the_model(tmp_path, capsys):
    steps = {"save_steps": 4, "eval_steps": 4, "save_total_limit": 2}
    scores = with_scores({4: 0.1, 8: 0.2, 12: 0.3})
    tiny_train(tmp_path / "here", tiny_config(max_steps=8, **steps), evaluate=scores)
    there = tmp_path / "there" / "checkpoint-8"
    shutil.copytree(tmp_path / "here" / "checkpoint-8", there)
    capsys.readouterr()
    _, result = tiny_train(
        tmp_path / "new", tiny_config(max_steps=12, **steps), evaluate=scores, resume=there
    )
    assert result.best_checkpoint == there
    assert result.best_score == 0.2
    said = " ".join(capsys.readouterr().out.split())
    assert "that of step 4, is not here" in said and "that of step 8 (0.2000) counts" in said
    about = json.loads((tmp_path / "new" / "mynah.json").read_text())
    assert about["scores"] == {"eval_wer": 0.2}


def test_with_no_measured_checkpoint_at_hand_the_next_one_measured_is_the_best(tmp_path, capsys):
    scores = with_scores({4: 0.1, 6: 0.2, 8: 0.3})
    first = tiny_config(max_steps=6, save_steps=4, eval_steps=4)
    tiny_train(tmp_path / "here", first, evaluate=scores)
    there = tmp_path / "there" / "checkpoint-6"
    shutil.copytree(tmp_path / "here" / "checkpoint-6", there)
    about = json.loads((there / "mynah.json").read_text())
    (there / "mynah.json").write_text(json.dumps(about | {"scores": {}}))
    write_sums(there)
    second = tiny_config(max_steps=8, save_steps=4, eval_steps=4)
    _, result = tiny_train(tmp_path / "new", second, evaluate=scores, resume=there)
    assert "the next one measured counts" in " ".join(capsys.readouterr().out.split())
    assert result.best_checkpoint == tmp_path / "new" / "checkpoint-8"
    assert result.best_score == 0.3


def test_the_best_checkpoint_that_is_at_hand_stays_the_best(tmp_path, capsys):
    steps = {"save_steps": 4, "eval_steps": 4, "save_total_limit": 2}
    scores = with_scores({4: 0.1, 8: 0.2, 12: 0.3})
    tiny_train(tmp_path, tiny_config(max_steps=8, **steps), evaluate=scores)
    second = tiny_config(max_steps=12, **steps)
    _, result = tiny_train(tmp_path, second, evaluate=scores, resume=tmp_path / "checkpoint-8")
    assert result.best_checkpoint == tmp_path / "checkpoint-4" and result.best_score == 0.1
    assert "is not here" not in capsys.readouterr().out


def test_an_evaluation_that_is_cut_short_twice_is_still_done_first(tmp_path):
    calls = []

    def stopped_twice(step):
        calls.append(step)
        if calls in ([4], [4, 4]):
            os.kill(os.getpid(), signal.SIGTERM)
        return {"eval_wer": 1.0 / step}

    config = tiny_config()
    straight, untouched = tiny_train(
        tmp_path / "a", config, evaluate=lambda step: {"eval_wer": 1.0 / step}
    )
    resume = None
    for _ in range(2):
        _, stopped = tiny_train(tmp_path / "b", config, evaluate=stopped_twice, resume=resume)
        resume = tmp_path / "b" / "checkpoint-4"
        assert stopped.interrupted and stopped.steps == 4
        assert names(tmp_path / "b") == ["checkpoint-4"]
    resumed, result = tiny_train(tmp_path / "b", config, evaluate=stopped_twice, resume=resume)
    assert calls == [4, 4, 4, 8]
    assert result.history == untouched.history
    assert all(torch.equal(value, weights(resumed)[n]) for n, value in weights(straight).items())


def test_a_stop_in_the_evaluation_before_the_first_step_takes_no_step(tmp_path, capsys):
    calls = []

    def stopped_once(step):
        calls.append(step)
        if calls == [0]:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"eval_wer": 1.0 / (1 + step)}

    config = tiny_config(eval_on_start=True)
    _, stopped = tiny_train(tmp_path, config, evaluate=stopped_once)
    assert stopped.interrupted and stopped.steps == 0 and stopped.best_checkpoint is None
    assert list(tmp_path.glob("checkpoint-*")) == []
    run.say_how_to_go_on(config, run.RunPlace(tmp_path, tmp_path, tmp_path), stopped)
    assert "The same command begins again" in " ".join(capsys.readouterr().out.split())
    _, result = tiny_train(tmp_path, config, evaluate=stopped_once)
    assert calls == [0, 0, 4, 8] and result.steps == 8
