"""Every file of examples/ runs as its first lines say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib

import forked_commands
import plugin_packages
import pytest
from page_commands import REPOSITORY
from workspaces import SHORT

EXAMPLES = REPOSITORY / "examples"
PLUGIN = EXAMPLES / "plugin"


def test_every_example_is_run_and_stands_in_the_list():
    listed = re.findall(r"^\| `([\w.]+)/?` \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    there = {one.name for one in EXAMPLES.iterdir() if one.name != "README.md"}
    assert (
        set(listed) == there == {"transcribe.py", "prepare.py", "adapt.py", "measure.py", "plugin"}
    )


@pytest.fixture
def folder(workplace):
    made = workplace.folder("calls")
    (made / "examples").symlink_to(EXAMPLES)
    return made


def run(workplace, folder, line: str) -> str:
    ended = workplace.run(folder, line.split())
    assert ended.returncode == 0, ended.output
    return ended.output


def test_the_one_for_corpora_shows_its_rows(workplace, folder):
    printed = run(workplace, folder, "python examples/prepare.py calls/")
    assert re.search(r"^10 utterances, 0\.00\d h, 16000 Hz$", printed, re.MULTILINE)
    assert re.search(r"^\S+: \d{5} samples, '\w", printed, re.MULTILINE)


def test_the_one_for_recordings_prints_transcripts_and_segments(workplace, folder):
    line = "python examples/transcribe.py call.wav calls/train-00.wav --model outputs/model"
    printed = run(workplace, folder, line)
    assert "calls/train-00.wav: " in printed


@pytest.mark.long
def test_the_one_for_a_training_prints_what_its_results_say(workplace, folder):
    printed = run(
        workplace,
        folder,
        f"python examples/adapt.py ./calls model=small {SHORT} model.encoder.layers=1",
    )
    report = re.search(r"^report: (.*)$", printed, re.MULTILINE)
    assert report
    results = json.loads((folder / report[1]).with_name("results.json").read_text())
    assert list(results["evaluations"]) == ["validation", "test"]
    for split, measured in results["evaluations"].items():
        assert f"{split}: wer {measured['wer']:.4f} [" in printed


@pytest.mark.long
def test_the_one_for_an_evaluation_prints_its_scores_and_worst_utterances(workplace, folder):
    printed = run(workplace, folder, "python examples/measure.py outputs/model calls/")
    assert re.search(r"^wer: \d\.\d{4} \[\d\.\d{4}, \d\.\d{4}\]$", printed, re.MULTILINE)
    assert printed.count("  reference:  ") == 3


def test_the_plugin_passes_its_own_tests_where_it_is_installed(tmp_path):
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    about = tmp_path / "site"
    environment = plugin_packages.install(
        about, "mynah_trn_metadata", "", project["entry-points"], version=project["version"]
    )
    path = [str(PLUGIN / "src"), str(about), str(REPOSITORY / "src")]
    (tmp_path / "tested.py").write_text("import sys, pytest\nsys.exit(pytest.main(sys.argv[1:]))\n")
    done = forked_commands.run(
        ["python", "tested.py", "-q", "-p", "no:cacheprovider", str(PLUGIN / "tests")],
        tmp_path,
        forked_commands.environment(
            **environment
            | {"PYTHONPATH": os.pathsep.join(path), "MYNAH_CACHE": str(tmp_path / "cache")}
        ),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


@pytest.mark.long
def test_the_plugin_is_installed_by_pip_and_its_names_work_in_settings(tmp_path, workplace):
    folder = workplace.folder()
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*words, "--target", str(folder / "site"), str(PLUGIN)], check=True)
    corpus = folder / "corpus-in-trn"
    corpus.mkdir()
    for split, count in (("train", 10), ("validation", 4)):
        lines = [f"call {n} please ({split}-{n:02d})" for n in range(count)]
        (corpus / f"{split}.trn").write_text("\n".join(lines) + "\n")
        for n in range(count):
            os.link(folder / "calls" / f"train-{n:02d}.wav", corpus / f"{split}-{n:02d}.wav")
    line = f"mynah train model=small data.dataset_name=./corpus-in-trn {SHORT}"
    line += " evaluation.metrics=[wer,numbers] model.encoder.layers=1"
    ended = workplace.run(folder, line.split())
    assert ended.returncode == 0, ended.output
    results = json.loads(max(folder.glob("outputs/*/*/evaluation/results.json")).read_text())
    (split,) = results["evaluations"].values()
    assert split["metrics"]["numbers"]["title"] == "utterances with all numbers right"
