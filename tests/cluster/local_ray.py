"""A Ray of several nodes on this machine, started and stopped by whoever runs the tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from debian_packages import UnavailableError

SOURCE = Path(__file__).resolve().parents[2] / "src"
_STARTS = 3  # a node gives up after 15 seconds where other work is in the way
_START_SECONDS = 120
# A process of its own: Ray's nodes end with what started them, and tests import no Ray.
_NODES = """
import os, socket, sys
from ray.cluster_utils import Cluster

def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

def node(cores):
    names = ("metrics_agent_port", "dashboard_agent_listen_port", "runtime_env_agent_port",
             "_metrics_export_port")
    ports = {name.lstrip("_"): port() for name in names}
    return dict(num_cpus=cores, num_gpus=0, include_dashboard=False,
                object_store_memory=100 << 20, **ports)

cores = [int(text) for text in sys.argv[1].split(",")]
cluster = Cluster(initialize_head=True, head_node_args=node(cores[0]))
nodes = [cluster.head_node, *(cluster.add_node(**node(more)) for more in cores[1:])]
print("READY", cluster.address, flush=True)
for line in sys.stdin:
    command, _, number = line.strip().partition(" ")
    if command == "remove":
        cluster.remove_node(nodes[int(number)], allow_graceful=False)
    elif command == "add":
        nodes.append(cluster.add_node(**node(int(number))))
    print("DONE", command, flush=True)
cluster.shutdown()
"""


class LocalRay:
    """Starts Ray with so many nodes.

    Args:
        folder: For its output.
        cores: Of each node.

    Raises:
        UnavailableError: Ray is not installed, or does not start here.
    """

    def __init__(self, folder: Path, cores: tuple[int, ...]) -> None:
        self.variables = {
            "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        self._log = folder / "nodes.log"
        for _ in range(_STARTS):
            self._process = self._started(cores)
            words = self._said("READY")
            if words:
                self.address = words[1]
                return
            self.stop()
        raise UnavailableError(f"Ray does not start here: {self._log.read_text()[-800:]}")

    def _started(self, cores: tuple[int, ...]) -> subprocess.Popen[str]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", _NODES, ",".join(map(str, cores))],
                env={**os.environ, **self.variables, "PYTHONPATH": str(SOURCE)},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip

    def _said(self, word: str) -> list[str]:
        """The words of the line that begins with one; none where the process ends before."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(word):
                return line.split()
        return []

    def tell(self, command: str) -> None:
        """``remove 1`` kills the second node; ``add 1`` adds one with a core."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        assert self._said("DONE"), self._log.read_text()[-800:]

    def stop(self) -> None:
        """End all nodes."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()


def answers(address: str) -> bool:
    """Whether something listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return False
    return True


def processes_of(directory: Path) -> dict[int, int]:
    """The processes that Ray's workers run of a job, each with its worker."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if "process" in words and any(str(directory) in word for word in words):
            found[int(path.name)] = parent
    return found


def wait_until(condition, seconds: float, reason) -> None:
    """Wait for something; what ``reason`` gives is said where it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, reason()
        time.sleep(0.1)
