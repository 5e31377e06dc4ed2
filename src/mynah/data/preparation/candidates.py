"""From the rows of some tables to the rows of a corpus: filters, duplicates, limits."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mynah.config.schema import DataConfig, Nature
from mynah.config.settings import leaves
from mynah.data.corpus import Corpus
from mynah.data.preparation import filters, mixture
from mynah.data.preparation.account import (
    LISTED_ROWS,
    annotations_left,
    other_scripts,
    split_account,
)
from mynah.data.preparation.duplicates import digests, find_duplicates
from mynah.data.preparation.filters import Measures
from mynah.data.preparation.known_rows import chosen_unseen
from mynah.data.preparation.requests import (
    Request,
    account_of_members,
    distinct_members,
    members_of,
    repeats_of_members,
)
from mynah.data.preparation.selection import (
    Chosen,
    Stretch,
    joined_rows,
    read_view,
    view_directory,
    within_limits,
    write_view,
)
from mynah.data.row import OUTSIDE
from mynah.data.scripts import strangers
from mynah.data.tables.columns import index_type
from mynah.data.tables.table import locked
from mynah.data.text import POLICY_VERSION, TextPolicy
from mynah.errors import UserError

_EXAMPLES = 5
_SHARE = {"train_share"}  # counts where it is not all: what was chosen before it came stays


@dataclass(frozen=True)
class _Texts:
    """What filters ask of transcripts, and what the policy changes in them."""

    words: np.ndarray
    characters: np.ndarray
    annotated: np.ndarray
    changes: dict[str, Any]


def chosen_corpus(
    request: Request, config: DataConfig, policy: TextPolicy, cache: Path
) -> tuple[Corpus, dict[str, Any], Path]:
    """The corpus, its account, and the file that lists every row left out.

    What was chosen once is kept in the cache, and read from there while tables and settings
    stay the same.

    Raises:
        UserError: No row is left; or a row that cannot be read or is there twice ends the run,
            as the settings ask.
    """
    stretches = _with_unique_ids(request.stretches)
    if not request.training:
        policy = TextPolicy.of_references(config)
    seen = policy if request.training or not policy.is_plain else None
    pieces = [dataclasses.replace(stretch.piece, policy=seen) for stretch in stretches]
    settings = set(leaves(Nature.CHOOSES, "data")) - (set() if config.train_share < 1 else _SHARE)
    made_of = {
        "settings": {name: getattr(config, name) for name in settings},
        "policy": None if seen is None else (POLICY_VERSION, *policy.named.values()),
        **({"annotations alone": "kept to be scored"} if policy.annotations else {}),
        "role": request.name,
        "tables": [str(stretch.piece.table.directory.name) for stretch in stretches],
        "content": [stretch.piece.table.fingerprint for stretch in stretches],
        "rows": [_rows_key(stretch) for stretch in stretches],
        "prefixes": [piece.prefix for piece in pieces],
        "members": [(m.name, m.weight, m.max_samples, m.max_hours) for m in request.members],
        "held": None if request.held is None else (request.held.by, sorted(request.held.names)),
    }
    directory = view_directory(cache, made_of)
    given = (request, stretches, config, seen, directory)
    with locked(directory):
        chosen = read_view(directory) or chosen_unseen(*given) or _choose(*given)
    account = chosen.account
    _refuse(request, account, config)
    corpus = Corpus(
        pieces,
        name=request.name,
        sample_rate=config.sample_rate,
        rows=chosen.rows,
        repeats=chosen.repeats,
        fingerprint=account["fingerprint"],
    )
    return corpus, account, chosen.dropped_file


def _rows_key(stretch: Stretch) -> Any:
    rows = stretch.rows
    return None if rows is None else hashlib.blake2b(rows.tobytes(), digest_size=16).hexdigest()


def _with_unique_ids(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Ids of several tables under their source's name, and under their split's where need be."""
    sources = {stretch.piece.source for stretch in stretches}
    prefixed = []
    for stretch in stretches:
        prefix = f"{stretch.piece.source}/" if len(sources) > 1 else ""
        same = [other for other in stretches if other.piece.source == stretch.piece.source]
        if len(same) > 1 and _share_ids(same):
            prefix += f"{stretch.name}/"
        piece = dataclasses.replace(stretch.piece, prefix=prefix)
        prefixed.append(dataclasses.replace(stretch, piece=piece))
    return prefixed


