"""All runs below a folder: what each did, in what they differ, and how well they came out."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from mynah.config.settings import all_settings
from mynah.files import read_json
from mynah.runs.notes import Notes, read_notes
from mynah.runs.process import elsewhere, is_gone
from mynah.runs.rates import Rate, RateChange
from mynah.runs.record import RECORD, read_record

_CONFIG = "config.yaml"
_RESULTS = Path("evaluation", "results.json")
# Where a run lies, and what it is called: no two runs agree in it.
_OF_ONE_RUN = {"training.output_dir", "training.run_name", "training.logging_dir"}


@dataclass(frozen=True)
class ListedRun:
    """One run.

    Attributes:
        directory: Its directory.
        status: ``done``, ``interrupted``, ``failed``, ``running``, ``killed``, ``damaged``.
        started: When it began, UTC; None: not known.
        minutes: What it took; NaN where that is not known.
        settings: Its effective settings by dotted name; empty where they cannot be read.
        rates: What was measured, by split, each with its first metric.
        notes: Its tags and note.
        machine: Of one that is ``running`` the machine, where its process cannot be seen from here.
    """

    directory: Path
    status: str
    started: datetime | None
    minutes: float
    settings: Mapping[str, Any] = field(repr=False)
    rates: Sequence[Rate]
    notes: Notes = field(default_factory=Notes)
    machine: str | None = None

    def name(self, folder: Path) -> str:
        """Its directory below a folder."""
        return str(self.directory.relative_to(folder))

    @property
    def shown_status(self) -> str:
        """Its status, and the other machine that it runs on."""
        return self.status if self.machine is None else f"{self.status} on {self.machine}"

    @property
    def data(self) -> str:
        """The corpus of its settings."""
        return _text(self.settings.get("data.path") or self.settings.get("data.dataset_name"))

    @property
    def model(self) -> str:
        """What is measured, or the pretrained weights that are trained, or the family."""
        names = ("eval_checkpoint", "model.pretrained", "model.encoder_model_name", "model.family")
        return next((_text(v) for name in names if (v := self.settings.get(name))), "–")

    def rate(self, split: str | None = None) -> Rate | None:
        """The first split's, or that of a split; None where it was not measured."""
        return next((one for one in self.rates if split in (None, one.split)), None)


def _text(value: Any) -> str:
    return "–" if value is None else str(value)


def list_runs(folder: Path) -> list[ListedRun]:
    """The runs below a folder, jobs of sweeps among them, the oldest first.

    A run whose files cannot be read is one of them, and ``damaged``.
    """
    found = [read_run(file.parent) for file in _records(folder)]
    return sorted(found, key=lambda run: (run.started is None, str(run.started), run.directory))


def _records(folder: Path) -> Iterator[Path]:
    """Every ``run.json``; links are not followed, so that ``outputs/model`` is not a second run."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        if RECORD in files:
            folders.clear()  # what a run holds is its own
            yield Path(place, RECORD)


def read_run(directory: Path) -> ListedRun:
    """One run as its files tell."""
    record = read_record(directory)
    started, finished = _time(record.get("started")), _time(record.get("finished"))
    settings = _settings(directory / _CONFIG)
    status = str(record.get("status") or "damaged")
    machine = elsewhere(record) if status == "running" else None
    if status == "running" and is_gone(record):
        status = "killed"
    if status == "done" and settings is None:
        status = "damaged"
    took = (finished - started).total_seconds() / 60 if started and finished else math.nan
    return ListedRun(
        directory,
        status,
        started,
        took,
        settings or {},
        _rates(directory / _RESULTS),
        read_notes(directory),
        machine,
    )


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


# libyaml's is six times as fast: of thousands of runs it is most of the time.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(file: Path) -> Any:
    """What a YAML file of a run holds; None where it cannot be read."""
    try:
        return yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER)
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _settings(file: Path) -> dict[str, Any] | None:
    content = read_yaml(file)
    if not isinstance(content, dict):
        return None
    return {
        name: found for name in all_settings() if (found := _value(content, name)) is not _ABSENT
    }


_ABSENT = object()


def _value(content: Any, name: str) -> Any:
    for part in name.split("."):
        if not isinstance(content, dict) or part not in content:
            return _ABSENT
        content = content[part]
    return content


def _rates(file: Path) -> list[Rate]:
    """What ``results.json`` holds, of this version or the first."""
    content = read_json(file)
    evaluations = content.get("evaluations")
    bases = _value(content, "before_after.splits")
    made = []
    for split, found in (evaluations if isinstance(evaluations, dict) else {}).items():
        metrics = found.get("metrics") if isinstance(found, dict) else None
        name = next(iter(metrics), "") if isinstance(metrics, dict) else ""
        first = metrics[name] if isinstance(metrics, dict) and name else None
        if not isinstance(first, dict) or not isinstance(first.get("value"), int | float):
            continue
        base = bases.get(split) if isinstance(bases, dict) else None
        tuned = _value(base, f"as_scored.metrics.{name}")
        made.append(
            Rate(
                str(split),
                str(found.get("corpus_fingerprint") or ""),
                str(first.get("label") or ""),
                float(first["value"]),
                _number(first.get("low")),
                _number(first.get("high")),
                bool(first.get("percent", True)),
                bool(first.get("greater_is_better", False)),
                name,
                _number(_value(tuned, "base")),
                _part(base),
                _change(tuned),
            )
        )
    return made


def _change(tuned: Any) -> RateChange | None:
    """What tuning changed, as it was compared on the same utterances."""
    difference = _number(_value(tuned, "difference"))
    if math.isnan(difference):
        return None
    p_value = _number(_value(tuned, "p_value"))
    if _value(tuned, "informative") is False:
        return RateChange(difference, p_value=p_value)
    low, high = (_number(_value(tuned, end)) for end in ("low", "high"))
    return RateChange(difference, low, high, p_value)


def _part(base: Any) -> int:
    """Of how many utterances a base was measured, where these are not all; else 0."""
    count, of = _value(base, "utterances"), _value(base, "of")
    return count if isinstance(count, int) and isinstance(of, int) and count < of else 0


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def differing(runs: Sequence[ListedRun]) -> list[str]:
    """The settings in which runs differ, by dotted name; of one run none."""
    known = [run.settings for run in runs if run.settings]
    return [
        name
        for name in all_settings()
        if name not in _OF_ONE_RUN and len({repr(one.get(name)) for one in known}) > 1
    ]


def best_first(
    runs: Sequence[ListedRun], split: str | None = None
) -> tuple[list[ListedRun], list[ListedRun]]:
    """The runs that can be compared, the best first, and the others in their order.

    Compared are those that measured the same metric on the same utterances as most did.
    """

    def of(run: ListedRun) -> tuple[str, str] | None:
        rate = run.rate(split)
        return None if rate is None or math.isnan(rate.value) else (rate.corpus, rate.label)

    counts = Counter(kind for run in runs if (kind := of(run)) is not None)
    if not counts:
        return [], list(runs)
    kind, _ = counts.most_common(1)[0]
    alike = [run for run in runs if of(run) == kind]
    return (
        sorted(alike, key=lambda run: _loss(run.rate(split))),
        [run for run in runs if of(run) != kind],
    )


def _loss(rate: Rate | None) -> float:
    if rate is None:
        return math.inf
    return -rate.value if rate.greater_is_better else rate.value
