"""Nothing is waited for before a shard is read again."""

from __future__ import annotations

import pytest

from mynah.data.streams import reader as readers


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    monkeypatch.setattr(readers, "RETRY_SECONDS", (0.0, 0.0))
