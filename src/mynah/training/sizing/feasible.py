"""Utterances that a model cannot learn, found before it is asked to."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mynah import console
from mynah.errors import UserError

if TYPE_CHECKING:
    from mynah.config.schema import DataConfig
    from mynah.data.utterances import Utterances
    from mynah.models.family import Family

Held = TypeVar("Held", bound="Utterances")

_NAMED = 5  # utterances named in a message
_FEW_ROWS = 20_000  # that are all tokenized: it takes a second
_BLOCK_ROWS = 10_000  # whose texts are looked at together
_RELEASED_ROWS = 100  # after which the memory of their texts is given back
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
    found = list(_impossible(corpus, family, fastest))
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
    corpus.release()
    return corpus.select(np.flatnonzero(kept))


def _impossible(corpus: Utterances, family: Family, fastest: float) -> Iterable[tuple[int, str]]:
    """(row, reason) of each utterance that is impossible at so many times its speed."""
    samples = (corpus.durations * (corpus.sample_rate / fastest)).astype(np.int64)
    rows = _doubtful(corpus, family, samples)
    texts = corpus.texts
    with console.progress("checking transcripts", total=len(rows), unit="utterances") as advance:
        for start in range(0, len(rows), _RELEASED_ROWS):
            block = rows[start : start + _RELEASED_ROWS]
            for row in block.tolist():
                reason = family.impossible(int(samples[row]), family.labels(texts[row]))
                if reason is not None:
                    yield row, reason
            corpus.release()
            advance(len(block))


def _doubtful(corpus: Utterances, family: Family, samples: np.ndarray) -> np.ndarray:
    """The rows that have to be tokenized to know."""
    if len(corpus) <= _FEW_ROWS:
        return np.arange(len(corpus))
    bounds = corpus.label_bounds()
    checked = np.random.default_rng(0).choice(len(corpus), _CHECKED_BOUNDS, replace=False)
    for number, row in enumerate(checked.tolist()):
        labels = family.labels(corpus.texts[row])
        if len(labels) + sum(a == b for a, b in itertools.pairwise(labels)) > bounds[row]:
            # A tokenizer that makes more of a text than it has characters.
            return np.arange(len(corpus))
        if number % _RELEASED_ROWS == 0:
            corpus.release()
    corpus.release()
    return np.flatnonzero(~surely_possible(family, samples, bounds))


def surely_possible(family: Family, samples: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Where even as many labels as the bound are possible, bool [rows].

    Rows of nearly the same lengths are asked for together: what is possible for a shorter
    and for a longer recording is possible between them, and for fewer labels too.

    Args:
        family: The model.
        samples: Of each recording, int [rows].
        bounds: The most labels each may have, int [rows].
    """
    texts = _steps(int(bounds.max(initial=1)), _TEXT_STEP) + 1
    cell_of = np.empty(len(samples), dtype=np.int32)
    cells = (_steps(int(samples.max(initial=1)), _LENGTH_STEP) + 1) * texts
    shortest = np.full(cells, np.iinfo(np.int64).max)
    longest, labels = np.zeros(cells, np.int64), np.zeros(cells, np.int64)
    for start in range(0, len(samples), _BLOCK_ROWS * 10):
        block = slice(start, start + _BLOCK_ROWS * 10)
        inside, counts = samples[block], bounds[block]
        length = np.floor(np.log(np.maximum(inside, 1)) / np.log(_LENGTH_STEP)).astype(np.int32)
        text = np.ceil(np.log(np.maximum(counts, 1)) / np.log(_TEXT_STEP)).astype(np.int32)
        cell_of[block] = cell = length * texts + text
        np.minimum.at(shortest, cell, inside)
        np.maximum.at(longest, cell, inside)
        np.maximum.at(labels, cell, counts)
    possible = np.zeros(cells, dtype=bool)
    for cell in np.flatnonzero(labels).tolist():
        low, high, count = int(shortest[cell]), int(longest[cell]), int(labels[cell])
        possible[cell] = (
            family.impossible(low, range(count)) is None
            and family.impossible(high, range(count)) is None
        )
    sure: np.ndarray = possible[cell_of]
    return sure


def _steps(most: int, step: float) -> int:
    """Steps of a factor that lead to a number or beyond it."""
    return 1 + math.ceil(math.log(max(most, 1)) / math.log(step))
