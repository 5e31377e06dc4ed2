"""``mynah runs``: every run below a folder, against what was written there by hand."""

from __future__ import annotations

import csv
import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from browser import on_a_phone
from scipy.stats import t
from written_runs import listed, write_run

from mynah.cli.main import main
from mynah.config.effective import effective_yaml
from mynah.config.hydra.compose import compose
from mynah.runs.listing import read_run


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


def test_thousands_of_runs_are_read_with_the_fast_parser(outputs):
    write_run(outputs / "a")
    text = effective_yaml(compose([]).config)
    (outputs / "a" / "config.yaml").write_text(text)
    began = time.process_time()
    for _ in range(5):
        yaml.load(text, Loader=yaml.SafeLoader)
    slow = time.process_time() - began
    began = time.process_time()
    for _ in range(5):
        assert read_run(outputs / "a").settings["model.lora_r"] == 8
    assert time.process_time() - began < slow / 2


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


@pytest.mark.parametrize(
    ("setting", "value", "typed"),
    [
        ("training.learning_rate", 0.0001, ["1e-4", "0.0001", "1.0e-04"]),
        ("training.learning_rate", 3e-05, ["3e-05", "3e-5", ".00003"]),
        ("training.save_strategy", "no", ["no", "'no'"]),
        ("training.bf16", False, ["no", "false", "off"]),
        ("training.run_name", "007", ["007"]),
        ("training.max_steps", None, ["null"]),
        ("training.per_device_train_batch_size", "auto", ["auto"]),
        ("data.eval_splits", ["test"], ["test", "[test]"]),
    ],
)
def test_a_condition_s_value_is_read_as_its_setting_is(outputs, capsys, setting, value, typed):
    run = write_run(outputs / "a")
    write_run(outputs / "b", day=2)
    settings = yaml.safe_load((run / "config.yaml").read_text())
    section, _, leaf = setting.partition(".")
    settings.setdefault(section, {})[leaf] = value
    (run / "config.yaml").write_text(yaml.safe_dump(settings))
    for text in typed:
        assert [row[0] for row in listed(capsys, "--where", f"{setting}={text}")] == ["a"]


def test_a_condition_of_another_type_is_refused(outputs, capsys):
    write_run(outputs / "a")
    assert main(["runs", "--where", "training.learning_rate=fast"]) == 2
    said = capsys.readouterr().err
    assert 'training.learning_rate takes a number or null, not "fast"' in said
    assert "fix:   --where training.learning_rate=null  is its default" in said
    assert main(["runs", "--where", "model.lora_r=x"]) == 2
    assert "fix:   --where model.lora_r=32  is its default" in capsys.readouterr().err
    assert main(["runs", "--where", "data.eval_splits=[test"]) == 2
    assert "fix:   --where " in capsys.readouterr().err


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


def test_tags_and_notes_are_kept_beside_the_run_and_choose_runs(outputs, capsys):
    run = write_run(outputs / "a", rate=0.2)
    write_run(outputs / "b", rate=0.1, day=2)
    record = (run / "run.json").read_bytes()
    assert main(["runs", "tag", "outputs/a", "good", "demo", "--note", "for  the\nfair"]) == 0
    assert main(["runs", "tag", "outputs/a", "best", "--untag", "demo"]) == 0
    held = json.loads((run / "notes.json").read_text())
    assert held == {"tags": ["good", "best"], "note": "for the fair"}
    assert (run / "run.json").read_bytes() == record
    capsys.readouterr()
    (row,) = listed(capsys, "--tag", "good", "--tag", "best")
    assert row[0] == "a" and row[3] == "good, best"
    assert main(["runs", "--tag", "none"]) == 2
    assert "no run in outputs with these tags" in capsys.readouterr().err
    assert main(["runs", "tag", "outputs/a", "--untag", "nope"]) == 2
    assert "has no tag 'nope'; it has good, best" in capsys.readouterr().err
    assert main(["runs", "tag", "outputs", "x"]) == 2
    assert "is not a run" in capsys.readouterr().err
    assert main(["runs", "tag", "outputs/a", "two words"]) == 2


def test_a_change_from_the_baseline_is_of_the_same_utterances_only(outputs, capsys):
    write_run(outputs / "a", rate=0.20, day=1)
    write_run(outputs / "b", rate=0.15, day=2)
    write_run(outputs / "other", rate=0.01, day=3, corpus="other")
    rows = listed(capsys, "--baseline", "outputs/a")
    changes = [(row[0], row[-1]) for row in rows]
    assert changes == [("a", "–"), ("b", "-5.00 unpaired"), ("other", "–")]
    write_run(outputs / "none", day=4)
    assert main(["runs", "--baseline", "outputs/none"]) == 2
    assert "outputs/none was not measured" in capsys.readouterr().err


