"""SIGKILL at a random moment of preparation, training, evaluation or report; then once more.

    python benchmarks/kills.py --preparation 30 --evaluation 30 --report 20 --training 20

Each try starts a command as typed, in a forked process, and kills it (not its children) somewhere
in the phase. The same command, with resume_from_checkpoint=auto for a training, must then end with
exit status 0, the tables, weights and error rates of a run that nobody touched, and nothing
half-written left over. Prints tried and survived by kind.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mynah.cli.main
import mynah.cli.shared.entry
import mynah.data.preparation.prepare
import mynah.data.preparation.training_rows
import mynah.evaluation.run_report
import mynah.evaluation.splits
import mynah.models.ctc.family
import mynah.run
import mynah.training.engine
import mynah.training.trainer
from mynah.checkpoints import commit as checkpoints
from mynah.files import sha256
from mynah.runs.directory import named_checkpoints

PREPARATION, TRAINING, EVALUATION, REPORT = PHASES = (
    "preparation", "training", "evaluation", "report",
)  # fmt: skip
ARGUMENTS = (
    "data.dataset_name=synthetic",
    "data.synthesis.train_sentences=30",
    "data.synthesis.eval_sentences=12",
    "data.num_proc=2",
    "model.encoder={hidden_size: 16, layers: 1, heads: 2, feed_forward_size: 32, "
    "subsampling_channels: 8, dropout: 0.1}",
    "model.tokenizer=character",
    "model.language_model=none",
    "training.max_steps=6",
    "training.per_device_train_batch_size=4",
    "training.learning_rate=0.01",
    "training.dataloader_num_workers=0",
    "training.cpu_threads=1",
    "training.use_cpu=true",
    "training.logging_steps=2",
    "training.eval_steps=2",
    "training.save_steps=2",
    "training.save_total_limit=2",
    "training.report_to=[]",
    "evaluation.bootstrap_samples=200",
)
_LONGEST_SECONDS = 600


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: Its exit status, negative for a signal.
        printed: All that it wrote on the screen.
        seconds: Of each phase that it came through, as PHASES call them.
    """

    status: int
    printed: str
    seconds: dict[str, float]


def run(
    folder: Path,
    cache: Path,
    arguments: Sequence[str],
    kill: tuple[str, Callable[[], float]] | None = None,
) -> Ended:
    """Type a command once, in a forked process, and wait for its end.

    Args:
        folder: Where it is typed.
        cache: Where prepared tables are kept.
        arguments: Of ``mynah``.
        kill: A phase, and what gives the seconds after its beginning.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _live(folder, cache, arguments, writing)
    os.close(writing)
    began: dict[str, float] = {}
    seconds: dict[str, float] = {}
    while mark := os.read(reading, 1):
        phase = PHASES["pter".index(mark.decode().lower())]
        if mark.isupper():
            seconds[phase] = time.monotonic() - began[phase]
        elif phase not in began:
            began[phase] = time.monotonic()
            if kill is not None and kill[0] == phase:
                end = began[phase] + kill[1]()
                while (left := end - time.monotonic()) > 0:
                    if select.select([reading], [], [], left)[0] and not os.read(reading, 1):
                        break
                os.kill(child, signal.SIGKILL)
                break
    os.close(reading)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return Ended(status, (folder / "printed.txt").read_text(errors="replace"), seconds)


def _live(folder: Path, cache: Path, arguments: Sequence[str], marker: int) -> None:
    os.setsid()
    os.chdir(folder)
    descriptor = os.open("printed.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    os.environ |= {"MYNAH_CACHE": str(cache), "COLUMNS": "200"}
    status = 70
    try:
        _mark(marker)
        signal.alarm(_LONGEST_SECONDS)
        status = mynah.cli.main.main(list(arguments))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _mark(marker: int) -> None:
    """Write a small letter where a phase begins in this process, a capital where it ends."""

    def marked(letter: str, action: Callable[..., Any]) -> Callable[..., Any]:
        def within(*arguments: Any, **options: Any) -> Any:
            os.write(marker, letter.encode())
            found = action(*arguments, **options)
            os.write(marker, letter.upper().encode())
            return found

        return within

    prepare = marked("p", mynah.data.preparation.prepare.prepare)
    mynah.data.preparation.prepare.prepare = prepare
    mynah.data.preparation.training_rows.prepare = prepare  # type: ignore[attr-defined]
    mynah.training.trainer.train = marked("t", mynah.training.trainer.train)
    mynah.evaluation.splits.measured = marked("e", mynah.evaluation.splits.measured)
    report = mynah.evaluation.run_report
    report.write_report = marked("r", report.write_report)


class Bench:
    """The tries, and what an untouched run comes to.

    Args:
        folder: Where everything is written.
        seed: Of the moments.

    Attributes:
        cache: The prepared tables.
        training: The training's command line.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self._folder = folder
        self._draw = random.Random(seed)
        self._number = 0
        straight = folder / "straight"
        self.cache = straight / "cache"
        self.training = ["train", "model=small", *ARGUMENTS]
        trained = run(straight, self.cache, self.training)
        if trained.status != 0:
            raise RuntimeError(trained.printed)
        self._model = (straight / "outputs" / "model").resolve()
        self._eval = ["eval", str(self._model)]
        measured = run(folder / "measured", self.cache, self._eval)
        if measured.status != 0:
            raise RuntimeError(measured.printed)
        self._seconds = {"train": trained.seconds, "eval": measured.seconds}
        self._expected = {
            "train": _outcome(straight) | _tables(self.cache),
            "eval": _outcome(folder / "measured"),
        }

    def kill(self, phase: str) -> str | None:
        """One try: what was wrong after it; None: it ended as an untouched run.

        An evaluation and its report are every other time those at a training's end.
        """
        self._number += 1
        of_training = phase in (PREPARATION, TRAINING) or self._number % 2 == 0
        command = "train" if of_training else "eval"
        folder = self._folder / f"try-{self._number}"
        cache = folder / "cache" if phase == PREPARATION else self.cache
        arguments = self.training if of_training else self._eval
        length = self._seconds[command][phase]
        killed = run(folder, cache, arguments, (phase, lambda: self._draw.uniform(0, length)))
        if killed.status != -signal.SIGKILL:
            return None if killed.status == 0 else f"before the kill: {killed.printed[-2000:]}"
        again = [*arguments, "resume_from_checkpoint=auto"] if of_training else arguments
        ended = run(folder, cache, again)
        if ended.status != 0 or "Traceback" in ended.printed:
            return f"exit status {ended.status}: {ended.printed[-2000:]}"
        found = _outcome(folder) | (_tables(cache) if of_training else {})
        differing = _differing(found, self._expected[command])
        newest = max(folder.glob("outputs/*/*/run.json"), key=lambda path: path.stat().st_mtime)
        written = [*newest.parent.rglob("*"), *cache.rglob("*")]
        left = [path.name for path in written if _is_half_written(path)]
        shutil.rmtree(folder)
        if differing or left:
            return f"other than untouched: {differing}; left over: {left}"
        return None


