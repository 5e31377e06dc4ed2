"""Utterances that a model cannot learn, found before it is asked to."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mynah import console
from mynah.data.tables.label_bounds import label_bounds
from mynah.errors import UserError

if TYPE_CHECKING:
    from mynah.config.schema import DataConfig
    from mynah.data.utterances import Utterances
    from mynah.models.family import Family

Held = TypeVar("Held", bound="Utterances")

_NAMED = 5  # utterances named in a message
_FEW_ROWS = 20_000  # that are all tokenized: it takes a second
_BLOCK_ROWS = 10_000  # whose texts are looked at together
_CHECKED_BOUNDS = 1_000  # rows on which the bound is held against the tokenizer
# Rows whose lengths are as near as this are looked at as one.
_LENGTH_STEP, _TEXT_STEP = 1.01, 1.02


def without_impossible(
    corpus: Held, family: Family, config: DataConfig, *, report: dict[str, Any]
) -> Held:
    """The corpus less the utterances that :meth:`Family.impossible` names.

    A CTC loss would call them infinite, or hide them as zero. Speed perturbation is
    counted in: the fastest version must fit too. Of a large corpus only the rows that come
    near the limit are tokenized.

    Args:
        corpus: Training utterances.
        family: The model they are for.
        config: ``on_impossible`` says whether they end the run or are left out and listed.
        report: What ``data.json`` holds; what is left out is added to it.

    Raises:
        UserError: There are such utterances and ``data.on_impossible`` is ``fail``.
    """
    fastest = max([1.0, *config.augmentation.speed_factors])
    samples = (corpus.durations * (corpus.sample_rate / fastest)).astype(np.int64)
    found = list(_impossible(corpus, family, samples))
    if not found:
        return corpus
    ids = corpus.ids
    named = [f"{ids[row]}: {reason}" for row, reason in found[:_NAMED]]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    what = (
        f"{len(found)} of {len(corpus)} training utterances are impossible for this model: "
        + "; ".join(named)
        + more
    )
    if config.on_impossible == "fail" or len(found) == len(corpus):
        raise UserError(
            what,
            fix="model.tokenizer=bpe with a larger model.vocab_size, or a smaller "
            "model.encoder.subsampling_factor; data.on_impossible=drop leaves them out",
        )
    console.notice(what + ". They are left out and listed in data.json.")
    report["impossible"] = [{"id": ids[row], "reason": reason} for row, reason in found]
    kept = np.ones(len(corpus), dtype=bool)
    kept[[row for row, _ in found]] = False
    return corpus.select(np.flatnonzero(kept))


def _impossible(
    corpus: Utterances, family: Family, samples: np.ndarray
) -> Iterable[tuple[int, str]]:
    """(row, reason) of each impossible utterance."""
    rows = _doubtful(corpus, family, samples)
    texts = corpus.texts
    with console.progress("checking transcripts", total=len(rows), unit="utterances") as advance:
        for start in range(0, len(rows), _BLOCK_ROWS):
            block = rows[start : start + _BLOCK_ROWS]
            for row in block.tolist():
                reason = family.impossible(int(samples[row]), family.labels(texts[row]))
                if reason is not None:
                    yield row, reason
            advance(len(block))


def _doubtful(corpus: Utterances, family: Family, samples: np.ndarray) -> np.ndarray:
    """The rows that have to be tokenized to know."""
    everything: np.ndarray = np.arange(len(corpus))
    if len(corpus) <= _FEW_ROWS:
        return everything
    bounds = np.concatenate([label_bounds(block) for block in _blocks(corpus.texts)])
    checked = np.random.default_rng(0).choice(everything, _CHECKED_BOUNDS, replace=False)
    for row in checked.tolist():
        labels = family.labels(corpus.texts[row])
        if len(labels) + sum(a == b for a, b in itertools.pairwise(labels)) > bounds[row]:
            return everything  # a tokenizer that makes more of a text than it has characters
    doubtful: np.ndarray = everything[~surely_possible(family, samples, bounds)]
    return doubtful


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    left = iter(texts)
    while block := list(itertools.islice(left, _BLOCK_ROWS)):
        yield block


def surely_possible(family: Family, samples: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Where even as many labels as the bound are possible, bool [rows].

    Rows of nearly the same lengths are asked for together: what is possible for a shorter
    and for a longer recording is possible between them, and for fewer labels too.

    Args:
        family: The model.
        samples: Of each recording, int [rows].
        bounds: The most labels each may have, int [rows].
    """
    length = np.floor(np.log(np.maximum(samples, 1)) / np.log(_LENGTH_STEP)).astype(np.int64)
    text = np.ceil(np.log(np.maximum(bounds, 1)) / np.log(_TEXT_STEP)).astype(np.int64)
    cells, cell_of = np.unique(length * (int(text.max()) + 1) + text, return_inverse=True)
    shortest = np.full(len(cells), np.iinfo(np.int64).max)
    longest, labels = np.zeros(len(cells), np.int64), np.zeros(len(cells), np.int64)
    np.minimum.at(shortest, cell_of, samples)
    np.maximum.at(longest, cell_of, samples)
    np.maximum.at(labels, cell_of, bounds)
    possible = [
        family.impossible(low, range(count)) is None
        and family.impossible(high, range(count)) is None
        for low, high, count in zip(
            shortest.tolist(), longest.tolist(), labels.tolist(), strict=True
        )
    ]
    return np.asarray(possible, dtype=bool)[cell_of]
