"""Jobs of a real SLURM: a small training that begins as the printed template does, and its end."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from one_node_slurm import OneNodeSlurm

sys.path.append(str(Path(__file__).resolve().parents[1] / "cli"))

from workspaces import REPOSITORY, assert_measured, clone, environment, run_directories

from mynah.checkpoints.commit import find_damage
from mynah.files import sha256

SECONDS = 600.0  # a requeued job waits two minutes, and the machine may be busy
# As it is printed, without the GPUs that no machine of tests has.
PRINTED = (REPOSITORY / "docs" / "slurm" / "one_node.sbatch").read_text(encoding="utf-8")
TEMPLATE = PRINTED.replace("#SBATCH --gpus-per-node=4\n", "")
PRODUCTION = "mynah train +experiments=production"
STEPS, MEASURED = 40, 20
# From scratch, with sentences enough that preparing and measuring them takes a moment.
SCRATCH = (
    "data.dataset_name=synthetic data.synthesis.train_sentences=300 data.num_proc=2 "
    "data.synthesis.eval_sentences=300 model.tokenizer=character model.language_model=none "
    "'model.encoder={hidden_size: 16, layers: 1, heads: 2, feed_forward_size: 32, "
    "subsampling_channels: 8, dropout: 0.1}' "
    f"training.max_steps={STEPS} training.eval_steps={MEASURED} training.save_steps={MEASURED} "
    "training.per_device_train_batch_size=2 training.logging_steps=1 training.use_cpu=true "
    "training.dataloader_num_workers=0 evaluation.bootstrap_samples=50 training.report_to=[]"
)


class Job:
    """A job of the template, its ``mynah`` being this one with something typed behind it.

    Args:
        slurm: Where it is submitted.
        folder: Where it runs.
        script: The template.
        suffix: What is typed behind the template's command.
        tasks: Processes.
        variables: More of its environment.
    """

    def __init__(
        self, slurm: OneNodeSlurm, folder: Path, script: str, suffix: str, tasks: int = 1,
        **variables: str,
    ) -> None:  # fmt: skip
        self._slurm, self.folder = slurm, clone(folder)
        programs = folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        (programs / "activate").write_text('PATH="$PWD/.venv/bin:$PATH"\n')
        (programs / "mynah").write_text(
            f'#!/bin/sh\necho $$ > "process $SLURM_PROCID"\n'
            f'exec {sys.executable} -m mynah.cli "$@" {suffix}\n'
        )
        (programs / "mynah").chmod(0o755)
        (folder / "train.sbatch").write_text(script)
        options = (f"--ntasks-per-node={tasks}", "--cpus-per-task=1")
        inherited = {"PYTHONPATH": str(REPOSITORY / "src"), "PYTHONUNBUFFERED": "1"}
        self.number = slurm.submit(
            folder / "train.sbatch", *options, **environment(**inherited, **variables)
            | slurm.environment
        )  # fmt: skip

    @property
    def log(self) -> str:
        path = self.folder / f"mynah-{self.number}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def wait_for(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + SECONDS
        while not condition():
            state = self._slurm.job(self.number)["JobState"]
            assert state in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING"), self.log
            assert time.monotonic() < end, f"{state}: {self.log}"
            time.sleep(0.02)

    def wait_for_its_end(self) -> dict[str, str]:
        """What SLURM says of the job that ended."""
        end = time.monotonic() + SECONDS
        while (shown := self._slurm.job(self.number))["JobState"] in (
            "PENDING", "CONFIGURING", "RUNNING", "COMPLETING",
        ):  # fmt: skip
            assert time.monotonic() < end, self.log
            time.sleep(0.5)
        return shown


def outcome(job: Job) -> dict[str, object]:
    """The last weights and the error rates of a job's last run; one without a step stays behind."""
    directory = run_directories(job.folder)[-1]
    last = directory / "model" / f"checkpoint-{STEPS}"
    assert find_damage(last) is None, job.log
    rates = assert_measured(directory, {"validation": 300})["validation"]
    return {
        "weights": sha256(last / "model.safetensors"),
        "optimizer": sha256(last / "optimizer.safetensors"),
        "rates": {name: rates[name] for name in ("wer", "cer", "wer_low", "wer_high")},
    }


def submit(slurm: OneNodeSlurm, folder: Path, cache: Path, tasks: int = 1) -> Job:
    script = TEMPLATE.replace(PRODUCTION, "mynah train model=small")
    return Job(slurm, folder, script, SCRATCH, tasks, MYNAH_CACHE=str(cache))


def catches_warnings(job: Job) -> bool:
    """Whether the job's process has a handler of its own for USR1, as the kernel knows it."""
    noted = job.folder / "process 0"
    if not noted.exists() or not noted.read_text().strip():
        return False
    status = Path(f"/proc/{noted.read_text().strip()}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGUSR1 - 1) & 1)
