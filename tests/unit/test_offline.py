"""offline=true forbids libraries the network, those that are loaded already too."""

import os

import pytest
from huggingface_hub import constants, get_session
from huggingface_hub.errors import OfflineModeIsEnabled

from mynah.offline import network_only_if


def test_a_library_that_is_loaded_asks_nothing_and_may_again_afterwards(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("WANDB_MODE", "online")
    with network_only_if(False):
        assert os.environ["HF_HUB_OFFLINE"] == "1"  # for child processes
        assert os.environ["WANDB_MODE"] == "offline"
        with pytest.raises(OfflineModeIsEnabled):
            get_session().get("http://127.0.0.1:9/anything")
    assert "HF_HUB_OFFLINE" not in os.environ
    assert os.environ["WANDB_MODE"] == "online"
    assert not constants.HF_HUB_OFFLINE


def test_where_the_network_is_allowed_nothing_changes(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    before = dict(os.environ)
    with network_only_if(True):
        assert dict(os.environ) == before
        assert not constants.HF_HUB_OFFLINE
