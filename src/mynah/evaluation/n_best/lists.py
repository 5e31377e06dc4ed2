"""Several hypotheses of each utterance of a corpus, by beam search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mynah import distributed
from mynah.config.naming.n_best import one_hypothesis
from mynah.errors import UserError
from mynah.evaluation.decoding.decode import (
    encoded_in_batch,
    progress_of,
    rows_by_length,
    without_a_trace,
)
from mynah.models.transcript import Clip, Transcript
from mynah.stopping.polling import poll

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.corpus import Corpus
    from mynah.models.family import Family


def check_n_best(config: Config, family: Family) -> None:
    """Find a model that gives one hypothesis alone, before anything is decoded.

    Raises:
        UserError: It does, and several are asked for.
    """
    size = config.evaluation.n_best
    if size and not family.gives_n_best:
        raise one_hypothesis(family.name, size)


def decode_n_best(
    family: Family, corpus: Corpus, config: Config, *, description: str
) -> list[list[Transcript]]:
    """The hypotheses of each row, the likeliest first; none of a row that cannot be read.

    Args:
        family: One that gives several (:func:`check_n_best`).
        corpus: What is decoded.
        config: ``evaluation.n_best``, and how much is decoded at once.
        description: What the progress says is being done.
    """
    size = config.evaluation.n_best
    seconds = encoded_in_batch(config.training.eval_batch_seconds, family.model) / size
    batches = rows_by_length(corpus.durations, batch_seconds=max(seconds, 1.0))
    mine = batches[distributed.rank() :: distributed.world_size()]
    found: dict[int, list[Transcript]] = {}
    with (
        distributed.together(),
        without_a_trace(family.model),
        progress_of(description, sum(map(len, mine)), shown=True) as done,
    ):
        for rows in mine:
            poll()
            found |= _decoded(family, _clips(corpus, rows), size)
            done(len(rows))
    for others in distributed.gather(found) if distributed.world_size() > 1 else ():
        found |= others
    return [found.get(row, []) for row in range(len(corpus))]


def _clips(corpus: Corpus, rows: Sequence[int]) -> dict[int, Clip]:
    """The clips of the rows that can be read; decoding them once has named the others."""
    clips = {}
    for row in rows:
        try:
            audio = corpus.read_audio(row)
        except Exception:
            continue
        clips[row] = Clip(audio, corpus.languages[row], corpus.contexts[row])
    return clips


def _decoded(family: Family, clips: dict[int, Clip], size: int) -> dict[int, list[Transcript]]:
    """Of one batch; where it fails, of each clip alone, so that one costs only itself."""
    if not clips:
        return {}
    try:
        found = family.n_best(list(clips.values()), size)
    except UserError:
        raise
    except Exception:
        if len(clips) == 1:
            return {}
        alone: dict[int, list[Transcript]] = {}
        for row, clip in clips.items():
            alone |= _decoded(family, {row: clip}, size)
        return alone
    return dict(zip(clips, found, strict=True))
