"""What training and evaluation share: speakers, sentences, recordings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mynah.console import notice, say
from mynah.data.corpus import Corpus
from mynah.data.preparation.account import known_speakers
from mynah.data.preparation.duplicates import digest_blocks, digests
from mynah.data.sentences import hashes_of, sentences
from mynah.data.tables.beside import RECORDING
from mynah.data.tables.facts import SENTENCE
from mynah.data.tables.table import locked
from mynah.errors import UserError
from mynah.files import read_json, write_json

_EXAMPLES = 3
_VERSION = 2  # of how it is counted


def known_leaks(train: Corpus, evaluation: Corpus, cache: Path) -> dict[str, Any]:
    """What :func:`find_leaks` finds, kept in the cache: of the same corpora it is the same."""
    of = f"{_VERSION} {train.fingerprint} {evaluation.fingerprint}"
    file = (
        cache / "views" / f"leaks-{hashlib.blake2b(of.encode(), digest_size=12).hexdigest()}.json"
    )
    with locked(file):
        found = read_json(file)
        if not found:
            found = find_leaks(train, evaluation)
            write_json(file, found)
        return found


def find_leaks(train: Corpus, evaluation: Corpus) -> dict[str, Any]:
    """What an evaluation split shares with training, counted in its utterances.

    Sentences are compared without case and punctuation.

    Returns:
        For each of ``speakers``, ``sentences`` and ``recordings``: ``shared`` (how many),
        ``utterances`` (of the evaluation that have one), ``examples``; ``utterances`` of the
        evaluation; ``speakers_to_learn_from``: how many the sources of the evaluation have in
        training.
    """
    known = known_speakers(train)
    speakers = _unique(train, "speaker") if known is None else pa.array(sorted(known), pa.string())
    sources = pc.unique(pa.chunked_array(evaluation.arrays("source"), type=pa.string()))
    return {
        "utterances": len(evaluation),
        "speakers_to_learn_from": _speakers_of(train, sources),
        "speakers": _shared(evaluation, "speaker", speakers),
        "sentences": _shared_sentences(train, evaluation),
        "recordings": _shared_recordings(train, evaluation),
    }


def tell_leaks(name: str, found: dict[str, Any], policy: str) -> None:
    """Say what is shared, as loudly as it matters.

    Args:
        name: The evaluation split.
        found: What :func:`find_leaks` gave.
        policy: ``data.on_leak``.

    Raises:
        UserError: Something is shared and the policy is ``fail``.
    """
    if policy == "ignore":
        return
    phrases = describe_leaks(name, found)
    if phrases and policy == "fail":
        raise UserError(
            f"Training and evaluation share {'; '.join(phrases)}.",
            where="data.on_leak=fail",
            fix="Take them out of one of the two, hold out by speaker (data.eval_splits=null), or "
            "accept it: data.on_leak=warn",
        )
    # Sentences are shared in every corpus of commands or digits, and a corpus of one speaker
    # shares that one: both are worth a line, and no alarm.
    one_speaker = found["speakers_to_learn_from"] == 1
    calm = not found["recordings"]["shared"] and (not found["speakers"]["shared"] or one_speaker)
    if phrases and calm:
        say(f"Shared with training: {'; '.join(phrases)}")
    elif phrases:
        notice(
            f"Shared with training: {'; '.join(phrases)}: the error rate will look better "
            "than on what is new. data.on_leak=fail makes this an error."
        )


def describe_leaks(name: str, found: Mapping[str, Any]) -> list[str]:
    """What an evaluation split shares with training, in words, a phrase for each kind.

    Args:
        name: The evaluation split.
        found: What :func:`find_leaks` gave.
    """
    total = found["utterances"]
    phrases = []
    for what in ("recordings", "speakers", "sentences"):
        shared = found[what]
        if not shared["shared"]:
            continue
        examples = ", ".join(map(repr, shared["examples"]))
        phrases.append(
            f"{_several(shared['shared'], what)} of {name} "
            f"({shared['utterances']:,} of {total:,} utterances; {examples})"
        )
    return phrases


def _several(count: int, what: str) -> str:
    return f"1 {what.removesuffix('s')}" if count == 1 else f"{count:,} {what}"


def _speakers_of(corpus: Corpus, sources: pa.Array) -> int:
    if (known := corpus.all_rows.speakers) is not None:
        asked = [known.get(one or "", ()) for one in sources.to_pylist()]
        return len({name for some in asked for name in some if name})
    columns = zip(corpus.arrays("speaker"), corpus.arrays("source"), strict=True)
    found = [pc.unique(names.filter(pc.is_in(source, sources))) for names, source in columns]
    names = pc.unique(pa.chunked_array(found, type=pa.string()))
    return len(names.filter(pc.and_(pc.is_valid(names), pc.not_equal(names, ""))))


def _unique(corpus: Corpus, column: str) -> pa.Array:
    parts = [pc.unique(array) for array in corpus.arrays(column)]
    values = pc.unique(pa.chunked_array(parts, type=pa.string()))
    return values.filter(pc.and_(pc.is_valid(values), pc.not_equal(values, "")))


def _shared(evaluation: Corpus, column: str, known: pa.Array) -> dict[str, Any]:
    inside = [array.filter(pc.is_in(array, known)) for array in evaluation.arrays(column)]
    return _counted(pa.chunked_array(inside, type=pa.string()))


def _counted(values: pa.ChunkedArray) -> dict[str, Any]:
    unique = pc.unique(values)
    return {
        "shared": len(unique),
        "utterances": len(values),
        "examples": unique[:_EXAMPLES].to_pylist(),
    }


def _shared_sentences(train: Corpus, evaluation: Corpus) -> dict[str, Any]:
    asked = pa.chunked_array(map(sentences, evaluation.arrays("text")), type=pa.string())
    asked = asked.filter(pc.not_equal(asked, ""))
    wanted = pc.unique(asked)
    inside = []
    for array in _likely(train, wanted):
        learned = sentences(array)
        inside.append(pc.unique(learned.filter(pc.is_in(learned, wanted))))
    known = pc.unique(pa.chunked_array(inside, type=pa.string()))
    return _counted(asked.filter(pc.is_in(asked, known)))


def _likely(train: Corpus, wanted: pa.Array) -> Iterator[pa.Array]:
    """Transcripts of training among which all are that are wanted: where their hashes were
    stored with the table, few others."""
    if not train.all_rows.has(SENTENCE):
        yield from train.arrays("text")
        return
    hashes = pa.array(hashes_of(wanted))
    for texts, known in zip(train.arrays("text"), train.arrays(SENTENCE), strict=True):
        yield pc.unique(texts.filter(pc.is_in(known, hashes)))


def _shared_recordings(train: Corpus, evaluation: Corpus) -> dict[str, Any]:
    """By the digest of the audio, and by the file where utterances are pieces of one."""
    digest = digests(evaluation)
    wanted_digests = np.unique(digest[digest != 0])
    shared_digests = among(digest_blocks(train), wanted_digests)
    inside = np.isin(digest, shared_digests)
    files = pa.chunked_array(_files(evaluation), type=pa.string())
    wanted = pc.unique(files.drop_null())
    if len(wanted):
        known = [pc.unique(found.filter(pc.is_in(found, wanted))) for found in _files(train)]
        shared = pc.unique(pa.chunked_array(known, type=pa.string())).drop_null()
        inside |= pc.is_in(files, shared).to_numpy()
    ids = pa.chunked_array(evaluation.arrays("id"), type=pa.string()).filter(pa.array(inside))
    return _counted(ids)


def among(many: Iterable[np.ndarray], few: np.ndarray) -> np.ndarray:
    """Which of a few numbers are among many: what takes memory is as long as the few.

    Args:
        many: uint64 [numbers], block after block.
        few: uint64 [numbers], ascending.
    """
    wanted, found = pa.array(few), np.zeros(len(few), dtype=bool)
    for block in many if len(few) else ():
        # A table of hashes: of ten million numbers it is a tenth of a binary search's time.
        inside = pc.is_in(pa.array(block), wanted)
        if inside.true_count:
            met = block[inside.to_numpy(zero_copy_only=False)]
            found[np.searchsorted(few, met)] = True
    return few[found]


def _files(corpus: Corpus) -> Iterator[pa.Array]:
    """The file that each utterance is in, or was in before it was packed; null where it lies
    in the table or in a shard."""
    columns = ("audio", "byte_offset", RECORDING)
    for audio, offset, packed in zip(*map(corpus.arrays, columns), strict=True):
        elsewhere = pc.or_(pc.is_valid(pc.struct_field(audio, "bytes")), pc.is_valid(offset))
        own = pc.if_else(elsewhere, pa.scalar(None, pa.string()), pc.struct_field(audio, "path"))
        yield pc.if_else(pc.is_valid(packed), packed, own)
