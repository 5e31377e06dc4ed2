"""A family that another distribution adds, trained and measured from the command line."""

from __future__ import annotations

import json
import re

import plugin_packages
import pytest
from tiers import fast_where
from workspaces import (
    REPOSITORY,
    SHORT,
    assert_measured,
    assert_refused,
    assert_trained,
    clone,
    run,
)

_PAGE = (REPOSITORY / "docs" / "plugins.md").read_text(encoding="utf-8")
(_EXAMPLE,) = re.findall(r"```python\n(# tern\.py\n.*?)```", _PAGE, flags=re.DOTALL)
# Whatever it writes, its transcripts are "nine" here: by that one sees whose family is in use.
TERN = f"{_EXAMPLE}\nTern._transcript = lambda self, audio: Transcript('nine')\n"
ENTRY = {"mynah.families": {"tern": "tern:Tern"}}
TRAIN = f"mynah train model=small model.family=tern data.synthesis.train_sentences=24 {SHORT}"


@pytest.fixture
def folder(tmp_path):
    return clone(tmp_path)


def installed(folder, source, entry=ENTRY, module="tern", version="0.7"):
    found = plugin_packages.install(folder / "site", module, source, entry, version=version)
    return {"PYTHONPATH": f"{found['PYTHONPATH']}:{folder / 'src'}"}


def hypotheses(directory):
    lines = (directory / "evaluation" / "utterances.jsonl").read_text().splitlines()
    return {json.loads(line)["hypothesis"] for line in lines}


def test_a_family_from_outside_is_trained_and_measured(folder):
    path = installed(folder, TERN)
    done = run(folder, f"{TRAIN} model.options.width=24", **path)
    settings = {"model.family": "tern", "model.options": {"width": 24}}
    directory = assert_trained(folder, done, utterances={"validation": 4}, settings=settings)
    assert hypotheses(directory) == {"nine"}
    said = " ".join((done.stdout + done.stderr).split())
    assert "The family tern is of the package tern 0.7" in said and "provisional" in said
    saved = json.loads((folder / "outputs" / "model" / "config.json").read_text())
    assert (saved["model_type"], saved["width"]) == ("tern", 24)
    measured = run(folder, "mynah eval outputs/model evaluation.bootstrap_samples=50", **path)
    assert measured.returncode == 0, measured.stdout + measured.stderr
    alone = run(folder, "mynah eval outputs/model", PYTHONPATH=str(folder / "src"))
    assert_refused(alone, "tern")


def test_its_own_settings_are_checked_as_any_other(folder):
    path = installed(folder, TERN)
    assert_refused(run(folder, f"{TRAIN} model.options.widht=24", **path), "model.options.width")
    assert_refused(run(folder, f"{TRAIN} model.options.width=0", **path), "model.options.width")
    done = run(folder, f"{TRAIN} model.language=en", **path)
    assert_refused(done, "The family tern does not support model.language")


@pytest.mark.parametrize(
    ("source", "said"),
    fast_where(
        lambda _, said: said in ("lacks loss", "fails: TypeError"),
        [
            ("import a_package_that_is_not_there", "a_package_that_is_not_there"),
            ("Tern = 'tern'", "is not a class"),
            (_EXAMPLE.replace("def loss(", "def no_loss("), "lacks loss"),
            (_EXAMPLE.replace('name = "tern"', 'name = "gull"'), "its name is 'gull'"),
            (_EXAMPLE.replace("TernModel(written)", "TernModel()"), "fails: TypeError"),
        ],
    ),
)
def test_a_family_from_outside_that_is_broken_is_named_with_its_package(folder, source, said):
    done = run(folder, TRAIN, **installed(folder, source))
    assert_refused(done, "tern 0.7", "mynah.families", "uninstall tern", said)


def test_the_rest_works_beside_a_broken_family_and_one_of_a_name_that_is_taken(folder):
    installed(folder, "import a_package_that_is_not_there")
    taken = {"mynah.families": {"ctc": "gull:CTC"}}
    path = installed(folder, "CTC = 1/0", taken, module="gull")
    done = run(
        folder,
        f"mynah train model=small model.encoder.layers=1 data.synthesis.train_sentences=24 {SHORT}",
        **path,
    )
    directory = assert_trained(folder, done, utterances={"validation": 4}, settings={})
    assert_measured(directory, {"validation": 4})
    said = " ".join((done.stdout + done.stderr).split())
    assert "The family ctc of gull 0.7 is not used: Mynah has one of this name" in said
