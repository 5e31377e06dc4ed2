"""Runs as their files tell, written by hand, and the table of ``mynah runs``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import yaml

from mynah.cli.main import main


def write_run(
    directory: Path,
    *,
    status: str = "done",
    lora_r: int = 8,
    rate: float | None = None,
    corpus: str = "f00d",
    minutes: int = 10,
    day: int = 1,
    split: str = "validation",
    process: int = 0,
) -> Path:
    directory.mkdir(parents=True)
    record = {
        "status": status,
        "started": f"2026-11-{day:02d}T10:00:00+00:00",
        "finished": f"2026-11-{day:02d}T10:{minutes:02d}:00+00:00",
        "process": process or os.getpid(),
    }
    if status == "running":
        record["finished"] = None
    (directory / "run.json").write_text(json.dumps(record))
    settings = {
        "model": {"lora_r": lora_r, "pretrained": "openai/whisper-tiny.en"},
        "training": {"output_dir": str(directory / "model"), "seed": 42},
    }
    (directory / "config.yaml").write_text(yaml.safe_dump(settings))
    if rate is not None:
        metric = {"label": "WER", "value": rate, "low": rate - 0.01, "high": rate + 0.02}
        metric |= {"percent": True, "greater_is_better": False}
        found = {split: {"metrics": {"wer": metric}, "corpus_fingerprint": corpus}}
        (directory / "evaluation").mkdir()
        results = json.dumps({"evaluations": found})
        (directory / "evaluation" / "results.json").write_text(results)
    return directory


def listed(capsys, *arguments: str) -> list[list[str]]:
    """The table's rows as their cells."""
    assert main(["runs", *arguments]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