def _share_ids(stretches: Sequence[Stretch]) -> bool:
    chunks = []
    for stretch in stretches:
        ids = stretch.piece.table.arrow.column("id")
        chosen = ids if stretch.rows is None else ids.take(pa.array(stretch.rows))
        chunks += chosen.chunks
    ids = pa.chunked_array(chunks, type=pa.string())
    return int(pc.count_distinct(ids).as_py()) < len(ids)


def _choose(
    request: Request,
    stretches: Sequence[Stretch],
    config: DataConfig,
    policy: TextPolicy | None,
    directory: Path,
) -> Chosen:
    rows, numbers = joined_rows(stretches)
    corpus = _candidates(request, stretches, config, rows)
    if request.held is not None:
        inside = request.held.rows(corpus)
        rows, numbers = rows[inside], numbers[inside]
        corpus = _candidates(request, stretches, config, rows)
    texts = _texts(corpus, policy)
    measures = _measures(corpus, texts, members_of(request)[numbers])
    filtering = request.training or config.filter_eval
    codes = filters.reasons(measures, config, training=request.training, filtering=filtering)
    duplicates = None
    same_as: dict[int, int] = {}
    if request.training:
        duplicates, same_as = _duplicates(corpus, codes, config)
    kept, beyond = _limited(request, config, codes, measures.seconds, numbers)
    if not len(kept):
        raise _nothing_left(request, corpus, codes, measures, config)
    each = repeats_of_members(request, config, numbers[kept], measures.seconds[kept])
    repeats = mixture.row_repeats(members_of(request)[numbers[kept]], each)
    total = sum(len(stretch.piece.table) for stretch in stretches)
    chosen_rows = None if len(kept) == total else rows[kept]
    changed = policy is not None and bool(texts.changes["changed"])
    pieces = [
        dataclasses.replace(stretch.piece, policy=policy if changed else None)
        for stretch in stretches
    ]
    made = Corpus(
        pieces, name=request.name, sample_rate=config.sample_rate, rows=chosen_rows, repeats=repeats
    )
    account: dict[str, Any] = {"role": "training" if request.training else "evaluation"}
    account |= split_account(made, codes, measures.seconds, int(texts.words[kept].sum()))
    account["beyond_max_samples"] = beyond
    account |= annotations_left(made, policy, alone=texts.annotated[kept])

    def dropped() -> Iterator[dict[str, Any]]:
        return _dropped(corpus, codes, measures, config, same_as)

    account |= _listed(dropped(), sum(account["dropped"].values()), request.name)
    if request.training:
        account |= {"duplicates": duplicates, "text_changes": texts.changes}
        account["other_script"] = other_scripts(corpus, kept, measures)
        account["sources"] = account_of_members(
            request, numbers[kept], measures.seconds[kept], each
        )
    else:
        # Kept, so that the denominator is the set's: their hypothesis is empty.
        broken = kept[measures.unreadable[kept]]
        account["unreadable"] = len(broken)
        account["kept_unreadable"] = [
            {"id": corpus.ids[row], "reason": corpus.error(row)} for row in broken[:LISTED_ROWS]
        ]
    account["fingerprint"] = made.fingerprint
    return write_view(directory, chosen_rows, repeats, account, dropped())


def _measures(corpus: Corpus, texts: _Texts, members: np.ndarray) -> Measures:
    scripts = corpus.numbers("script").astype(np.int8)
    return Measures(
        seconds=corpus.durations,
        unreadable=corpus.all_rows.where("error", pc.is_valid),
        no_speech=corpus.no_speech,
        words=texts.words,
        characters=texts.characters,
        scripts=scripts,
        strange=_strange(corpus, scripts, members),
        annotated=texts.annotated,
        outside=corpus.all_rows.where("error", _is_outside),
    )


