"""A real SLURM of one node on this machine, started and stopped by whoever runs the tests."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from debian_packages import UnavailableError, unpacked

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins")
_START_SECONDS = 60
# Munge and accounting are left out; a requeued job waits for its credential's end, here 5 s instead
# of two minutes. The node's processors are counted, not there.
_CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
AuthInfo=cred_expire=5
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
PluginDir={plugins}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=1
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs=32
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class OneNodeSlurm:
    """Fetches, configures and starts SLURM.

    Args:
        folder: For the packages, the configuration and the state.

    Raises:
        UnavailableError: This machine has no apt-get, no network, or does not start it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        root = unpacked(PACKAGES, folder)
        libraries = next(iter(root.glob("usr/lib/*/slurm*/..")), None)
        if libraries is None:
            raise UnavailableError("the packages hold no plugins")
        plugins = next(libraries.glob("slurm*/auth_none.so")).parent
        host = socket.gethostname()
        (folder / "slurm.conf").write_text(
            _CONFIGURATION.format(
                folder=folder, host=host, plugins=plugins, user=getpass.getuser(),
                controller_port=_free_port(), node_port=_free_port(),
            )
        )  # fmt: skip
        self.environment = {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "LD_LIBRARY_PATH": f"{libraries.resolve()}:{plugins}",
            "PATH": f"{root / 'usr/bin'}:{os.environ['PATH']}",
        }
        for name in ("state", "spool"):
            (folder / name).mkdir()
        controller, node, step = (
            next(root.glob(f"usr/sbin/{name}*")) for name in ("slurmctld", "slurmd", "slurmstepd")
        )
        self._daemons = [
            self._start([controller, "-D", "-c", "-f", folder / "slurm.conf"]),
            self._start([node, "-D", "-f", folder / "slurm.conf", "-d", step]),
        ]
        try:
            self._wait_until_idle()
        except BaseException:
            self.stop()
            raise

    def submit(self, script: Path, *options: str, **variables: str) -> str:
        """Submit a batch script in its folder; the job's id."""
        words = ["sbatch", "--parsable", *options, script.name]
        return self._call(words, script.parent, variables).strip()

    def warn(self, job: str) -> None:
        """Send what ``sbatch --signal=USR1@300`` sends, to the same processes."""
        self._call(["scancel", "--signal=USR1", job])

    def cancel(self, job: str) -> None:
        """Take a job away, if it is still there."""
        self._call(["scancel", "--quiet", job])

    def job(self, number: str) -> dict[str, str]:
        """What ``scontrol`` shows of a job: JobState, Restarts, ExitCode, …"""
        shown = self._call(["scontrol", "--oneliner", "show", "job", number])
        return dict(part.partition("=")[::2] for part in shown.split() if "=" in part)

    def stop(self) -> None:
        """Stop the daemons; what jobs still run end with them."""
        for daemon in self._daemons[::-1]:
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()

    def _start(self, words: list[object]) -> subprocess.Popen[bytes]:
        with (self._folder / "daemons.log").open("ab") as log:
            return subprocess.Popen(
                [str(word) for word in words],
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _wait_until_idle(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and all(one.poll() is None for one in self._daemons):
            try:
                if self._call(["sinfo", "--noheader", "--format=%T"]).strip() == "idle":
                    return
            except (subprocess.SubprocessError, OSError):
                pass
            time.sleep(0.5)
        logs = "".join(path.read_text()[-500:] for path in sorted(self._folder.glob("*.log")))
        raise UnavailableError(f"SLURM does not start here: {logs}")

    def _call(
        self, words: list[str], folder: Path | None = None, variables: dict[str, str] | None = None
    ) -> str:
        environment = os.environ | self.environment | (variables or {})
        return subprocess.run(
            words, cwd=folder, env=environment, check=True, timeout=30, text=True,
            stdout=subprocess.PIPE,
        ).stdout  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
