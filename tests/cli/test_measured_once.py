"""What the last step of a training measured is its result, where a loaded model gives the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from workspaces import SMALL, run_directories

sys.path.insert(0, str(Path(__file__).parents[1]))

from shard_files import write_manifest

from mynah.cli.main import main
from mynah.evaluation import evaluate

pytestmark = pytest.mark.long  # trainings
TEXTS = ["abc", "bcd", "cde", "def", "efg", "fgh", "acegb", "hgfed"]
WHILE_TRAINING = ["decoding dev"] * 2
AT_THE_END = ["decoding dev"]


@pytest.fixture
def train(tmp_path, monkeypatch, capsys):
    """Trains 40 steps, measured at 20 and 40; the run's directory, what was decoded, and said."""
    monkeypatch.chdir(tmp_path)
    for split, rows in (("train", TEXTS * 3), ("dev", TEXTS * 2), ("other", TEXTS)):
        ids = [f"{split}{number}" for number in range(len(rows))]
        write_manifest(tmp_path / "calls" / f"{split}.jsonl", ids, rows)
    decoded = []
    decode = evaluate.decode

    def counted(*arguments, **settings):
        decoded.append(settings["description"])
        return decode(*arguments, **settings)

    monkeypatch.setattr(evaluate, "decode", counted)

    def type_(*settings):
        line = [
            "data.dataset_name=calls", "data.path=calls", "data.eval_splits=[dev]",
            "data.sample_rate=8000", *SMALL.split(), "training.max_steps=40",
            "training.eval_steps=20", "training.save_steps=20", "data.max_eval_samples=null",
            "training.load_best_model_at_end=false", *settings,
        ]  # fmt: skip
        assert main(["train", *line]) == 0
        (directory,) = run_directories(tmp_path)
        return directory, decoded, capsys.readouterr().out

    return type_


def numbers_of(evaluation: Path) -> dict:
    found = json.loads((evaluation / "results.json").read_text())["evaluations"]["dev"]
    return {name: one for name, one in found.items() if "second" not in name}


@pytest.mark.parametrize(
    "settings",
    [
        [],
        [
            "training.ema_decay=0.9",
            "evaluation.word_times=true",
            "evaluation.metrics=[wer,cer,loss]",
        ],
    ],
    ids=["plain", "averaged"],
)
def test_the_results_are_those_of_the_checkpoint_to_the_byte(train, settings, tmp_path):
    directory, decoded, said = train(*settings)
    assert decoded == WHILE_TRAINING and "Measured already with this model: dev" in said
    assert main(["eval", str(directory / "model"), *settings[1:]]) == 0
    assert decoded == [*WHILE_TRAINING, *AT_THE_END]
    (again,) = [one for one in run_directories(tmp_path) if one != directory]
    mine, theirs = directory / "evaluation", again / "evaluation"
    assert numbers_of(mine) == numbers_of(theirs)
    assert (mine / "utterances.jsonl").read_bytes() == (theirs / "utterances.jsonl").read_bytes()


def test_a_split_that_is_measured_once_is_decoded_and_the_other_not(train):
    _, decoded, _ = train("data.test_splits=[other]")
    assert decoded == [*WHILE_TRAINING, "decoding other"]


def test_an_average_that_is_the_model_is_decoded_once(train, tmp_path):
    settings = ("training.load_best_model_at_end=true", "training.average_checkpoints=2")
    directory, decoded, said = train(*settings)
    assert "the average is the model" in " ".join(said.split())
    assert decoded == [*WHILE_TRAINING, "decoding dev"]
    assert main(["eval", str(directory / "model")]) == 0
    (again,) = [one for one in run_directories(tmp_path) if one != directory]
    mine, theirs = directory / "evaluation", again / "evaluation"
    assert numbers_of(mine) == numbers_of(theirs)
    assert (mine / "utterances.jsonl").read_bytes() == (theirs / "utterances.jsonl").read_bytes()


def test_with_mixed_precision_the_checkpoint_is_decoded(train):
    _, decoded, said = train("training.bf16=true")
    assert decoded == [*WHILE_TRAINING, *AT_THE_END]
    assert "Measured already" not in said
