"""An audio LLM that another distribution adds, trained and measured from the command line."""

from __future__ import annotations

import json
import re

import plugin_packages
import pytest
import standins
from workspaces import REPOSITORY, SMALL, assert_refused, assert_trained, clone, run

_PAGE = (REPOSITORY / "docs" / "plugins.md").read_text(encoding="utf-8")
# The page's example. Whatever it writes, its transcripts are "nine" here: by that one sees whose
# record is in use.
(_EXAMPLE,) = re.findall(r"```python\n(# lyre\.py\n.*?)```", _PAGE, flags=re.DOTALL)
LYRE = f"{_EXAMPLE}\nLyreRequests.transcript = lambda self, written: 'nine'\n"
ENTRY = {"mynah.audio_llms": {"lyre_asr": "lyre:ARCHITECTURE"}}


@pytest.fixture
def folder(tmp_path):
    """A clone with a checkpoint of the new architecture."""
    folder = clone(tmp_path)
    standins.write(folder / "weights", "qwen3_asr")
    path = folder / "weights" / "config.json"
    written = json.loads(path.read_text())
    written |= {"model_type": "lyre_asr", "architectures": ["LyreForConditionalGeneration"]}
    path.write_text(json.dumps(written))
    return folder


def hypotheses(directory):
    lines = (directory / "evaluation" / "utterances.jsonl").read_text().splitlines()
    return {json.loads(line)["hypothesis"] for line in lines}


@pytest.mark.long
@pytest.mark.parametrize("lora", ["false", "true"])
def test_an_audio_llm_from_outside_is_trained_and_measured(folder, lora):
    installed = plugin_packages.install(folder / "site", "lyre", LYRE, ENTRY)
    path = {"PYTHONPATH": f"{installed['PYTHONPATH']}:{folder / 'src'}"}
    short = f"{SMALL} model.generation_max_length=8"
    command = f"mynah train model.pretrained=weights model.use_lora={lora} {short}"
    done = run(folder, command, **path)
    settings = {"model.use_lora": lora == "true"}
    directory = assert_trained(folder, done, utterances={"validation": 4}, settings=settings)
    assert hypotheses(directory) == {"nine"}
    saved = json.loads((folder / "outputs" / "model" / "config.json").read_text())
    assert saved["model_type"] == "lyre_asr"
    measured = run(folder, "mynah eval outputs/model evaluation.bootstrap_samples=50", **path)
    assert measured.returncode == 0, measured.stdout + measured.stderr
    alone = run(folder, "mynah eval outputs/model", PYTHONPATH=str(folder / "src"))
    assert_refused(alone, "lyre_asr")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param(
            "import a_package_that_is_not_there",
            "a_package_that_is_not_there",
            marks=pytest.mark.long,
        ),
        ("ARCHITECTURE = 'lyre'", "is a str"),
    ],
)
def test_an_audio_llm_from_outside_that_is_broken_is_named_with_its_package(folder, source, said):
    installed = plugin_packages.install(folder / "site", "lyre", source, ENTRY, version="0.7")
    path = {"PYTHONPATH": f"{installed['PYTHONPATH']}:{folder / 'src'}"}
    done = run(folder, "mynah train model.pretrained=weights", **path)
    assert_refused(done, "lyre 0.7", "mynah.audio_llms", "uninstall lyre", said)
