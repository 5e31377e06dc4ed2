"""A streamed training from the command line: it trains, reports, and can be measured again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml
from workspaces import (
    SMALL,
    assert_measured,
    assert_refused,
    assert_trained,
    clone,
    run,
)

sys.path.insert(0, str(Path(__file__).parents[1]))

from shard_files import write_manifest

STREAMED = "data.streaming=true data.text_case=lower data.sample_rate=8000"


def shards(folder: Path) -> Path:
    """Two training shards and a small evaluation split, as NeMo writes manifests."""
    texts = ["abc", "bcd", "cde", "def", "efg", "fgh", "acegb", "hgfed"]
    for split, rows in (("train", texts * 3), ("dev", texts[:4])):
        ids = [f"{split}{number}" for number in range(len(rows))]
        rooms = ["hall", "booth"] * (len(rows) // 2)
        write_manifest(folder / f"{split}.jsonl", ids, rows, room=rooms)
    (folder.parent / "terms.txt").write_text("bcd\nzurich\n")
    return folder


def test_a_streamed_training_runs_to_its_report(tmp_path):
    folder = clone(tmp_path)
    shards(folder / "corpus")
    command = (
        f"mynah train model=small data.dataset_name=corpus data.eval_splits=[dev] {STREAMED} "
        "training.per_device_train_batch_size=4 training.max_steps=2 training.eval_steps=2 "
        "model.encoder.layers=1 evaluation.bootstrap_samples=50 evaluation.terms=terms.txt"
    )
    done = run(folder, command)
    directory = assert_trained(
        folder, done, utterances={"dev": 4}, settings={"data.streaming": True}
    )
    account = json.loads((directory / "data.json").read_text())
    assert account["splits"]["train"]["streamed"] is True
    results = json.loads((directory / "evaluation" / "results.json").read_text())
    found = results["evaluations"]["dev"]
    rooms = {one["name"]: one["words"] for one in found["groups"]["room"]["groups"]}
    assert rooms == {"hall": 2, "booth": 2}
    rows = (directory / "evaluation" / "utterances.jsonl").read_text().splitlines()
    assert all(json.loads(row)["measured"]["level_db"] < 0 for row in rows)
    said = {one["term"]: one["said"] for one in found["terms"]["counts"]}
    assert said == {"bcd": 1, "zurich": 0}
    measured = run(folder, "mynah eval outputs/model evaluation.bootstrap_samples=50")
    assert measured.returncode == 0, measured.stdout + measured.stderr
    again = max(folder.glob("outputs/*/*/run.json"), key=lambda path: path.stat().st_mtime)
    assert_measured(again.parent, {"dev": 4})


def test_an_evaluation_that_fails_says_so_in_its_record(tmp_path):
    folder = clone(tmp_path)
    shards(folder / "corpus")
    trained = run(
        folder,
        "mynah train data.dataset_name=corpus data.eval_splits=[dev] data.sample_rate=8000 "
        f"training.per_device_train_batch_size=4 {SMALL}",
    )
    assert trained.returncode == 0, trained.stdout + trained.stderr
    (folder / "corpus" / "dev.jsonl").unlink()
    failed = run(folder, "mynah eval outputs/model")
    assert_refused(failed, "dev")
    records = sorted(folder.glob("outputs/*/*/run.json"), key=lambda path: path.stat().st_mtime)
    record = json.loads(records[-1].read_text())
    assert record["kind"] == "evaluation"
    assert record["status"] == "failed" and record["finished"]
    assert yaml.safe_load((folder / "outputs" / "model" / "config.yaml").read_text())


def test_lines_that_are_not_rows_are_named_and_silence_is_learned_from(tmp_path):
    folder = clone(tmp_path)
    listing = shards(folder / "corpus") / "train.jsonl"
    rows = [json.loads(line) for line in listing.read_text().splitlines()]
    rows[0]["audio_filepath"] = None
    rows[3]["channel"] = "both"
    rows[5] |= {"text": "", "no_speech": True}
    rows[6] |= {"offset": "0,1"}
    rows[8]["text"] = ["abc", "def"]
    rows[9]["channel"] = "left"
    listing.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = (
        f"mynah train model=small data.dataset_name=corpus data.eval_splits=[dev] {STREAMED} "
        "training.per_device_train_batch_size=4 training.max_steps=6 training.eval_steps=6 "
        "model.encoder.layers=1 evaluation.bootstrap_samples=50"
    )
    done = run(folder, command)
    directory = assert_trained(folder, done, utterances={"dev": 4}, settings={})
    listed = map(json.loads, (directory / "left_out.jsonl").read_text().splitlines())
    found = {row["id"]: (row["reason"], row["detail"]) for row in listed}
    reasons = {
        "train0": "No audio file is named here. (",
        "train3": "'both' is not a channel: they are counted 0, 1, … or called A and B. (",
        "train6": "The offset is not a number of seconds: '0,1'. (",
        "train8": "The transcript is not text but a list. (",
    }
    assert found.keys() == reasons.keys(), done.stdout
    for name, reason in reasons.items():
        where = f"{listing}, line {int(name.removeprefix('train')) + 1})"
        assert found[name] == ("unreadable", reason + where)
    account = json.loads((directory / "data.json").read_text())["splits"]["train"]
    assert account["dropped"] == {"unreadable": 4}
