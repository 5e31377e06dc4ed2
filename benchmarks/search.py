"""What a search with halving finds in fewer steps than a grid of as many points.

    python benchmarks/search.py [--seeds 5] [--steps 400] [--metric cer]

For each seed a grid of 20 points (5 learning rates, 4 weight decays) is trained to the end, and a
search of 20 points over the same ranges with successive halving, killed in the middle and resumed.
Printed are the best figure of each on the evaluation split, the steps that each trained, and over
all seeds the paired difference with its 95 % interval. The small model is trained, on two cores 400
steps in about two minutes.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import t

TRAIN = [sys.executable, "-m", "mynah.cli", "train", "-m"]
RATES = "training.learning_rate=1e-4,3e-4,1e-3,3e-3,1e-2"
DECAYS = "training.weight_decay=0,0.01,0.03,0.1"
SEARCHED = (
    "training.learning_rate=tag(log,interval(1e-4,1e-2))",
    "training.weight_decay=interval(0,0.1)",
)


@dataclass(frozen=True)
class Found:
    """What a sweep came to.

    Attributes:
        best: The best figure among the points that were trained to the end.
        steps: Optimizer steps of all points.
    """

    best: float
    steps: int


def main() -> None:
    """Print a line a seed, and the paired difference."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=400, help="of each training")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--sentences", type=int, default=400, help="to train on")
    parser.add_argument("--metric", default="cer")
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="keep the sweeps here")
    asked = parser.parse_args()
    differences, shares = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        for seed in range(asked.seeds):
            grid, search = one_seed(folder / f"seed-{seed}", seed, asked)
            differences.append(search.best - grid.best)
            shares.append(search.steps / grid.steps)
            print(
                f"seed {seed}: grid {grid.best:.4f} in {grid.steps:,} steps, search "
                f"{search.best:.4f} in {search.steps:,} ({shares[-1]:.0%})",
                flush=True,
            )
    low, high = interval(differences)
    print(
        f"search - grid, paired over {len(differences)} seeds: "
        f"{statistics.fmean(differences):+.4f} (95 %: {low:+.4f} to {high:+.4f}) in "
        f"{statistics.fmean(shares):.0%} of the steps"
    )


def one_seed(folder: Path, seed: int, asked: argparse.Namespace) -> tuple[Found, Found]:
    """The grid's and the search's result of one seed, in folders of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    shared = [
        "model=small",
        "data=small",
        f"data.synthesis.train_sentences={asked.sentences}",
        f"data.synthesis.eval_sentences={max(asked.sentences // 6, 4)}",
        f"training.max_steps={asked.steps}",
        f"training.eval_steps={max(asked.steps // 9, 1)}",
        f"training.metric_for_best_model={asked.metric}",
        f"training.seed={seed}",
        "training.optim=adamw_torch",
        "training.save_total_limit=1",
        "evaluation.bootstrap_samples=50",
        f"hydra.launcher.n_jobs={asked.at_once}",
    ]
    rates = RATES.split(",")[: max(asked.trials // 4, 1)]
    subprocess.run(
        [*TRAIN, *shared, ",".join(rates), DECAYS, "hydra.sweep.dir=grid"],
        cwd=folder, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    command = [
        *TRAIN, *shared, *SEARCHED, f"sweep.trials={asked.trials}", f"sweep.seed={seed}",
        "sweep.pruner=halving", "hydra.sweep.dir=search",
    ]  # fmt: skip
    kill_in_the_middle(command, folder, asked.trials // 2)
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return found(folder / "grid", asked.metric), found(folder / "search", asked.metric)


def kill_in_the_middle(command: list[str], folder: Path, points: int) -> None:
    """Start a search, and kill it with its trainings once so many points were begun."""
    search = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    while search.poll() is None and len(list(folder.glob("search/*/job.json"))) <= points:
        time.sleep(0.2)
    search.kill()
    search.wait()
    for path in folder.glob("search/*/job.json"):
        job = json.loads(path.read_text())
        if job["status"] == "running":
            with suppress(ProcessLookupError):
                os.killpg(job["process"], signal.SIGKILL)
    time.sleep(1.0)  # until the lock is given back


def found(sweep: Path, metric: str) -> Found:
    """What a sweep's folder says."""
    with (sweep / "sweep.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    done = [row for row in rows if row["status"].startswith("done")]
    figures = [float(row[metric]) for row in done if row[metric]]
    return Found(min(figures), sum(trained(Path(row["directory"])) for row in rows))


def trained(directory: Path) -> int:
    """The steps of one training: those of its newest checkpoint."""
    checkpoints = (directory / "model").glob("checkpoint-*")
    return max((int(path.name.rpartition("-")[2]) for path in checkpoints), default=0)


def interval(differences: list[float]) -> tuple[float, float]:
    """The 95 % interval of their mean, by Student's t."""
    count = len(differences)
    if count < 2:
        return math.nan, math.nan
    width = t.ppf(0.975, count - 1) * statistics.stdev(differences) / math.sqrt(count)
    mean = statistics.fmean(differences)
    return float(mean - width), float(mean + width)


if __name__ == "__main__":
    main()
