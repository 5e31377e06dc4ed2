"""What became of every row: the account in ``data.json``, and what is said of it."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mynah.console import notice, table
from mynah.data.annotations import SIGNS, found_in
from mynah.data.corpus import Corpus
from mynah.data.preparation.filters import REASONS, TOO_LONG, Measures
from mynah.data.scripts import SCRIPTS
from mynah.data.text import TextPolicy
from mynah.files import write_json

LISTED_ROWS = 1000  # rows that data.json lists itself; a file beside it lists all of more
_SHOWN_CHANGES = 5
_ANNOTATIONS = 50  # of different kinds that data.json lists
_NAMED = 5  # annotations that a notice names


def split_account(
    corpus: Corpus, codes: np.ndarray, seconds: np.ndarray, words: int
) -> dict[str, Any]:
    """The counts of a finished corpus.

    Args:
        corpus: What stayed.
        codes: Why each candidate was left out, positions in ``REASONS``.
        seconds: Length of each candidate.
        words: Words of the transcripts that stayed.
    """
    there = [code for code in np.unique(codes) if code]
    return {
        "kept": len(corpus),
        "hours": round(corpus.hours, 4),
        "words": words,
        "speakers": count_known(corpus, "speaker"),
        "no_speech": int(corpus.no_speech.sum()),
        "dropped": {REASONS[code]: int((codes == code).sum()) for code in there},
        "dropped_hours": round(float(seconds[codes != 0].sum()) / 3600, 4),
    }


def annotations_left(
    corpus: Corpus, policy: TextPolicy | None, *, alone: np.ndarray
) -> dict[str, Any]:
    """What looks like an annotation in the transcripts of a finished corpus.

    Args:
        corpus: What stayed, transcripts as they are stored.
        policy: What is taken out of them.
        alone: bool [rows], whether nothing is left of a transcript then.

    Returns:
        ``annotations``: how often each stays, the most frequent first; ``annotations_alone``.
    """
    patterns = policy.annotations if policy is not None else ()
    counts: Counter[str] = Counter()
    for array in () if corpus.all_rows.no_annotations else corpus.arrays("text"):
        # Most corpora have none: found without looking at a row as Python sees it.
        looked = array.filter(pc.match_substring_regex(array, SIGNS))
        texts = (text for text in looked.to_pylist() if text)
        counts += found_in(texts, without=patterns)
    return {
        "annotations": dict(counts.most_common(_ANNOTATIONS)),
        "annotations_alone": int(alone.sum()),
    }


def other_scripts(corpus: Corpus, kept: np.ndarray, measures: Measures) -> list[dict[str, str]]:
    """The first of the rows that stay though hardly any other is in their script.

    Args:
        corpus: All candidates.
        kept: Those that stay.
        measures: Of each candidate.
    """
    strange = kept[measures.strange[kept]][:LISTED_ROWS]
    return [{"id": corpus.ids[row], "script": SCRIPTS[measures.scripts[row]]} for row in strange]


def count_known(corpus: Corpus, column: str) -> int:
    """How many different values a column of names has, "" not counted."""
    parts = [pc.unique(array) for array in corpus.arrays(column)]
    found = pc.unique(pa.chunked_array(parts, type=pa.string()))
    return len(found.filter(pc.and_(pc.is_valid(found), pc.not_equal(found, ""))))


def known_speakers(corpus: Corpus) -> set[str] | None:
    """The speakers of a corpus, "" not among them, where they were listed when it was packed."""
    by_source = corpus.all_rows.speakers
    if by_source is None:
        return None
    return {name for names in by_source.values() for name in names if name}


def tell(report: Mapping[str, Any]) -> None:
    """Say what was left out, what is there twice, what is broken, what became of transcripts."""
    for name, account in report["splits"].items():
        if account["dropped"]:
            counts = ", ".join(
                f"{count:,} {reason}" for reason, count in account["dropped"].items()
            )
            first = account["dropped_rows"][0]
            long = REASONS[TOO_LONG] in account["dropped"]
            notice(
                f"Left out of {name}: {counts}; the first is {first['id']} "
                f"({' '.join([first['reason'], first['detail']]).strip()}). "
                f"{account.get('dropped_file', 'data.json')} lists them."
                + (" `mynah data segment` cuts long recordings into utterances." if long else "")
            )
        if account.get("kept_unreadable"):
            first = account["kept_unreadable"][0]
            notice(
                f"{account['unreadable']:,} recordings of {name} cannot be read and count as not "
                f"recognised; the first is {first['id']} ({first['reason']})"
            )
        duplicates = account.get("duplicates")
        if duplicates and duplicates["kept"]:
            example = duplicates["examples"][0]
            notice(
                f"{duplicates['kept']:,} recordings of {name} are there twice "
                f"({duplicates['other_text']:,} with another transcript), as {example['id']}, "
                f"which is {example['same_as']}. data.on_duplicates=drop leaves them out."
            )
        strange = account.get("other_script")
        if strange:
            more = "" if len(strange) < LISTED_ROWS else " or more"
            notice(
                f"{len(strange):,}{more} transcripts of {name} are in a script that hardly any "
                f"other is in, and are learned from; the first is {strange[0]['id']} "
                f"({strange[0]['script']}). data.on_other_script=drop leaves them out."
            )
        for note in annotation_notes(name, account):
            notice(note)
        _tell_changes(name, account.get("text_changes"))
    _tell_mixture(report.get("mixture"))


def annotation_notes(name: str, account: Mapping[str, Any]) -> list[str]:
    """What is to be said of the annotations in a split's transcripts, a sentence or two each."""
    notes = []
    if found := account.get("annotations"):
        named = ", ".join(f"{one} ({count:,})" for one, count in list(found.items())[:_NAMED])
        more = f" and {len(found) - _NAMED:,} more kinds" if len(found) > _NAMED else ""
        verb = "learned" if account["role"] == "training" else "scored"
        notes.append(
            f"What looks like an annotation is {verb} as words in {name}: {named}{more}. "
            "data.annotations=[usual] takes it out, of training and evaluation alike."
        )
    if alone := account.get("annotations_alone"):
        notes.append(
            f"{alone:,} references of {name} are annotations alone: they are scored as empty, and "
            "any word that is recognized there is an insertion."
        )
    return notes


