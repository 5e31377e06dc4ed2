"""A metric that another distribution adds, from the command line to the sweep's table."""

from __future__ import annotations

import csv
import json
import re

import plugin_packages
import pytest
from workspaces import REPOSITORY, SMALL, assert_refused, clone, run, run_directories

_PAGE = (REPOSITORY / "docs" / "plugins.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"```python\n(# vowels\.py\n.*?)```", _PAGE, flags=re.DOTALL)
ENTRY = {"mynah.metrics": {"vowels": "vowels:VowelsRecognized"}}
BY_VOWELS = "training.metric_for_best_model=vowels evaluation.metrics=[wer,vowels]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = clone(tmp_path_factory.mktemp("metric"))
    plugin_packages.install(folder / "site", "vowels", EXAMPLE, ENTRY, version="2.1")
    return folder


def installed(folder) -> dict[str, str]:
    return {"PYTHONPATH": f"{folder / 'site'}:{folder / 'src'}"}


@pytest.fixture(scope="module")
def trained(folder):
    return run(folder, f"mynah train model=small {SMALL} {BY_VOWELS}", **installed(folder))


def vowels(text: str) -> int:
    return sum(text.count(letter) for letter in "aeiou")


def test_a_metric_from_outside_is_measured_shown_and_chooses_the_checkpoint(folder, trained):
    assert trained.returncode == 0, trained.stdout + trained.stderr
    (directory,) = run_directories(folder)
    results = json.loads((directory / "evaluation" / "results.json").read_text())
    (split,) = results["evaluations"].values()
    lines = (directory / "evaluation" / "utterances.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    said = sum(vowels(record["reference_normalized"]) for record in records)
    found = sum(
        min(
            record[name].count(letter) for name in ("reference_normalized", "hypothesis_normalized")
        )
        for record in records
        for letter in "aeiou"
    )
    assert split["vowels"] == found / said
    assert split["best_metric"] == "vowels"
    assert split["metrics"]["vowels"] | {"value": 0, "low": 0, "high": 0, "intervals": 0} == {
        "label": "vowels",
        "title": "vowels recognized",
        "version": "1",
        "greater_is_better": True,
        "percent": True,
        "value": 0,
        "low": 0,
        "high": 0,
        "intervals": 0,
    }
    assert list(split["metrics"]) == ["wer", "vowels"]
    state = json.loads((directory / "model" / "checkpoint-2" / "trainer_state.json").read_text())
    (logged,) = [entry["eval_vowels"] for entry in state["log_history"] if "eval_vowels" in entry]
    assert state["best_metric"] == logged
    page = (directory / "evaluation" / "report.html").read_text()
    assert "vowels recognized" in page and "vowels %" in page
    screen = " ".join(trained.stdout.split())
    assert "vowels %" in screen and re.search(r"step 2: WER [\d.]+ %.* vowels [\d.]+ %", screen)


@pytest.mark.long  # two trainings
def test_a_sweep_is_compared_by_the_metric_from_outside_the_greatest_first(folder):
    done = run(
        folder,
        f"python src/train_hydra.py -m model=small training.seed=1,2 {SMALL} {BY_VOWELS}",
        **installed(folder),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("outputs/sweeps/*/sweep.csv")
    with path.open() as handle:
        rows = list(csv.DictReader(handle))
    rates = [float(row["vowels"]) for row in rows]
    assert len(rates) == 2 and rates == sorted(rates, reverse=True)
    assert "mean vowels" in " ".join(done.stdout.split())
    assert "vowels recognized, best on top" in path.with_name("sweep.svg").read_text()


def test_without_the_package_the_name_is_refused_with_those_there_are(folder):
    done = run(folder, f"mynah train {BY_VOWELS}", PYTHONPATH=str(folder / "src"))
    assert_refused(done, "evaluation.metrics takes names among wer, cer, mer", "vowels")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import a_package_that_is_not_there", "a_package_that_is_not_there"),
        ("VowelsRecognized = 'vowels'", "is not a class"),
        ("class VowelsRecognized: name = 'vowels'", "lacks label, title, version"),
    ],
)
def test_a_broken_metric_is_named_with_its_package_before_anything_is_done(tmp_path, source, said):
    folder = clone(tmp_path)
    plugin_packages.install(folder / "site", "vowels", source, ENTRY, version="2.1")
    done = run(folder, "mynah train evaluation.metrics=[vowels]", **installed(folder))
    assert_refused(done, "vowels 2.1", "uninstall vowels", said)
    # Whoever does not ask for it is not disturbed.
    done = run(folder, "mynah train --cfg job", **installed(folder))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1 / 0", "ZeroDivisionError"),
        ("return np.zeros(len(reference))", "returned statistics of shape"),
    ],
)
def test_a_metric_that_breaks_its_contract_at_work_is_named_with_its_package(body, said):
    from mynah.config.plugins.registry import Plugin
    from mynah.errors import UserError
    from mynah.evaluation.metrics.foreign import ForeignMetric

    names: dict = {}
    exec(EXAMPLE, names)
    changed = f"def statistics(self, reference, hypothesis):\n    {body}\n"
    exec(changed, names)
    kind = type("Changed", (names["VowelsRecognized"],), {"statistics": names["statistics"]})
    metric = ForeignMetric(kind(), Plugin("vowels", "vowels:Changed", "vowels 2.1"))
    with pytest.raises(UserError, match=f"package vowels 2.1 .*{said}"):
        for reference in ("a", "ab"):
            metric.statistics(reference, "a")
