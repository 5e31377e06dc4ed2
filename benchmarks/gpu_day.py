"""What only a GPU can show of Mynah, in at most eight minutes of one, without a network.

    python benchmarks/gpu_day.py --json gpu_day.json
    python benchmarks/gpu_day.py --only machine,models,utilisation
    python benchmarks/gpu_day.py --four-bit          # with bitsandbytes installed
    python benchmarks/gpu_day.py --toy               # on a CPU, at toy sizes

Checks and measures, on models with random weights and recordings made here: that each family
trains in bfloat16 and with LoRA; the utilisation of a 1.7 B speech LLM; what of a killed training
is exact when it resumes; pinned batches; batches that memory does not hold; `auto` against the
true limit; how fast CTC and Whisper decode; the wait for data; torch.compile. All of it through
`mynah train` and `mynah eval`.

Each part is a process of its own with at most 45 seconds, so that one that crashes or hangs costs
itself alone. Each line says what it expects and whether that held, on the screen and in the JSON
file, which is written as lines come. Exit status 0: everything held. Without CUDA all is run at toy
sizes: that the program works, and nothing about a GPU.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # asking must not begin to use CUDA
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from gpu_day_parts import parts, typed
from gpu_day_parts.context import Context, cores
from gpu_day_parts.lines import Lines, read_lines
from gpu_day_parts.parts import Part
from gpu_day_parts.processes import Child

# What every command imports: once, before the first fork.
_SHARED = (
    "torch", "datasets", "peft", "safetensors.torch", "soundfile", "transformers.trainer",
    "transformers.models.parakeet.modeling_parakeet",
    "transformers.models.whisper.modeling_whisper", "transformers.models.llama.modeling_llama",
    "mynah.cli.main", "mynah.cli.train", "mynah.cli.eval", "mynah.cli.shared.job", "mynah.run",
    "mynah.training.engine", "mynah.evaluation.run_report", "mynah.models.registry",
    "mynah.training.planning", "mynah.data.preparation.prepare",
)  # fmt: skip
_PART_SECONDS, _MINUTES = 45.0, 8.0
_TOY_PART_SECONDS, _TOY_MINUTES = 300.0, 30.0
_LOG_END = 1500  # characters of what a part printed, kept where it did not end well


def main() -> int:
    asked = _parser().parse_args()
    if asked.part:
        return run_part(asked.part, Context.from_json(asked.context))
    if asked.command:
        words, watched = json.loads(asked.command)
        return typed.live(words, watched)
    if asked.list:
        for part in (*parts.PARTS, parts.FOUR_BITS[-1]):
            print(f"{part.name:12} {part.what}")
        return 0
    chosen = _chosen(asked)
    work = Path(asked.work or tempfile.mkdtemp(prefix="gpu_day-")).resolve()
    try:
        day = Day(asked, work)
        for part in chosen:
            day.run(part)
        return day.close()
    finally:
        if not asked.work:
            shutil.rmtree(work, ignore_errors=True)


class Day:
    """The parts, one after the other, and what they found.

    Args:
        asked: The options.
        work: A folder for all of them.
    """

    def __init__(self, asked: argparse.Namespace, work: Path) -> None:
        self._began = time.monotonic()
        os.environ["MYNAH_CACHE"] = str(work / "cache")
        spawn = asked.spawn
        if not spawn:
            for module in _SHARED:
                importlib.import_module(module)
        gpu = has_gpu(forked=not spawn, folder=work)
        if not gpu and not spawn and not asked.toy and has_gpu(forked=False, folder=work):
            # Something began to use CUDA while it was imported, so that forks cannot.
            spawn = gpu = True
        toy = asked.toy or not gpu
        if toy:
            os.environ.setdefault("OMP_NUM_THREADS", "1")
        self._context = Context(work, toy, spawn, max(1, min(6, cores() // 2)))
        self._limit = asked.part_seconds or (_TOY_PART_SECONDS if toy else _PART_SECONDS)
        self._until = self._began + 60 * (asked.minutes or (_TOY_MINUTES if toy else _MINUTES))
        self._file = Path(asked.json).resolve()
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._found: dict[str, Any] = {
            "toy": toy, "gpu": gpu, "spawned": spawn, "minutes_allowed": asked.minutes,
            "seconds_to_import": round(time.monotonic() - self._began, 2), "parts": {},
        }  # fmt: skip
        self._save()
        if toy:
            print("Toy sizes on the CPU: this shows that the program works, and nothing of a GPU.")

    def run(self, part: Part) -> None:
        """Run one part, for as long as it may take, and print its lines as they come."""
        context = self._context
        left = self._until - time.monotonic()
        here: dict[str, Any] = {"about": part.what, "lines": []}
        self._found["parts"][part.name] = here
        print(f"{part.name}: {part.what}", flush=True)
        if left < 5:
            here["status"] = "left out: no time is left"
            print(f"  {here['status']}")
            self._save()
            return
        folder = context.of_part(part.name)
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier day, where its folder is kept
        folder.mkdir(parents=True)
        printed, lines = folder / "printed.txt", folder / "lines.jsonl"
        child = self._start(part, folder, printed)

        def show() -> None:
            found = read_lines(lines)
            for line in found[len(here["lines"]) :]:
                print(line.row(), flush=True)
            if len(found) > len(here["lines"]):
                here["lines"] = [asdict(line) for line in found]
                self._save()

        limit = min(self._limit, left)
        by_itself = child.wait(limit, show)
        show()
        here["seconds"] = round(time.monotonic() - child.began, 2)
        here["status"] = "done"
        if not by_itself:
            here["status"] = f"stopped after {limit:.0f} seconds"
        elif child.status:
            here["status"] = f"failed: exit status {child.status}"
        if here["status"] != "done":
            here["printed"] = printed.read_text(errors="replace")[-_LOG_END:]
            print(f"  {here['status']}\n{here['printed']}")
        print(f"  {here['seconds']} s", flush=True)
        self._save()

    def _start(self, part: Part, folder: Path, printed: Path) -> Child:
        if self._context.spawn:
            words = [sys.executable, str(Path(__file__).resolve()), "--part", part.name]
            return Child(folder, printed, words=[*words, "--context", self._context.to_json()])
        return Child(folder, printed, act=lambda: run_part(part.name, self._context))

    def close(self) -> int:
        """Say what it came to; 0 where everything held."""
        found = self._found["parts"]
        lines = [line for part in found.values() for line in part["lines"]]
        broken = [name for name, part in found.items() if part["status"] != "done"]
        failed = sum(line["held"] is False for line in lines)
        held = sum(line["held"] is True for line in lines)
        seconds = time.monotonic() - self._began
        self._found |= {"seconds": round(seconds, 1), "held": held, "not_held": failed}
        self._save()
        figures = len(lines) - held - failed
        print(f"\n{held} held, {failed} did not, {figures} figures, {seconds:.0f} s")
        if broken:
            print(f"Not done: {', '.join(broken)}")
        print(f"Written: {self._file}")
        return 1 if failed or broken else 0

    def _save(self) -> None:
        staging = self._file.with_name(f".{self._file.name}.new")
        staging.write_text(json.dumps(self._found, indent=1) + "\n", encoding="utf-8")
        staging.replace(self._file)


def run_part(name: str, context: Context) -> int:
    """In the part's own process: do it."""
    parts.named(name).act(context, Lines(context.of_part(name) / "lines.jsonl"))
    return 0