def _tell_changes(name: str, changes: dict[str, Any] | None) -> None:
    if not changes or not changes["changed"] or changes["policy"] == "plain":
        return
    table(
        f"Transcripts of {name}: {changes['changed']:,} of {changes['of']:,} are changed",
        ["as written", "as learned"],
        [[example["before"], example["after"]] for example in changes["examples"]],
    )


def _tell_mixture(mixture: dict[str, Any] | None) -> None:
    if not mixture:
        return
    rows = [
        [
            name,
            f"{member['utterances']:,}",
            f"{member['hours']:.2f}",
            f"{member['share']:.1%}",
            f"{member['repeats']:.2f}",
        ]
        for name, member in mixture["sources"].items()
    ]
    columns = ["source", "utterances", "hours", "share of an epoch", "times an epoch"]
    table(f"Training on {len(rows)} sources", columns, rows)


def table_of_splits(report: Mapping[str, Any]) -> None:
    """Print every split with what was kept and what was left out."""
    rows = []
    for name, account in report["splits"].items():
        dropped = [f"{count:,} {reason}" for reason, count in account["dropped"].items()]
        if account["beyond_max_samples"]:
            dropped.append(f"{account['beyond_max_samples']:,} beyond the limit")
        if account.get("kept_unreadable"):
            dropped.append(f"{account['unreadable']:,} kept, unreadable")
        rows.append(
            [
                f"{name} ({account['role']})",
                f"{account['kept']:,}",
                f"{account['hours']:.2f}",
                f"{account['speakers']:,}",
                ", ".join(dropped) or "none",
            ]
        )
    columns = ["split", "utterances", "hours", "speakers", "left out"]
    table(f"Corpus {report['corpus']}", columns, rows)


def write_account(
    directory: Path, report: Mapping[str, Any], dropped_files: Mapping[str, Path]
) -> None:
    """Write ``data.json``, and beside it a file of every row left out where they are many.

    Args:
        directory: The run's.
        report: The account.
        dropped_files: For each split the file that lists all rows left out of it.
    """
    for name, account in report["splits"].items():
        if "dropped_file" in account and name in dropped_files:
            shutil.copyfile(dropped_files[name], directory / account["dropped_file"])
    write_json(directory / "data.json", report, indent=2)