def write_utterances(run: Path, errors: list[int]) -> None:
    """Ten words an utterance and two utterances a speaker, of which so many are wrong."""
    with (run / "evaluation" / "utterances.jsonl").open("w") as file:
        for number, wrong in enumerate(errors):
            words = [f"w{place}" for place in range(10)]
            row = {"split": "validation", "id": f"u{number}", "speaker": f"s{number // 2}"}
            row |= {"reference": " ".join(words)}
            row |= {"hypothesis": " ".join(["x"] * wrong + words[wrong:])}
            file.write(json.dumps(row) + "\n")


def test_a_change_from_the_baseline_is_paired_where_utterances_are_kept(outputs, capsys, tmp_path):
    errors = {"a": [4, 2] * 7, "b": [3, 2] * 6 + [2, 1], "torn": [0] * 14}
    for day, (name, wrong) in enumerate(errors.items(), 1):
        run = write_run(outputs / name, rate=sum(wrong) / 140, day=day)
        write_utterances(run, wrong)
    (outputs / "torn" / "evaluation" / "utterances.jsonl").write_text("{")
    rows = listed(capsys, "--baseline", "outputs/a", "--csv", "runs.csv")
    # Six of seven speakers gain 1 word of 20, one 3: a t interval of 6 degrees of freedom.
    gains = np.array([1] * 6 + [3]) / 20
    mean, half = gains.mean(), t.ppf(0.975, 6) * gains.std(ddof=1) / math.sqrt(7)
    low, high = (f"{-100 * end:+.2f}" for end in (mean + half, mean - half))
    changes = [row[-1] for row in rows]
    assert changes == ["–", f"{-100 * mean:+.2f} [{low}, {high}]", "-30.00 unpaired"]
    found = list(csv.DictReader((tmp_path / "runs.csv").open(newline="")))
    assert [row["change_paired"] for row in found] == ["", "yes", "no"]
    p_value = 2 * t.sf(mean / (gains.std(ddof=1) / math.sqrt(7)), 6)
    assert float(found[1]["change_p_value"]) == pytest.approx(p_value, rel=1e-3)
    assert main(["runs", "--baseline", "outputs/a", "--page", "runs.html"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 are unpaired: what their runs recognized is not kept." in said
    assert f"[{low}, {high}]" in (tmp_path / "runs.html").read_text()


def test_the_rate_of_the_untuned_base_is_shown_with_what_it_is_of(outputs, capsys):
    run = write_run(outputs / "a", rate=0.10)
    file = run / "evaluation" / "results.json"
    results = json.loads(file.read_text())
    tuned = {"base": 0.31, "difference": -0.2, "low": -0.25, "high": -0.12, "p_value": 0.001}
    as_scored = {"metrics": {"wer": tuned}}
    base = {"utterances": 120, "of": 500, "as_scored": as_scored}
    results["before_after"] = {"splits": {"validation": base}}
    file.write_text(json.dumps(results))
    (row,) = listed(capsys)
    assert row[-1] == "31.00 (-20.00 [-25.00, -12.00], 120 utterances)"
    as_scored["metrics"]["wer"] = tuned | {"informative": False}
    file.write_text(json.dumps(results))
    (row,) = listed(capsys)
    assert row[-1] == "31.00 (-20.00, 120 utterances)"


def test_the_page_has_all_runs_fits_a_phone_and_escapes_what_people_write(outputs, tmp_path):
    for number in range(3):
        write_run(
            outputs / f"run{number}", lora_r=8 * number, rate=0.1 + number / 100, day=number + 1
        )
    write_run(outputs / "broken", status="failed", day=5)
    assert main(["runs", "tag", "outputs/run1", "x", "--note", "<script>alert(1)</script>"]) == 0
    assert main(["runs", "--baseline", "outputs/run0", "--page", "pages/runs.html"]) == 0
    page = (tmp_path / "pages" / "runs.html").read_text()
    assert page.count("<tr>") == 5 and "failed" in page
    assert "11.00" in page and "10.00 to 13.00" in page and "+1.00" in page
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    found = on_a_phone(tmp_path / "pages" / "runs.html")
    assert found["width"] <= 360 and found["nameless"] == 0 and found["buttons"] > 10
