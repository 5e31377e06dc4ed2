"""How long a training had run at each logged step is noted beside it, and goes on after a stop."""

from __future__ import annotations

import itertools
import json
import time

from training_fakes import tiny_config, tiny_train

PAUSE = 0.3  # seconds that each evaluation takes


def slow(step):
    time.sleep(PAUSE)
    return {"eval_wer": 1.0 / (1 + step)}


def noted(directory):
    lines = (directory / "minutes.jsonl").read_text().splitlines()
    return {entry["step"]: entry["minutes"] for entry in map(json.loads, lines)}


def test_minutes_count_evaluations_and_continue_where_the_checkpoint_was(tmp_path):
    config = tiny_config(max_steps=6, logging_steps=1, eval_steps=2, save_steps=2)
    began = time.monotonic()
    _, result = tiny_train(tmp_path / "model", config, evaluate=slow)
    most = (time.monotonic() - began) / 60
    found = noted(tmp_path)
    assert list(found) == [1, 2, 3, 4, 5, 6] and found == dict(result.minutes)
    assert all(one <= other for one, other in itertools.pairwise(found.values()))
    assert 2 * PAUSE / 60 < found[6] < most  # those of steps 2 and 4 lie before it
    resume = tmp_path / "model" / "checkpoint-4"
    _, resumed = tiny_train(tmp_path / "model", config, evaluate=slow, resume=resume)
    again = noted(tmp_path)
    assert {step: again[step] for step in (1, 2, 3, 4)} == {
        step: found[step] for step in (1, 2, 3, 4)
    }
    assert again[5] > found[4]
    assert [entry["minutes"] for entry in resumed.timed_history if "loss" in entry] == list(
        again.values()
    )
    assert resumed.history == result.history and "minutes" not in result.history[0]


def test_what_a_killed_process_left_unfinished_is_not_read(tmp_path):
    config = tiny_config(max_steps=4, logging_steps=1, eval_strategy="no", save_steps=2)
    tiny_train(tmp_path / "model", config)
    path = tmp_path / "minutes.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]) + '{"step": 3, "min')
    _, resumed = tiny_train(tmp_path / "model", config, resume=tmp_path / "model" / "checkpoint-2")
    assert list(resumed.minutes) == [1, 2, 3, 4] and list(noted(tmp_path)) == [1, 2, 3, 4]
