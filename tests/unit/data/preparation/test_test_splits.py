"""``data.test_splits``: what is measured once, at the end of a training, and chooses nothing."""

import dataclasses
import json

import pytest
from data_helpers import settings, write_tone

from mynah.data.preparation.prepare import prepare
from mynah.errors import UserError

SIZES = {"train": 4, "validation": 2, "test": 3}


def folders(root, sizes):
    """A folder for each split, a text file beside each recording."""
    number = 0
    for split, count in sizes.items():
        for _ in range(count):
            number += 1
            file = write_tone(root / split / f"{number}.wav", 0.5, hertz=200 + 10 * number)
            file.with_suffix(".txt").write_text(f"words number {number}")


def manifests(root, sizes):
    """A JSON Lines file for each split."""
    number = 0
    for split, count in sizes.items():
        rows = []
        for _ in range(count):
            number += 1
            file = write_tone(root / f"{number}.wav", 0.5, hertz=200 + 10 * number)
            rows.append({"audio_filepath": file.name, "duration": 0.5, "text": f"words {number}"})
        (root / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def kaldi(root, sizes):
    """Kaldi's data directories, ``dev`` for validation."""
    number = 0
    for split, count in sizes.items():
        wav, text = [], []
        for _ in range(count):
            number += 1
            file = write_tone(root / "audio" / f"{number}.wav", 0.5, hertz=200 + 10 * number)
            wav.append(f"u{number} {file}\n")
            text.append(f"u{number} words {number}\n")
        folder = root / "data" / {"validation": "dev"}.get(split, split)
        folder.mkdir(parents=True)
        (folder / "wav.scp").write_text("".join(wav))
        (folder / "text").write_text("".join(text))


def prepared(tmp_path, layout=folders, sizes=SIZES, *, train=True, tests=True, **changed):
    if not (tmp_path / "mine").exists():
        (tmp_path / "mine").mkdir()
        layout(tmp_path / "mine", sizes)
    config = settings(tmp_path, dataset_name="mine", **changed)
    return prepare(config, working_directory=tmp_path, train=train, tests=tests)


@pytest.mark.parametrize("layout", [folders, manifests, kaldi])
def test_a_corpus_s_test_split_is_measured_at_the_end_and_chooses_nothing(tmp_path, layout):
    data = prepared(tmp_path, layout)
    assert {name: len(corpus) for name, corpus in data.evaluation.items()} == {"validation": 2}
    assert {name: len(corpus) for name, corpus in data.tests.items()} == {"test": 3}
    assert list(data.measured) == ["validation", "test"]
    assert data.report["splits"]["test"]["kept"] == 3
    assert "test" in data.report["leaks"]


@pytest.mark.parametrize(
    ("why", "changed", "sizes"),
    [
        ("it is turned off", {"test_splits": []}, SIZES),
        ("nothing is measured", {"eval_splits": []}, SIZES),
        ("it may choose the checkpoint", {"eval_splits": ["validation", "test"]}, SIZES),
        ("a part of it may", {"eval_splits": ["test[:1]"]}, SIZES),
        ("it is learned from", {"train_splits": ["train", "test"]}, SIZES),
        ("there is none", {}, {"train": 4, "validation": 2}),
        ("the corpus has no splits", {"eval_splits": None}, {"": 20}),
    ],
)
def test_no_split_is_measured_at_the_end_where(tmp_path, why, changed, sizes):
    assert prepared(tmp_path, sizes=sizes, **changed).tests == {}


def test_it_is_measured_beside_what_is_held_out(tmp_path):
    data = prepared(tmp_path, sizes={"train": 20, "test": 3}, eval_splits=None)
    assert list(data.measured) == ["held_out", "test"]


def test_splits_are_named_and_a_split_that_is_not_there_is_an_error(tmp_path):
    named = prepared(tmp_path, test_splits=["test[:2]", "validation"])
    assert {name: len(corpus) for name, corpus in named.tests.items()} == {"test[:2]": 2}
    with pytest.raises(UserError) as problem:
        prepared(tmp_path, test_splits=["tset"])
    assert problem.value.where == "data.test_splits"
    assert problem.value.fix == "data.test_splits=[test]"


def test_a_checkpoint_that_is_measured_by_itself_takes_its_evaluation_splits_alone(tmp_path):
    data = prepared(tmp_path, train=False, tests=False)
    assert list(data.measured) == ["validation"]


def test_a_stream_s_test_split_is_measured_and_auto_does_not_let_it_choose(tmp_path):
    data = prepared(tmp_path, manifests, train=False, streaming=True, eval_splits=["auto"])
    assert list(data.evaluation) == ["validation"]
    assert list(data.tests) == ["test"]


def test_each_corpus_of_a_mixture_has_its_own(tmp_path):
    for name in ("calls", "talks"):
        folders(tmp_path / name, SIZES)
    mixture = {
        "calls": {"dataset_name": "calls"},
        "talks": {"dataset_name": "talks", "test_splits": []},
    }
    config = dataclasses.replace(settings(tmp_path), mixture=mixture)
    data = prepare(config, working_directory=tmp_path, tests=True)
    assert list(data.measured) == ["calls.validation", "talks.validation", "calls.test"]
