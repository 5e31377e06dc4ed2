"""A system's utterances in the files of others: sclite's, and the Open ASR Leaderboard's."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from mynah.evaluation.comparing.system import System
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.normalize import Normalizer, get_normalizer
from mynah.files import write_text

Times: TypeAlias = list[tuple[float, float]]
"""Start and end of words, in seconds."""

_NO_SPEAKER = "unknown"
# What sclite reads as alternatives, no word, a label or a comment, as the letters of full width.
_LITERAL = str.maketrans("{}@<>;*", "｛｝＠＜＞；＊")
_SPREAD = ";; in {} of {} utterances words are spread evenly: their times are not known\n"
_LEAST_SECONDS = 0.002  # of a word: its middle has to lie in its utterance


def write_system(folder: Path, system: System, normalizer: str) -> list[Path]:
    """Write ``ref.trn`` and ``hyp.trn``, ``ref.stm`` and ``hyp.ctm`` where all durations are
    known, and ``manifest.jsonl``.

    sclite's files (SCTK's ``doc/infmts.htm``) hold the texts as the normaliser leaves them, since
    sclite has none, with the signs that mean something to it replaced by those of full width: no
    word more or less is right by that. It counts upper and lower case alike without ``-s``. The
    leaderboard's manifest (``normalizer/eval_utils.py`` of ``huggingface/open_asr_leaderboard``)
    holds the texts as they were written. The words of the CTM file have the times that the model
    gave; where it gave none, or normalising did more than change words one by one, they are spread
    evenly over their utterance, and the file says so. Each utterance is a segment of its own.

    Args:
        folder: Made where it is missing; files in it are replaced.
        system: What is written.
        normalizer: Name of the text normaliser.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    normalize = get_normalizer(normalizer)
    utterances = system.hypotheses
    references = [_literal(normalize(one.reference, one.language)) for one in utterances]
    texts = [_literal(normalize(one.text, one.language)) for one in utterances]
    ids = _ids(utterances)
    files = {
        "ref.trn": (f"{text} ({key})\n" for text, key in zip(references, ids, strict=True)),
        "hyp.trn": (f"{text} ({key})\n" for text, key in zip(texts, ids, strict=True)),
        "manifest.jsonl": _manifest(utterances),
    }
    if all(one.duration_seconds > 0 for one in utterances):
        spread, ctm = _ctm(utterances, texts, ids, normalize)
        files |= {
            "ref.stm": _in_order(ids, _stm(utterances, references, ids)),
            "hyp.ctm": itertools.chain(spread, _in_order(ids, ctm)),
        }
    for name, lines in files.items():
        write_text(folder / name, lines)
    return [folder / name for name in files]


def _ids(utterances: Sequence[Hypothesis]) -> list[str]:
    """Ids as sclite takes them: a speaker, a hyphen, and letters that need no quotes; unique."""
    found: list[str] = []
    seen: set[str] = set()
    for number, one in enumerate(utterances):
        speaker = _plain(one.speaker or _NO_SPEAKER).replace("-", "_")
        key = f"{speaker}-{_plain(one.id)}"
        key = key if key not in seen else f"{key}_{number}"
        seen.add(key)
        found.append(key)
    return found


def _plain(text: str) -> str:
    return re.sub(r"[\s();]+", "_", text)


def _literal(text: str) -> str:
    """A text whose words sclite takes as they are."""
    return " ".join(text.split()).translate(_LITERAL)


def _in_order(ids: Sequence[str], entries: Iterator[str]) -> Iterator[str]:
    """What is written of each utterance, by the ids' bytes: sclite goes through both files once."""
    rows = sorted(zip(ids, entries, strict=True), key=lambda row: row[0].encode())
    return (entry for _, entry in rows)


def _stm(
    utterances: Sequence[Hypothesis], texts: Sequence[str], ids: Sequence[str]
) -> Iterator[str]:
    for one, text, key in zip(utterances, texts, ids, strict=True):
        speaker = _plain(one.speaker or _NO_SPEAKER)
        yield f"{key} 1 {speaker} 0.000 {one.duration_seconds:.3f} {text}".rstrip() + "\n"


def _ctm(
    utterances: Sequence[Hypothesis],
    texts: Sequence[str],
    ids: Sequence[str],
    normalize: Normalizer,
) -> tuple[list[str], Iterator[str]]:
    """A comment where times are not known, and the lines of each utterance."""
    spread = 0
    entries = []
    for one, text, key in zip(utterances, texts, ids, strict=True):
        words = text.split()
        times = _known(one, words, normalize)
        if times is None:
            spread += 1
            times = _evenly(0.0, one.duration_seconds, len(words))
        entries.append(
            "".join(
                f"{key} 1 {start:.3f} {end - start:.3f} {word}\n"
                for word, (start, end) in zip(words, times, strict=True)
            )
        )
    return ([_SPREAD.format(spread, len(utterances))] if spread else []), iter(entries)


def _known(one: Hypothesis, words: Sequence[str], normalize: Normalizer) -> Times | None:
    """When the words of a normalised hypothesis are spoken; None where that is not known, or it
    does not consist of its words normalised one by one."""
    if not words:
        return []
    if one.word_times is None:
        return None
    last = one.duration_seconds
    made: Times = []
    parts: list[str] = []
    reached = 0.0
    for word, (start, end) in zip(one.text.split(), one.word_times, strict=True):
        found = _literal(normalize(word, one.language)).split()
        end = min(max(end, start + _LEAST_SECONDS), last)
        reached = max(reached, min(start, end - _LEAST_SECONDS))
        made += _evenly(reached, max(end, reached + _LEAST_SECONDS), len(found))
        parts += found
    return made if parts == list(words) else None


def _evenly(start: float, end: float, words: int) -> Times:
    each = (end - start) / max(words, 1)
    return [(start + number * each, start + (number + 1) * each) for number in range(words)]


def _manifest(utterances: Sequence[Hypothesis]) -> Iterator[str]:
    for one in utterances:
        row = {
            "audio_filepath": one.id,
            "duration": one.duration_seconds or None,
            "time": None,  # of transcribing: the leaderboard's reader wants the key, and takes null
            "text": one.reference,
            "pred_text": one.text,
        }
        yield json.dumps(row, ensure_ascii=False) + "\n"
