"""Rows that look wrong: the audio, the transcript, or the two together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mynah.data.signals.audio_scan import AudioScan
from mynah.inspection.robust import robust_z_within
from mynah.inspection.rows import BLOCK_ROWS, Rows
from mynah.inspection.words.text_counts import having_any, numbers_in, symbols_in, text_array
from mynah.inspection.words.writing_systems import foreign_letters

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus

SILENT_DB = -60.0  # below full scale; speech that is audible is above -45
MOSTLY_SILENCE = 0.85
CLIPPED_SHARE = 0.0005
DC_OFFSET = 0.01  # of full scale
FAR = 4.0  # robust standard deviations of the logarithm of characters a second
# A recording that ends at half of what its rate could hold was upsampled; real speech of
# 16 kHz reaches 4.3 kHz even where it is quiet above.
UPSAMPLED = 0.53


@dataclass(frozen=True)
class SuspicionKind:
    """One way in which a row can look wrong.

    Attributes:
        key: In the record.
        title: For people.
        why: What is wrong with it, and how it is found.
    """

    key: str
    title: str
    why: str


KINDS = (
    SuspicionKind("unreadable", "unreadable", "The audio cannot be decoded."),
    SuspicionKind("silent", "silent", f"The level is below {SILENT_DB:.0f} dB of full scale."),
    SuspicionKind(
        "mostly_silence",
        "mostly silence",
        f"More than {MOSTLY_SILENCE:.0%} of the recording is 35 dB below its speech.",
    ),
    SuspicionKind(
        "clipped",
        "clipped",
        f"More than {CLIPPED_SHARE:.2%} of the samples stand at full scale or on a plateau.",
    ),
    SuspicionKind("dc_offset", "DC offset", f"The mean is further than {DC_OFFSET:.0%} from zero."),
    SuspicionKind(
        "upsampled",
        "upsampled",
        "No energy in the upper half of the band that the model takes, though the file's rate "
        "could hold it: the recording comes from a lower rate, as the telephone's.",
    ),
    SuspicionKind(
        "text_too_long",
        "text too long",
        f"Characters a second more than {FAR:.0f} robust standard deviations above the median "
        "of the language (of their logarithm): the transcript says more than the audio.",
    ),
    SuspicionKind(
        "text_too_short",
        "text too short",
        f"Characters a second more than {FAR:.0f} robust standard deviations below the median "
        "of the language: the audio says more than the transcript, or there are long pauses.",
    ),
    SuspicionKind(
        "no_words", "no words", "The transcript is empty, and the row is not marked no_speech."
    ),
    SuspicionKind(
        "digits", "digits", "A number is written in digits, which can be spoken in several ways."
    ),
    SuspicionKind(
        "symbols", "symbols", "There is a symbol or a markup that nobody says as it is written."
    ),
    SuspicionKind(
        "other_script",
        "other script",
        "Letters of a script that makes up less than 2 % of the language's letters.",
    ),
    SuspicionKind(
        "duplicate",
        "duplicate",
        "The very same recording stands earlier in the split.",
    ),
)


@dataclass(frozen=True)
class Suspicion:
    """The rows of a split that look wrong in one way.

    Attributes:
        kind: Which way.
        rows: The worst first, [n].
        describe: What is wrong with one of them, in numbers.
    """

    kind: SuspicionKind
    rows: np.ndarray
    describe: Callable[[int], str] = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)


def suspicions(
    corpus: Corpus,
    rows: Rows,
    scan: AudioScan | None,
    unreadable: Mapping[str, str],
) -> list[Suspicion]:
    """All that looks wrong in a split, kinds without a row left out.

    Args:
        corpus: The split.
        rows: What its table tells.
        scan: What its audio tells, where it was listened to.
        unreadable: Ids of rows that preparation kept though it could not read them, and why.
    """
    found = [
        *(_of_audio(scan, corpus.sample_rate) if scan is not None else []),
        *_of_rate(rows),
        *_of_text(corpus, rows),
        _duplicates(corpus, rows),
    ]
    broken = _unreadable(corpus, rows, scan, unreadable)
    order = {kind.key: position for position, kind in enumerate(KINDS)}
    kept = [suspicion for suspicion in [broken, *found] if len(suspicion)]
    return sorted(kept, key=lambda suspicion: order[suspicion.kind.key])


def by_row(found: Sequence[Suspicion]) -> dict[int, list[Suspicion]]:
    """The same by row: what is wrong with each."""
    rows: dict[int, list[Suspicion]] = {}
    for suspicion in found:
        for row in suspicion.rows.tolist():
            rows.setdefault(row, []).append(suspicion)
    return rows


def _of_audio(scan: AudioScan, sample_rate: int) -> list[Suspicion]:
    facts = scan.facts
    level, silence = facts["level_db"], facts["silence_share"]
    clipped, offset = facts["clipped_share"], np.abs(facts["dc_offset"])
    band, rate = facts["bandwidth_hz"], facts["file_rate"]
    silent = level < SILENT_DB
    narrow = (rate >= sample_rate) & (band <= UPSAMPLED * sample_rate / 2) & (band > 0)
    places = {int(row): position for position, row in enumerate(scan.rows)}

    def of(
        key: str, mask: np.ndarray, severity: np.ndarray, describe: Callable[[int], str]
    ) -> Suspicion:
        positions = np.flatnonzero(mask)  # a comparison with NaN is false
        worst = positions[np.argsort(-severity[positions], kind="stable")]
        return Suspicion(_kind(key), scan.rows[worst], lambda row: describe(places[row]))

    return [
        of("silent", silent, -level, lambda at: f"{level[at]:.0f} dB"),
        of(
            "mostly_silence",
            (silence > MOSTLY_SILENCE) & ~silent,
            silence,
            lambda at: f"{silence[at]:.0%} silence",
        ),
        of(
            "clipped",
            clipped > CLIPPED_SHARE,
            clipped,
            lambda at: f"{clipped[at]:.2%} of the samples",
        ),
        of(
            "dc_offset",
            offset > DC_OFFSET,
            offset,
            lambda at: f"mean {facts['dc_offset'][at]:+.3f}",
        ),
        of(
            "upsampled",
            narrow & ~silent,
            -band,
            lambda at: (
                f"nothing above {band[at] / 1000:.1f} kHz in a file of {rate[at] / 1000:g} kHz"
            ),
        ),
    ]


def _of_rate(rows: Rows) -> list[Suspicion]:
    rates = rows.characters_a_second
    scores = robust_z_within(np.log(rates), rows.languages.codes)

    def described(row: int) -> str:
        return f"{rates[row]:.1f} characters a second, {scores[row]:+.1f} deviations"

    return [
        Suspicion(_kind("text_too_long"), _worst(scores > FAR, scores), described),
        Suspicion(_kind("text_too_short"), _worst(scores < -FAR, -scores), described),
    ]


def _of_text(corpus: Corpus, rows: Rows) -> list[Suspicion]:
    texts = rows.texts
    everywhere = np.ones(len(rows))
    foreign = {
        language: foreign_letters(counts.characters) for language, counts in rows.counts.items()
    }
    letters = frozenset().union(*foreign.values())

    def foreign_in(row: int) -> str:
        mine = foreign[rows.languages[row]]
        return " ".join(dict.fromkeys(c for c in corpus.texts[row] if c in mine))

    return [
        Suspicion(
            _kind("no_words"),
            np.flatnonzero((texts.words == 0) & ~rows.no_speech),
            lambda row: "",
        ),
        Suspicion(
            _kind("digits"),
            _worst(texts.digits, everywhere),
            lambda row: ", ".join(numbers_in(corpus.texts[row])[:5]),
        ),
        Suspicion(
            _kind("symbols"),
            _worst(texts.symbols, everywhere),
            lambda row: " ".join(symbols_in(corpus.texts[row])[:8]),
        ),
        Suspicion(_kind("other_script"), _with_letters(corpus, rows, foreign, letters), foreign_in),
    ]


def _with_letters(
    corpus: Corpus, rows: Rows, foreign: Mapping[str, frozenset[str]], letters: frozenset[str]
) -> np.ndarray:
    """Rows whose transcript holds letters that are foreign to its language."""
    found = np.zeros(len(rows), dtype=bool)
    if not letters:
        return np.flatnonzero(found)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = slice(start, min(start + BLOCK_ROWS, len(rows)))
        texts = text_array(corpus.texts[block])
        for code, language in enumerate(rows.languages.names):
            mine = rows.languages.codes[block] == code
            if mine.any() and foreign[language]:
                found[block] |= mine & having_any(texts, foreign[language])
    return np.flatnonzero(found)


def _duplicates(corpus: Corpus, rows: Rows) -> Suspicion:
    """Rows whose recording an earlier row has; those with another transcript first."""
    _, first, which = np.unique(rows.digests, return_index=True, return_inverse=True)
    earlier = first[which]
    again = (earlier != np.arange(len(rows))) & (rows.digests != 0)
    differs = rows.texts.keys != rows.texts.keys[earlier]

    def described(row: int) -> str:
        another = ", with another transcript" if differs[row] else ""
        return f"the recording of {corpus.ids[int(earlier[row])]}{another}"

    return Suspicion(_kind("duplicate"), _worst(again, differs.astype(float)), described)


def _unreadable(
    corpus: Corpus, rows: Rows, scan: AudioScan | None, known: Mapping[str, str]
) -> Suspicion:
    reasons = dict(scan.errors) if scan is not None else {}
    if known:
        for row in np.flatnonzero(rows.durations <= 0).tolist():
            if corpus.ids[row] in known:
                reasons[row] = known[corpus.ids[row]]
    listed = np.array(sorted(reasons), dtype=np.int64)
    return Suspicion(_kind("unreadable"), listed, lambda row: reasons[row])


def _worst(mask: np.ndarray, severity: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(mask)
    return rows[np.argsort(-severity[rows], kind="stable")]


def _kind(key: str) -> SuspicionKind:
    return next(kind for kind in KINDS if kind.key == key)
