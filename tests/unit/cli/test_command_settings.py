"""What the arguments of a data command mean: settings as for a training, or a corpus's path."""

from __future__ import annotations

import pytest

from mynah.cli.shared.settings import read_settings
from mynah.errors import UserError


def test_a_folder_stands_for_the_corpus(tmp_path, monkeypatch):
    (tmp_path / "calls").mkdir()
    monkeypatch.chdir(tmp_path)
    config = read_settings(["calls", "data.num_proc=1"], "mynah data prepare").config
    assert (config.data.dataset_name, config.data.num_proc) == ("calls", 1)


def test_a_folder_that_is_not_there_is_said_with_the_nearest_one(tmp_path, monkeypatch):
    (tmp_path / "calls").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no folder and no file cals") as caught:
        read_settings(["cals"], "mynah data prepare")
    assert caught.value.fix == "mynah data prepare calls"


def test_a_mistyped_setting_is_corrected_in_the_command_that_was_typed():
    with pytest.raises(UserError) as caught:
        read_settings(["data.num_prok=2"], "mynah data inspect")
    assert "mynah data inspect data.num_proc=2" in str(caught.value)
