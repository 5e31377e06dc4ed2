"""Machines with a network to a hub on loopback, for commands that fetch."""

from __future__ import annotations

import subprocess
from pathlib import Path

import forked_commands
import hub_server
from workspaces import environment


class Machine:
    """One with a network to a hub on loopback, and with caches of its own."""

    def __init__(self, root: Path, hub: hub_server.Hub) -> None:
        self.root, self.hub = root, hub

    def mynah(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        self.hub.asked.clear()
        self.hub.received.clear()
        own = {
            "HF_HOME": str(self.root / "home"),
            "HF_HUB_CACHE": str(self.root / "home" / "hub"),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_ENDPOINT": self.hub.address,
            "MYNAH_CACHE": str(self.root / "cache"),
        }
        words = ["mynah", *arguments]
        return forked_commands.run(words, self.root, environment(**own, **more))
