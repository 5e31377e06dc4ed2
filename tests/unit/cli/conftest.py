"""Models so small gain nothing from threads; and the folder of runs below a folder of a test."""

import pytest
import torch

from mynah import console

torch.set_num_threads(1)


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console.console(), "_width", 120)  # whatever a test before left it at
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "outputs"
