"""From settings to corpora: splits, text policy, filters, and an account of every row."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.config.errors import UserError
from mynah.config.schema import DataConfig
from mynah.console import notice, say
from mynah.data import splits, tables
from mynah.data.corpus import Corpus
from mynah.data.sources import open_source
from mynah.data.sources.base import Place, Source, UnknownSplitError
from mynah.data.text import prepare_text

if TYPE_CHECKING:
    import datasets

HELD_OUT = "held_out"
_SUBSET_SEED = 0  # of max_train_samples and max_eval_samples: the same rows in every run


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


@dataclass(frozen=True)
class _Rows:
    """Some rows of a table, and why the others of it are left out."""

    dataset: datasets.Dataset
    dropped: dict[int, tuple[str, str]]  # row: (reason, detail)
    texts: list[str]


def prepare(
    config: DataConfig,
    *,
    offline: bool = False,
    working_directory: Path,
    train: bool = True,
) -> PreparedData:
    """Find the corpus, decode each of its recordings once, and account for each row.

    Training rows that cannot be read, have no transcript or do not pass the filters are left
    out; an evaluation keeps every row that has a transcript, unless ``data.filter_eval``.
    ``max_train_samples`` and ``max_eval_samples`` (a split) choose rows evenly over the
    corpus, always the same; slices of a split, as ``train[:500]``, are its first rows.

    Args:
        config: The settings of ``data``.
        offline: Never use the network.
        working_directory: What relative paths are relative to.
        train: Whether the training splits are prepared too.

    Raises:
        UserError: The corpus is not there, has no transcripts, or lacks a split.
    """
    import datasets

    cache = tables.cache_directory(config.dataset_cache_dir, working_directory)
    place = Place(
        working_directory=working_directory,
        cache=cache,
        downloads=cache / "downloads" if config.dataset_cache_dir else None,
        processes=config.num_proc or os.cpu_count() or 1,
        offline=offline,
    )
    source = open_source(config, place)
    report: dict[str, Any] = {
        "corpus": source.name,
        "format": source.format,
        "identity": source.identity,
        "splits": {},
        "fingerprints": {},
    }
    eval_splits = _eval_splits(source, config)
    train_corpus: Corpus | None = None
    held: splits.HeldOut | None = None
    evaluation: dict[str, Corpus] = {}
    if train or eval_splits is None:
        parts = _wanted(source, config.train_splits, "train_splits")
        whole = datasets.concatenate_datasets([dataset for _, dataset in parts])
        if eval_splits is None and config.eval_fraction > 0:
            held = _held_out(source, config, whole, cache)
            report["held_out"] = {"by": held.by, "names": sorted(held.names)}
        if train:
            rows = _filtered(whole, config, training=True, without=held)
            train_corpus, report["splits"]["train"] = _finished(
                rows, "train", config, training=True
            )
    if held is not None:
        rows = _filtered(whole, config, training=False, only=held)
        evaluation[HELD_OUT], report["splits"][HELD_OUT] = _finished(
            rows, HELD_OUT, config, training=False
        )
    for name, dataset in _wanted(source, eval_splits, "eval_splits") if eval_splits else []:
        rows = _filtered(dataset, config, training=False)
        evaluation[name], report["splits"][name] = _finished(rows, name, config, training=False)
    for name, account in report["splits"].items():
        report["fingerprints"][name] = account["fingerprint"]
    statement = source.statement()
    if statement:
        report["statement"] = statement
    _tell(report)
    return PreparedData(train_corpus, evaluation, report)


def _eval_splits(source: Source, config: DataConfig) -> list[str] | None:
    """Evaluation splits, None where a part of the training splits is to be held out."""
    if config.eval_splits is None or source.has_splits:
        return config.eval_splits
    if config.eval_splits == ["validation"]:  # the default: the corpus has no splits at all
        notice(
            f"{source.name} has no evaluation split: {config.eval_fraction:.0%} of it is held "
            "out (data.eval_splits=null, data.eval_fraction)"
        )
        return None
    return config.eval_splits


def _wanted(
    source: Source, specifications: Sequence[str], setting: str
) -> list[tuple[str, datasets.Dataset]]:
    """(name, rows) of each part that a setting asks for."""
    found = []
    for specification in specifications:
        for wanted in splits.parse(specification):
            try:
                parts = source.parts(wanted.name)
            except UnknownSplitError as problem:
                problem.where = f"data.{setting}"
                if problem.there:
                    problem.fix = f"data.{setting}=[{problem.there[0]}]"
                    if setting == "eval_splits":
                        problem.fix += ", or hold out a part of the training data: "
                        problem.fix += "data.eval_splits=null"
                raise
            for part in parts:
                dataset = source.table(part, wanted.first_rows).dataset()
                name = str(splits.SplitSlice(part.name, wanted.start, wanted.stop))
                found.append((name, dataset.select(wanted.rows(len(dataset)))))
    if not found:
        raise UserError(f"data.{setting} names no split.", where=f"data.{setting}")
    return found


def _held_out(
    source: Source, config: DataConfig, whole: datasets.Dataset, cache: Path
) -> splits.HeldOut:
    about = f"{source.identity} {config.train_splits} {config.eval_fraction}"
    name = hashlib.blake2b(about.encode(), digest_size=8).hexdigest()
    file = cache / f"held-out-{name}.json"
    held = splits.hold_out(
        whole["id"][:],
        [speaker or "" for speaker in whole["speaker"][:]],
        fraction=config.eval_fraction,
        file=file,
    )
    kept = "as in earlier runs" if held.frozen else "for this and later runs"
    say(f"Held out for evaluation {kept}: {len(held.names):,} {held.by}s, kept in {file}")
    return held


def _filtered(
    dataset: datasets.Dataset,
    config: DataConfig,
    *,
    training: bool,
    without: splits.HeldOut | None = None,
    only: splits.HeldOut | None = None,
) -> _Rows:
    """Apply the text policy and the filters; ``without`` and ``only`` say which rows there are."""
    held = without or only
    if held is not None:
        names = zip(dataset["id"][:], dataset["speaker"][:], strict=True)
        inside = np.asarray([held.has(name, speaker or "") for name, speaker in names], dtype=bool)
        dataset = dataset.select(np.flatnonzero(inside if only else ~inside))
    durations = np.asarray(dataset["duration_seconds"][:], dtype=np.float64)
    raw, errors = dataset["text"][:], dataset["error"][:]
    texts = [prepare_text(text or "", config) if training else (text or "") for text in raw]
    filtering = training or config.filter_eval
    dropped: dict[int, tuple[str, str]] = {}
    for row, (text, error) in enumerate(zip(texts, errors, strict=True)):
        reason = _reason(text, error, float(durations[row]), config, filtering=filtering)
        if reason is not None:
            dropped[row] = reason
    return _Rows(dataset, dropped, texts)


def _reason(
    text: str, error: str | None, seconds: float, config: DataConfig, *, filtering: bool
) -> tuple[str, str] | None:
    """Why a row is left out, for people and in detail; None where it stays."""
    if not text.strip():
        return "no transcript", ""
    if not filtering:
        return None
    if error is not None:
        return "unreadable", error
    if seconds < config.min_audio_seconds:
        return "too short", f"{seconds:.2f} s, below min_audio_seconds={config.min_audio_seconds}"
    if config.max_audio_seconds is not None and seconds > config.max_audio_seconds:
        return "too long", f"{seconds:.2f} s, above max_audio_seconds={config.max_audio_seconds}"
    words = len(text.split())
    if config.max_text_words is not None and words > config.max_text_words:
        return "too many words", f"{words} words, above max_text_words={config.max_text_words}"
    return None


def _finished(
    rows: _Rows, name: str, config: DataConfig, *, training: bool
) -> tuple[Corpus, dict[str, Any]]:
    """The corpus of the rows that stay, and its account."""
    ids = rows.dataset["id"][:]
    dropped_rows = [
        {"id": ids[row], "reason": reason, "detail": detail}
        for row, (reason, detail) in rows.dropped.items()
    ]
    unreadable = [row for row in dropped_rows if row["reason"] == "unreadable"]
    if training and config.on_error == "fail" and unreadable:
        raise UserError(
            f"{len(unreadable):,} training recordings cannot be read; the first is "
            f"{unreadable[0]['id']}: {unreadable[0]['detail']}.",
            where="data.on_error=fail",
            fix="Mend them, or leave them out: data.on_error=skip",
        )
    kept = np.asarray([row for row in range(len(ids)) if row not in rows.dropped], dtype=np.int64)
    limit = config.max_train_samples if training else config.max_eval_samples
    left_over = 0
    if limit is not None and limit < len(kept):
        left_over = len(kept) - limit
        order = np.random.default_rng(_SUBSET_SEED).permutation(len(kept))
        kept = kept[np.sort(order[:limit])]
    if not len(kept):
        counts = Counter(row["reason"] for row in dropped_rows)
        told = ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common())
        raise UserError(
            f"No utterance of {name} is left" + (f": {told}." if told else "."),
            where="data",
            fix="Look at the first of them: "
            + dropped_rows[0]["id"]
            + f", {dropped_rows[0]['reason']} {dropped_rows[0]['detail']}".rstrip()
            if dropped_rows
            else None,
        )
    corpus = Corpus(
        rows.dataset.select(kept),
        name=name,
        sample_rate=config.sample_rate,
        texts=[rows.texts[row] for row in kept],
        language=config.language,
    )
    errors = rows.dataset["error"][:]
    broken = [{"id": ids[row], "reason": errors[row]} for row in kept if errors[row] is not None]
    account: dict[str, Any] = {
        "role": "training" if training else "evaluation",
        "kept": len(corpus),
        "hours": round(corpus.hours, 4),
        "words": sum(len(text.split()) for text in corpus.texts),
        "speakers": len(set(corpus.speakers) - {""}),
        "dropped": dict(Counter(row["reason"] for row in dropped_rows)),
        "dropped_rows": dropped_rows,
        "beyond_max_samples": left_over,
        "fingerprint": corpus.fingerprint,
    }
    if not training:
        # Kept, so that the denominator is the set's: their hypothesis is empty.
        account["kept_unreadable"] = broken
    return corpus, account


def _tell(report: dict[str, Any]) -> None:
    """Say what was left out, and what is broken."""
    for name, account in report["splits"].items():
        if account["dropped"]:
            counts = ", ".join(
                f"{count:,} {reason}" for reason, count in account["dropped"].items()
            )
            first = account["dropped_rows"][0]
            notice(
                f"Left out of {name}: {counts}; the first is {first['id']} "
                f"({' '.join([first['reason'], first['detail']]).strip()}). data.json lists them."
            )
        if account.get("kept_unreadable"):
            first = account["kept_unreadable"][0]
            notice(
                f"{len(account['kept_unreadable']):,} recordings of {name} cannot be read and "
                f"count as not recognised; the first is {first['id']} ({first['reason']})"
            )
