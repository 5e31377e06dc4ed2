"""``mynah runs``: every run below a folder, against what was written there by hand."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
import yaml

from mynah import console
from mynah.cli.main import main


def write_run(
    directory: Path,
    *,
    status: str = "done",
    lora_r: int = 8,
    rate: float | None = None,
    corpus: str = "f00d",
    minutes: int = 10,
    day: int = 1,
    split: str = "validation",
    process: int = 0,
) -> Path:
    directory.mkdir(parents=True)
    record = {
        "status": status,
        "started": f"2026-11-{day:02d}T10:00:00+00:00",
        "finished": f"2026-11-{day:02d}T10:{minutes:02d}:00+00:00",
        "process": process or os.getpid(),
    }
    if status == "running":
        record["finished"] = None
    (directory / "run.json").write_text(json.dumps(record))
    settings = {
        "model": {"lora_r": lora_r, "pretrained": "openai/whisper-tiny.en"},
        "training": {"output_dir": str(directory / "model"), "seed": 42},
    }
    (directory / "config.yaml").write_text(yaml.safe_dump(settings))
    if rate is not None:
        metric = {"label": "WER", "value": rate, "low": rate - 0.01, "high": rate + 0.02}
        metric |= {"percent": True, "greater_is_better": False}
        found = {split: {"metrics": {"wer": metric}, "corpus_fingerprint": corpus}}
        (directory / "evaluation").mkdir()
        results = json.dumps({"evaluations": found})
        (directory / "evaluation" / "results.json").write_text(results)
    return directory


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console.console(), "_width", 120)  # whatever a test before left it at
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "outputs"


def listed(capsys, *arguments: str) -> list[list[str]]:
    """The table's rows as their cells."""
    assert main(["runs", *arguments]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_each_run_has_a_line_with_what_differs_and_its_rate(outputs, capsys):
    write_run(outputs / "b", lora_r=16, rate=0.10, day=2, minutes=25)
    write_run(outputs / "a", lora_r=8, rate=0.20, day=1)
    write_run(outputs / "sweeps" / "one" / "0", lora_r=32, rate=0.15, day=3, split="test")
    (outputs / "model").symlink_to("a")  # the same run once more
    assert listed(capsys) == [
        ["a", "done", "10.0", "8", "validation", "20.00 [19.00, 22.00]"],
        ["b", "done", "25.0", "16", "validation", "10.00 [9.00, 12.00]"],
        ["sweeps/one/0", "done", "10.0", "32", "test", "15.00 [14.00, 17.00]"],
    ]


def test_the_best_comes_first_of_those_on_the_same_utterances(outputs, capsys):
    write_run(outputs / "a", rate=0.20, day=1)
    write_run(outputs / "b", rate=0.10, day=2)
    write_run(outputs / "easy", rate=0.01, day=3, corpus="other")
    write_run(outputs / "c", rate=0.15, day=4)
    write_run(outputs / "none", day=5)
    assert main(["runs", "--best"]) == 0
    said = capsys.readouterr().out
    names = [line.strip("│").split("│")[0].strip() for line in said.splitlines() if "│" in line]
    assert names == ["b", "c", "a", "easy", "none"]
    assert "2 of them, at the end, were measured on other utterances, or not at all." in said


def test_runs_are_chosen_by_their_settings(outputs, capsys):
    write_run(outputs / "a", lora_r=8)
    write_run(outputs / "b", lora_r=16)
    assert [row[0] for row in listed(capsys, "--where", "model.lora_r=16")] == ["b"]
    both = ["--where", "model.lora_r=8", "--where", "model.pretrained=openai/whisper-tiny.en"]
    assert [row[0] for row in listed(capsys, *both)] == ["a"]
    assert main(["runs", "--where", "model.lora_r=99"]) == 2
    assert "no run in outputs with these settings" in capsys.readouterr().err
    assert main(["runs", "--where", "model.lora=8"]) == 2
    assert "fix:   --where model.lora_r=8" in capsys.readouterr().err
    assert main(["runs", "--where", "model.lora_r"]) == 2
    assert "A condition is a setting and its value" in capsys.readouterr().err


def test_failed_killed_and_damaged_runs_are_named_and_none_costs_the_table(outputs, capsys):
    write_run(outputs / "failed", status="failed", day=1)
    write_run(outputs / "going", status="running", day=2)
    write_run(outputs / "killed", status="running", day=3, process=2**22 - 7)
    write_run(outputs / "torn", rate=0.1, day=4)
    (outputs / "torn" / "config.yaml").write_text("model: [")
    (outputs / "torn" / "evaluation" / "results.json").write_text('{"evaluations": {"a": [')
    write_run(outputs / "unreadable", day=5)
    (outputs / "unreadable" / "run.json").write_text("{")
    rows = {row[0]: row[1] for row in listed(capsys)}
    assert rows == {
        "failed": "failed",
        "going": "running",
        "killed": "killed",
        "torn": "damaged",
        "unreadable": "damaged",
    }


def test_the_csv_file_has_a_line_for_each_run_and_split(outputs, tmp_path):
    run = write_run(outputs / "a", lora_r=8, rate=0.2)
    results = json.loads((run / "evaluation" / "results.json").read_text())
    results["evaluations"]["test"] = results["evaluations"]["validation"]
    (run / "evaluation" / "results.json").write_text(json.dumps(results))
    write_run(outputs / "b", lora_r=16, day=2)
    assert main(["runs", "--csv", "runs.csv"]) == 0
    with (tmp_path / "runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["run"], row["model.lora_r"], row["split"], row["value"]) for row in rows] == [
        ("outputs/a", "8", "validation", "0.2"),
        ("outputs/a", "8", "test", "0.2"),
        ("outputs/b", "16", "", ""),
    ]


def test_a_folder_without_runs_says_how_one_is_made(outputs, capsys):
    assert main(["runs"]) == 2
    assert "There is no folder outputs" in capsys.readouterr().err
    outputs.mkdir()
    assert main(["runs"]) == 2
    said = capsys.readouterr().err
    assert "There is no run in outputs." in said and "mynah train" in said
