"""An evaluation says what it measures on, and measures what was named."""

from __future__ import annotations

import html
import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from tiers import fast_where
from workspaces import SMALL, assert_measured, assert_refused, clone, run, run_directories

sys.path.insert(0, str(Path(__file__).parents[1]))

from shard_files import write_manifest


def newest(folder: Path) -> Path:
    records = folder.glob("outputs/*/*/run.json")
    return max(records, key=lambda path: path.stat().st_mtime).parent


def _assert_reported(folder: Path, done, split: str, corpus: str, utterances: int) -> None:
    """What is measured on is printed before decoding starts, and stands at the page's top."""
    directory = newest(folder)
    assert_measured(directory, {split: utterances})
    (line,) = re.findall(r"Measuring on (.*)", done.stdout)
    assert line.startswith(f"{split} of ") and corpus in line
    assert f": {utterances:,} utterances, " in line
    decoding = re.search(r"Decoding: (.*)", done.stdout)
    assert decoding and done.stdout.index("Measuring on") < decoding.start()
    page = html.unescape((directory / "evaluation" / "report.html").read_text())
    top = page[page.index("<header") : page.index("</header>")]
    about = json.loads((directory / "evaluation" / "results.json").read_text())["about"]
    assert line in top and about["checkpoint"] in top and about["decoding"] in top


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model trained on a corpus of three files, whose path was typed beside its name."""
    folder = clone(tmp_path_factory.mktemp("trained"))
    texts = ["abc", "bcd", "cde", "def", "efg", "fgh", "acegb", "hgfed"]
    for split, rows in (("train", texts * 3), ("dev", texts[:4]), ("test", texts[:5])):
        ids = [f"{split}{number}" for number in range(len(rows))]
        write_manifest(folder / "calls" / f"{split}.jsonl", ids, rows)
    ids = [f"mine{number}" for number in range(3)]
    write_manifest(folder / "mine.jsonl", ids, texts[5:])
    done = run(
        folder,
        "mynah train data.dataset_name=calls data.path=calls data.eval_splits=[dev] "
        f"data.sample_rate=8000 training.per_device_train_batch_size=4 {SMALL}",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_without_a_name_the_corpus_of_the_training_is_measured(trained):
    done = run(trained, "mynah eval outputs/model")
    assert done.returncode == 0, done.stdout + done.stderr
    _assert_reported(trained, done, "dev", str(trained / "calls"), 4)


def test_a_file_that_is_named_is_what_is_measured(trained):
    done = run(trained, "mynah eval outputs/model data.dataset_name=mine.jsonl")
    assert done.returncode == 0, done.stdout + done.stderr
    _assert_reported(trained, done, "train", "mine.jsonl", 3)


def test_a_file_beside_the_checkpoint_is_what_is_measured(trained):
    done = run(trained, "mynah eval outputs/model mine.jsonl")
    assert done.returncode == 0, done.stdout + done.stderr
    _assert_reported(trained, done, "train", "mine.jsonl", 3)


def test_a_corpus_with_splits_is_measured_on_the_one_it_has_for_that(trained):
    shutil.copytree(trained / "calls", trained / "other")
    done = run(trained, "mynah eval outputs/model data.path=other")
    assert done.returncode == 0, done.stdout + done.stderr
    _assert_reported(trained, done, "test", str(trained / "other"), 5)


def test_a_corpus_that_is_not_there_is_named_before_the_model_is_loaded(trained):
    assert_refused(run(trained, "mynah eval outputs/model missing.jsonl"), "missing.jsonl")


@pytest.fixture(scope="module")
def unmeasured(trained):
    """A model of the same corpus whose training measured nothing."""
    done = run(
        trained,
        "mynah train data.dataset_name=calls data.path=calls data.eval_splits=[] "
        "training.eval_strategy=no training.load_best_model_at_end=false data.sample_rate=8000 "
        f"training.per_device_train_batch_size=4 training.output_dir=unmeasured {SMALL}",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return "unmeasured"


@pytest.mark.parametrize(
    "command",
    fast_where(
        lambda command: command == "eval MODEL",
        [
            "eval MODEL",
            "export MODEL --to onnx --output exported",
            "eval MODEL data.eval_splits=null data.eval_fraction=0",
        ],
    ),
)
def test_a_model_whose_training_measured_nothing_asks_for_a_split(trained, unmeasured, command):
    done = run(trained, f"mynah {command.replace('MODEL', unmeasured)}")
    assert_refused(done, "nothing to measure on", "add 'data.eval_splits=[auto]'")
    assert "Evaluating" not in done.stdout and not (trained / "exported").exists()


@pytest.mark.parametrize(
    ("added", "split", "utterances"),
    # Of its own corpus at most 4 are measured, as its training says.
    [("data.eval_splits=[auto]", "test", 4), ("data.dataset_name=mine.jsonl", "train", 3)],
)
def test_what_that_names_is_then_measured(trained, unmeasured, added, split, utterances):
    done = run(trained, f"mynah eval {unmeasured} {added}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert_measured(newest(trained), {split: utterances})


def test_the_guide_s_evaluation_with_an_experiment_of_another_model(trainings, tmp_path):
    """Word for word: the checkpoint is that of the default training, the experiment `test`."""
    folder, done = trainings["small"]
    assert done.returncode == 0, done.stdout + done.stderr
    folder = shutil.copytree(folder, tmp_path / "clone", symlinks=True)
    shutil.copytree(folder / "outputs" / "model" / "checkpoint-2", folder / "checkpoint-100")
    done = run(
        folder, "python src/train_hydra.py +experiments=test eval_checkpoint=./checkpoint-100"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (notice,) = [line for line in done.stdout.splitlines() if "does not apply" in line]
    assert "The model is the checkpoint's" in notice and "model/small.yaml" in notice
    # The same corpus, of which the training was set to measure four utterances.
    assert_measured(run_directories(folder)[-1], {"validation": 4})