def _listed(dropped: Iterator[dict[str, Any]], count: int, split: str) -> dict[str, Any]:
    """The first rows that are left out, and the file that lists all of them where they are many."""
    listed: dict[str, Any] = {"dropped_rows": list(itertools.islice(dropped, LISTED_ROWS))}
    if count > LISTED_ROWS:
        safe = re.sub(r"[^\w.-]+", "-", split)
        listed["dropped_file"] = f"dropped-{safe}.jsonl"
    return listed


def _candidates(
    request: Request, stretches: Sequence[Stretch], config: DataConfig, rows: np.ndarray
) -> Corpus:
    """All rows that may be chosen, transcripts as they are stored."""
    pieces = [dataclasses.replace(stretch.piece, policy=None) for stretch in stretches]
    return Corpus(
        pieces, name=request.name, sample_rate=config.sample_rate, rows=rows, fingerprint="none"
    )


def _texts(corpus: Corpus, policy: TextPolicy | None) -> _Texts:
    annotated = np.zeros(len(corpus), dtype=bool)
    if policy is None or policy.is_plain:
        irregular = np.flatnonzero(~corpus.numbers("regular", missing=1).astype(bool))
        examples = [
            _example(text, TextPolicy().apply(text))
            for text in (corpus.texts[row] for row in irregular[:_EXAMPLES])
        ]
        words, characters = corpus.numbers("words"), corpus.numbers("characters")
        changes = {"policy": "plain", "changed": len(irregular)}
    else:
        words = np.zeros(len(corpus), dtype=np.int32)
        characters = np.zeros(len(corpus), dtype=np.int32)
        count, examples = 0, []
        for row, (text, language) in enumerate(zip(corpus.texts, corpus.languages, strict=True)):
            made = policy.apply(text, language)
            words[row], characters[row] = made.count(" ") + bool(made), len(made)
            annotated[row] = not made and policy.is_annotations(text)
            if made != text:
                count += 1
                example = _example(text, made)
                if len(examples) < _EXAMPLES and example not in examples:
                    examples.append(example)
        changes = {"policy": "set", "changed": count}
    changes |= {"of": len(corpus), "examples": examples}
    return _Texts(words, characters, annotated, changes)


def _example(before: str, after: str) -> dict[str, str]:
    return {"before": before, "after": after}


def _is_outside(errors: pa.Array) -> pa.Array:
    return pc.fill_null(pc.starts_with(errors, OUTSIDE), False)


def _strange(corpus: Corpus, scripts: np.ndarray, members: np.ndarray) -> np.ndarray:
    """bool [rows], whether hardly any row of the same source and language is in its script."""
    if corpus.all_rows.one_script:
        return np.zeros(len(scripts), dtype=bool)
    languages = pa.chunked_array(corpus.arrays("language"), type=pa.string())
    encoded = languages.combine_chunks().dictionary_encode()
    codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False)
    groups = members * np.int32(len(encoded.dictionary) + 1) + codes
    found = np.zeros(len(scripts), dtype=bool)
    for group in np.flatnonzero(np.bincount(groups)):
        inside = groups == group
        found[inside] = strangers(scripts[inside])
    return found


def _duplicates(
    corpus: Corpus, codes: np.ndarray, config: DataConfig
) -> tuple[dict[str, Any], dict[int, int]]:
    """Count what is there twice among the rows that stay; mark it where it is to be dropped."""
    rows = np.flatnonzero(codes == filters.KEPT)
    if corpus.all_rows.no_repeated_audio:
        rows = rows[:0]
    found = find_duplicates(corpus.select(rows), digests(corpus)[rows])
    same_as = {int(rows[row]): int(rows[first]) for row, first in found.first.items()}
    if dropping := config.on_duplicates == "drop":
        codes[rows[found.same_text]] = filters.DUPLICATE
        codes[rows[found.other_text]] = filters.OTHER_TEXT
    shown = list(same_as.items())[:_EXAMPLES]
    return {
        "same_audio_and_text": len(found.same_text),
        "other_text": len(found.other_text),
        "kept": 0 if dropping else len(same_as),
        "examples": [{"id": corpus.ids[row], "same_as": corpus.ids[at]} for row, at in shown],
    }, same_as


