"""The evaluation loss: what the model thinks of the references, teacher-forced."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mynah import console, distributed
from mynah.config.plugins.metrics import LOSS
from mynah.data.audio.files import AudioError
from mynah.errors import UserError
from mynah.evaluation.decoding.decode import (
    encoded_in_batch,
    progress_of,
    rows_by_length,
    without_a_trace,
)
from mynah.evaluation.metrics.choice import make
from mynah.evaluation.score import Measure, without_interval
from mynah.models.family import Example

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus
    from mynah.models.family import Family

_NAMED = 3  # utterances without a loss named one by one


@dataclass
class _Sums:
    """What one process found.

    Attributes:
        totals: The undivided loss of each batch.
        tokens: The tokens of each batch.
        problems: Rows that have no loss, with the reason.
    """

    totals: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)


def evaluation_loss(
    family: Family,
    corpus: Corpus,
    *,
    batch_seconds: float | None,
    batch_size: int | None = None,
    text: Callable[[str], str] = str,
    progress: bool = True,
    description: str = "",
) -> Measure:
    """The mean negative log-likelihood of a token over a full corpus.

    The family's own loss in evaluation mode, its sums over all utterances divided once, so
    that neither batches nor processes change it but by rounding. A reference that the model
    cannot produce at all (as one with more labels than frames) has none: it is counted and
    named.

    Args:
        family: The model.
        corpus: What it is measured on.
        batch_seconds: See :func:`mynah.evaluation.decoding.decode.encoded_in_batch`.
        batch_size: Utterances in a batch.
        text: What becomes of a transcript before training, and so here.
        progress: Whether to show progress.
        description: What the progress says is being done.

    Raises:
        UserError: Not one utterance has a loss.
    """
    batches = rows_by_length(
        corpus.durations,
        batch_seconds=encoded_in_batch(batch_seconds, family.model),
        batch_size=batch_size,
        encoded=family.encoded_seconds,
    )
    mine = batches[distributed.rank() :: distributed.world_size()]
    sums = _Sums()
    with (
        distributed.together(),
        without_a_trace(family.model),
        progress_of(description or f"loss of {corpus.name}", sum(map(len, mine)), progress) as done,
    ):
        for rows in mine:
            _add(family, corpus, rows, sums, text)
            done(len(rows))
    return _measure(_together(sums), corpus)


def _add(
    family: Family,
    corpus: Corpus,
    rows: Sequence[int],
    sums: _Sums,
    text: Callable[[str], str],
) -> None:
    """Add one batch, on the device where the model is."""
    examples = []
    for row in rows:
        try:
            example = _example(family, corpus, row, text)
        except AudioError as error:
            sums.problems[row] = error.what
            continue
        except UserError:
            raise
        except Exception as error:
            sums.problems[row] = str(error)
            continue
        if isinstance(example, str):
            sums.problems[row] = example
        else:
            examples.append(example)
    if not examples:
        return
    device = next(family.model.parameters()).device
    batch = {name: tensor.to(device) for name, tensor in family.collate(examples).items()}
    found = family.loss(family.model, batch)
    sums.totals.append(float(found.total))
    sums.tokens.append(float(found.count))


def _example(family: Family, corpus: Corpus, row: int, text: Callable[[str], str]) -> Example | str:
    """A row as the family collates it, or why the model cannot produce its reference."""
    utterance = corpus[row]
    audio = corpus.read_audio(row)
    labels = family.labels(text(utterance.text))
    reason = family.impossible(len(audio), labels)
    if reason is not None:
        return reason
    return Example(
        utterance.id,
        np.asarray(family.features(audio)),
        labels,
        language=utterance.language,
        seconds=len(audio) / corpus.sample_rate,
        context=utterance.context,
    )


def _together(sums: _Sums) -> _Sums:
    """What all processes found."""
    found = _Sums()
    parts: list[_Sums] = distributed.gather(sums)
    for part in parts:
        found.totals += part.totals
        found.tokens += part.tokens
        found.problems |= part.problems
    return found


def _measure(sums: _Sums, corpus: Corpus) -> Measure:
    problems = sums.problems
    named = "; ".join(f"{corpus.ids[row]} ({problems[row]})" for row in sorted(problems)[:_NAMED])
    if len(problems) == len(corpus):
        raise UserError(
            f"Not one of the {len(corpus)} utterances of {corpus.name!r} has an evaluation loss: "
            f"{named}.",
            where="the evaluation split",
            fix="leave loss out of evaluation.metrics and training.metric_for_best_model",
        )
    if problems and distributed.rank() == 0:
        more = len(problems) - _NAMED
        console.notice(
            f"{len(problems)} of {len(corpus)} utterances of {corpus.name!r} have no evaluation "
            f"loss and are not in it: {named}" + (f"; and {more} more" if more > 0 else "")
        )
    # Exact sums, in whatever order the processes found them.
    totals = [math.fsum(sums.totals), math.fsum(sums.tokens)]
    return without_interval(make(LOSS), np.array(totals, dtype=np.float64))
