"""The server that the tests of recipes download from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from archive_server import Server, serving

from mynah.data.recipes.installing import fetch


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server on loopback, reached without a proxy; broken connections are not waited for."""
    for name in ("http_proxy", "HTTP_PROXY", "HF_HUB_OFFLINE", "MYNAH_DOWNLOAD_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    hasty = fetch.Patience(timeout_seconds=0.5, pause_seconds=0.0)
    monkeypatch.setattr(fetch, "Patience", lambda: hasty)
    with serving() as running:
        yield running
