"""How long a command takes to show its configuration, against plain Hydra over the same files.

    python benchmarks/start_up.py [--repeats 9]

`mynah train --cfg job` reads, composes and checks the settings and prints them. Plain Hydra is a
script with `@hydra.main` and nothing else, over a copy of the same files without the schema, which
prints them unchecked. Processes take turns; printed are medians of CPU seconds, that of Python
itself beside them.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import turns

from mynah.config.hydra.search_path import shipped_configs

PLAIN = """
import hydra

@hydra.main(version_base="1.3", config_path="configs", config_name="config")
def main(config):
    pass

main()
"""
_OURS = ("mynah_schema", "mynah_process")  # lines of config.yaml that ask for Mynah's classes


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    source = "import sys; from mynah.cli.main import main; sys.exit(main())"
    with tempfile.TemporaryDirectory() as folder:
        ways = {
            "mynah train": ["-c", source, "train", "--cfg", "job"],
            "plain Hydra": [str(_plain(Path(folder))), "--cfg", "job"],
            "Python": ["-c", "pass"],
        }
        for way in ways.values():
            _seconds(way)  # compiled files are written, and read from memory
        used: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(arguments.repeats):
            for name, way in ways.items():
                used[name].append(_seconds(way))
    for name, seconds in used.items():
        print(f"{name:>12}: {statistics.median(seconds):.3f} s of CPU")
    middle, least, most = turns.ratios(used["plain Hydra"], used["mynah train"])
    print(f"mynah train takes {middle:.2f} x plain Hydra's time ({least:.2f} to {most:.2f})")


def _plain(folder: Path) -> Path:
    """A script of plain Hydra over the same files."""
    shutil.copytree(shipped_configs(), folder / "configs")
    root = folder / "configs" / "config.yaml"
    lines = root.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not any(name in line for name in _OURS)]
    root.write_text("".join(kept), encoding="utf-8")
    script = folder / "plain.py"
    script.write_text(PLAIN, encoding="utf-8")
    return script


def _seconds(way: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, *way], env=kept, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    main()
