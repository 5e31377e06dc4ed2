"""From settings to corpora: splits, text policy, filters, and an account of every row."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mynah.config.schema import DataConfig
from mynah.data import tables
from mynah.data.corpus import Corpus
from mynah.data.sources import Place, open_source


@dataclass(frozen=True)
class PreparedData:
    """What a run learns from and measures on.

    Attributes:
        train: The training corpus; None where only evaluation was asked for.
        evaluation: Evaluation corpora by split.
        report: What is written to data.json.
    """

    train: Corpus | None
    evaluation: dict[str, Corpus]
    report: dict[str, Any] = field(default_factory=dict)


def prepare(
    config: DataConfig,
    *,
    offline: bool = False,
    working_directory: Path,
    train: bool = True,
) -> PreparedData:
    """Find the corpus, look at each of its recordings once, and account for each row.

    Args:
        config: The settings of ``data``.
        offline: Never use the network.
        working_directory: What relative paths are relative to.
        train: Whether the training splits are prepared too.

    Raises:
        UserError: The corpus is not there, has no transcripts, or lacks a split.
    """
    place = Place(
        working_directory=working_directory,
        cache=tables.cache_directory(config.dataset_cache_dir, working_directory),
        processes=config.num_proc or os.cpu_count() or 1,
        offline=offline,
    )
    source = open_source(config, place)
    report: dict[str, Any] = {"corpus": source.name, "format": source.format, "splits": {}}
    train_corpus = None
    if train:
        parts = [_split(source.table(name), name, config, training=True) for name in ["train"]]
        train_corpus, report["splits"]["train"] = parts[0]
    evaluation = {}
    for name in config.eval_splits or ["validation"]:
        evaluation[name], report["splits"][name] = _split(
            source.table(name), name, config, training=False
        )
    if hasattr(source, "statement"):
        report["statement"] = source.statement()
    return PreparedData(train_corpus, evaluation, report)


def _split(
    table: tables.Table, name: str, config: DataConfig, *, training: bool
) -> tuple[Corpus, dict[str, Any]]:
    import datasets

    dataset = datasets.concatenate_datasets(
        [datasets.Dataset.from_file(str(path)) for path in table.shards]
    )
    corpus = Corpus(dataset, name=name, sample_rate=config.sample_rate)
    limit = config.max_train_samples if training else config.max_eval_samples
    if limit is not None and limit < len(corpus):
        corpus = corpus.select(range(limit))
    return corpus, {
        "kept": len(corpus),
        "hours": round(corpus.hours, 4),
        "fingerprint": corpus.fingerprint,
        "dropped": {},
        "dropped_rows": [],
    }