def _outcome(folder: Path) -> dict[str, str]:
    """Error rates of the newest run of a folder, and of a training its last weights."""
    results = max(
        folder.glob("outputs/*/*/evaluation/results.json"), key=lambda path: path.stat().st_mtime
    )
    found = {
        f"{rate} of {split}": str(values[rate])
        for split, values in json.loads(results.read_text())["evaluations"].items()
        for rate in ("wer", "cer", "utterances")
    }
    page = results.with_name("report.html").read_text()
    found["page"] = str("</html>" in page)
    record = json.loads((results.parents[1] / "run.json").read_text())
    found["status"] = record["status"]
    for checkpoint in named_checkpoints(results.parents[1] / "model")[-1:]:
        found["checkpoint"] = f"{checkpoint.name} {checkpoints.find_damage(checkpoint)}"
        found["weights"] = sha256(checkpoint / "model.safetensors")
    return found


def _tables(cache: Path) -> dict[str, str]:
    return {
        f"{path.parent.name}/{path.name}": sha256(path)
        for path in cache.glob("synthetic-*/*.arrow")
    }


def _is_half_written(path: Path) -> bool:
    return path.name.endswith((".writing", ".partial", ".deleting", ".replaced"))


def _differing(left: dict[str, str], right: dict[str, str]) -> list[str]:
    return [name for name in sorted({*left, *right}) if left.get(name) != right.get(name)]


def main() -> None:
    """Run the tries that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    for phase, number in zip(PHASES, (30, 20, 30, 20), strict=True):
        parser.add_argument(
            f"--{phase}", type=int, default=number, help=f"kills (default {number})"
        )
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parsed = vars(parser.parse_args())
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    bench = Bench(folder, parsed.pop("seed"))
    survived: Counter[str] = Counter()
    for phase, number in parsed.items():
        for position in range(number):
            problem = bench.kill(phase)
            survived[phase] += problem is None
            if problem is not None:
                print(f"{phase} {position}: {problem}", flush=True)
        print(f"{phase:12} tried {number:3}  ended right {survived[phase]:3}", flush=True)
    shutil.rmtree(folder)
    raise SystemExit(sum(survived.values()) != sum(parsed.values()))


if __name__ == "__main__":
    main()