def _limited(
    request: Request,
    config: DataConfig,
    codes: np.ndarray,
    seconds: np.ndarray,
    numbers: np.ndarray,
) -> tuple[np.ndarray, int]:
    """Rows that limits leave of those that stay, and how many are beyond them."""
    staying = kept = np.flatnonzero(codes == filters.KEPT)
    if request.training and any(m.max_samples or m.max_hours for m in request.members):
        members = members_of(request)[numbers]
        parts = []
        for number, member in enumerate(distinct_members(request)):
            mine = staying[members[staying] == number]
            parts.append(
                within_limits(
                    mine, seconds[mine], samples=member.max_samples, hours=member.max_hours
                )
            )
        kept = np.sort(np.concatenate(parts))
    limit = config.max_train_samples if request.training else config.max_eval_samples
    if request.training and config.train_share < 1.0:
        limit = math.ceil(config.train_share * min(limit or len(kept), len(kept)))
    kept = within_limits(kept, seconds[kept], samples=limit)
    return kept.astype(index_type(len(codes)), copy=False), len(staying) - len(kept)


def _dropped(
    corpus: Corpus,
    codes: np.ndarray,
    measures: Measures,
    config: DataConfig,
    same_as: dict[int, int],
) -> Iterator[dict[str, Any]]:
    ids = corpus.ids
    for row in np.flatnonzero(codes).tolist():
        code = int(codes[row])
        if code in (filters.DUPLICATE, filters.OTHER_TEXT):
            detail = f"as {ids[same_as[row]]}"
        else:
            detail = filters.detail(code, row, measures, config, corpus.error)
        yield {"id": ids[row], "reason": filters.REASONS[code], "detail": detail}


def _nothing_left(
    request: Request, corpus: Corpus, codes: np.ndarray, measures: Measures, config: DataConfig
) -> UserError:
    counts = [
        f"{int((codes == code).sum()):,} {filters.REASONS[code]}"
        for code in np.unique(codes)
        if code
    ]
    first = next(_dropped(corpus, codes, measures, config, {}), None)
    fix = None
    if first is not None:
        shown = f"{first['id']}, {first['reason']} {first['detail']}".rstrip()
        fix = f"Look at the first of them: {shown}"
        if int((codes == filters.TOO_LONG).sum()) * 2 > len(codes):
            fix = f"`mynah data segment` cuts long recordings into utterances; the first is {shown}"
    return UserError(
        f"No utterance of {request.name} is left" + (f": {', '.join(counts)}." if counts else "."),
        where="data",
        fix=fix,
    )


def _refuse(request: Request, account: dict[str, Any], config: DataConfig) -> None:
    """End the run where the settings ask for it."""
    if not request.training:
        return
    unreadable = account["dropped"].get("unreadable", 0)
    if config.on_error == "fail" and unreadable:
        listed = account["dropped_rows"]
        first = next((row for row in listed if row["reason"] == "unreadable"), listed[0])
        raise UserError(
            f"{unreadable:,} training recordings cannot be read; the first is "
            f"{first['id']}: {first['detail']}.",
            where="data.on_error=fail",
            fix="Fix them, or leave them out: data.on_error=skip",
        )
    duplicates = account["duplicates"]
    if config.on_duplicates == "fail" and duplicates["kept"]:
        pairs = ", ".join(f"{one['id']} = {one['same_as']}" for one in duplicates["examples"])
        raise UserError(
            f"{duplicates['kept']:,} training recordings are there twice: {pairs}.",
            where="data.on_duplicates=fail",
            fix="Take them out, or leave all but the first out: data.on_duplicates=drop",
        )