def has_gpu(*, forked: bool, folder: Path) -> bool:
    """Whether a process like those of the parts can use CUDA; this one never begins to."""
    program = "import torch; torch.ones(1, device='cuda').item()"

    def use() -> int:
        exec(program)
        return 0

    printed = folder / "has_gpu.txt"
    folder.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-c", program]
    child = Child(folder, printed, **({"act": use} if forked else {"words": words}))
    return child.wait(60) and child.status == 0


def _chosen(asked: argparse.Namespace) -> list[Part]:
    offered = parts.FOUR_BITS if asked.four_bit else parts.PARTS
    if not asked.only:
        return list(offered)
    names = asked.only.split(",")
    known = {part.name: part for part in offered}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"Not a part: {', '.join(unknown)}. There are: {', '.join(known)}")
    return [known[name] for name in known if name in names]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", metavar="FILE", default="gpu_day.json")
    parser.add_argument("--only", metavar="PART,…", help="these parts alone (see --list)")
    parser.add_argument("--four-bit", action="store_true", help="the part with bitsandbytes alone")
    parser.add_argument("--toy", action="store_true", help="toy sizes on the CPU")
    parser.add_argument("--minutes", type=float, help="of all; a part is left out behind them")
    parser.add_argument("--part-seconds", type=float, help="of each part")
    parser.add_argument("--work", metavar="DIR", help="keep what is made here")
    parser.add_argument("--spawn", action="store_true", help="start each process from nothing")
    parser.add_argument("--list", action="store_true", help="name the parts")
    for hidden in ("--part", "--context", "--command"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
