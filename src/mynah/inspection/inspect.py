"""A prepared corpus looked at: every split, and training beside what measures it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.data.signals import audio_scan
from mynah.data.signals.audio_scan import AudioScan
from mynah.errors import UserError
from mynah.inspection import breakdown
from mynah.inspection.disagreement import Disagreement, disagreement
from mynah.inspection.histogram import Histogram, histogram
from mynah.inspection.rows import Rows, gather_rows
from mynah.inspection.shared import Shared, shared
from mynah.inspection.suspicions import Suspicion, suspicions
from mynah.inspection.words.vocabulary import UnseenWords, Vocabulary, unseen_words

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.corpus import Corpus
    from mynah.data.preparation.prepare import PreparedData
    from mynah.models.family import Family


@dataclass(frozen=True)
class SplitInspection:
    """What was found in one split.

    Attributes:
        corpus: The split.
        account: What preparation says of it: what was left out, and why.
        training: Whether it is what is learned from.
        rows: What its table tells.
        vocabulary: Of its transcripts.
        groups: Hours and more by ``speaker``, ``source``, ``language`` and ``channel``.
        histograms: By what is counted, as ``duration_seconds``.
        scan: What its audio tells; None where it was not listened to.
        suspicions: Rows that look wrong, by kind.
        unseen: What it says that training never does; None for training itself.
        shared: What it has in common with training; likewise.
        disagreement: What a model made of it, where there is one.
    """

    corpus: Corpus
    account: Mapping[str, Any]
    training: bool
    rows: Rows = field(repr=False)
    vocabulary: Vocabulary
    groups: dict[str, list[breakdown.BreakdownGroup]]
    histograms: dict[str, Histogram]
    scan: AudioScan | None
    suspicions: list[Suspicion]
    unseen: UnseenWords | None
    shared: Shared | None
    disagreement: Disagreement | None

    @property
    def name(self) -> str:
        """The split's name."""
        return self.corpus.name

    @property
    def file_rates(self) -> dict[int, int]:
        """Hertz of the files that were listened to, with their number, most frequent first."""
        if self.scan is None:
            return {}
        rates = self.scan.facts["file_rate"]
        found, counts = np.unique(rates[np.isfinite(rates)].astype(int), return_counts=True)
        return {int(found[at]): int(counts[at]) for at in np.argsort(-counts, kind="stable")}

    @property
    def suspicious_rows(self) -> np.ndarray:
        """Every row that looks wrong in any way, once."""
        if not self.suspicions:
            return np.zeros(0, dtype=np.int64)
        return np.unique(np.concatenate([suspicion.rows for suspicion in self.suspicions]))


@dataclass(frozen=True)
class Inspection:
    """What was found in a corpus.

    Attributes:
        splits: By name, training first.
        report: The account of preparation, as in data.json.
        sample: How many rows of a split were listened to at most; None: all.
        checkpoint: The model that decoded, where there is one.
    """

    splits: dict[str, SplitInspection]
    report: Mapping[str, Any]
    sample: int | None
    checkpoint: str | None

    @property
    def name(self) -> str:
        """The corpus's name."""
        return str(self.report.get("corpus", "corpus"))


def inspect_corpus(
    data: PreparedData,
    config: Config,
    *,
    cache: Path,
    threads: int,
    listen: bool = True,
    sample: int | None = None,
    family: Family | None = None,
    checkpoint: str | None = None,
) -> Inspection:
    """Look at every split of a prepared corpus.

    Args:
        data: The corpus.
        config: Its settings; those of ``training`` and ``evaluation`` say how is decoded.
        cache: Where measurements of recordings are kept.
        threads: How many recordings are decoded at once.
        listen: Whether the audio is measured.
        sample: Measure and decode so many rows of a split at most, taken evenly; what the
            tables tell is of all rows.
        family: A model to decode with.
        checkpoint: Where it comes from.

    Raises:
        UserError: There is nothing to look at, the cache cannot be written, or the model does
            not fit.
    """
    corpora = ([data.train] if data.train is not None else []) + list(data.evaluation.values())
    if not any(len(corpus) for corpus in corpora):
        raise UserError("There is no utterance to look at.", where="data")
    if family is not None and family.sample_rate != config.data.sample_rate:
        raise UserError(
            f"The model takes {family.sample_rate} Hz, and the corpus is given at "
            f"{config.data.sample_rate} Hz.",
            where=f"--with {checkpoint}",
            fix=f"data.sample_rate={family.sample_rate}",
        )
    found: dict[str, SplitInspection] = {}
    train: SplitInspection | None = None
    for corpus in corpora:
        listened = audio_scan.chosen_rows(len(corpus), sample)
        scan = None
        if listen:
            scan = audio_scan.scan(corpus, listened, cache=cache, threads=threads)
        split = _split(corpus, data, scan, train)
        if family is not None:
            found_differences = disagreement(family, corpus, listened, config)
            split = replace(split, disagreement=found_differences)
        if split.training:
            train = split
        found[corpus.name] = split
    return Inspection(found, data.report, sample, checkpoint)


def _split(
    corpus: Corpus, data: PreparedData, scan: AudioScan | None, train: SplitInspection | None
) -> SplitInspection:
    """What the tables and the measured audio of a split say, beside the training split."""
    rows = gather_rows(corpus)
    account = data.report.get("splits", {}).get(corpus.name, {})
    broken = {row["id"]: row["reason"] for row in account.get("kept_unreadable", [])}
    vocabulary = Vocabulary.of(rows.all_counts())
    return SplitInspection(
        corpus=corpus,
        account=account,
        training=corpus is data.train,
        rows=rows,
        vocabulary=vocabulary,
        groups={
            "speaker": breakdown.by(rows, rows.speakers),
            "source": breakdown.by(rows, rows.sources),
            "language": breakdown.by(rows, rows.languages),
            "channel": breakdown.by_channel(rows),
        },
        histograms=_histograms(rows, scan),
        scan=scan,
        suspicions=suspicions(corpus, rows, scan, broken),
        unseen=None if train is None else unseen_words(vocabulary, train.vocabulary),
        shared=None if train is None else shared(rows, train.rows),
        disagreement=None,
    )


def _histograms(rows: Rows, scan: AudioScan | None) -> dict[str, Histogram]:
    values: dict[str, tuple[np.ndarray, bool]] = {
        "duration_seconds": (rows.durations[rows.durations > 0], True),
        "characters_a_second": (rows.characters_a_second, True),
        "words_a_second": (rows.words_a_second, True),
        "words": (rows.texts.words.astype(float), True),
    }
    if scan is not None:
        values["level_db"] = (scan.facts["level_db"], False)
        values["snr_db"] = (scan.facts["snr_db"], True)
        values["silence_share"] = (scan.facts["silence_share"], True)
        values["bandwidth_hz"] = (scan.facts["bandwidth_hz"], True)
    made = {name: histogram(found, from_zero=zero) for name, (found, zero) in values.items()}
    return {name: binned for name, binned in made.items() if binned is not None}
