"""A training runs to its end: what it writes, says and returns."""

from __future__ import annotations

import json

import torch
from training_fakes import TinyFamily, tiny_config, tiny_train, weights

from mynah.training.checkpoint import is_whole, list_checkpoints


def test_a_short_training_evaluates_and_commits_its_last_step(tmp_path):
    config = tiny_config(max_steps=2, eval_steps=100, save_steps=100)
    family, result = tiny_train(tmp_path / "model", config)
    assert [path.name for path in list_checkpoints(tmp_path / "model")] == ["checkpoint-2"]
    assert result.steps == 2
    assert result.best_checkpoint == tmp_path / "model" / "checkpoint-2"
    assert [entry["step"] for entry in result.history if "eval_wer" in entry] == [2]
    assert is_whole(tmp_path / "model")
    published = weights(TinyFamily.load(tmp_path / "model"))
    assert all(torch.equal(published[name], value) for name, value in weights(family).items())
    assert not (tmp_path / "model" / "optimizer.safetensors").exists()


def test_a_checkpoint_holds_no_pickle_and_the_files_given(tmp_path):
    tiny_train(tmp_path / "model", tiny_config(max_steps=2), extra_files={"config.yaml": "a: 1\n"})
    directory = tmp_path / "model" / "checkpoint-2"
    names = {path.name for path in directory.iterdir()}
    assert {name.rpartition(".")[2] for name in names} <= {
        "json",
        "safetensors",
        "yaml",
        "SHA256SUMS",
    }
    assert (directory / "config.yaml").read_text() == "a: 1\n"
    about = json.loads((directory / "mynah.json").read_text())
    assert about["family"] == "tiny" and about["step"] == 2
    assert about["scores"]["eval_wer"] == 1 / 3
