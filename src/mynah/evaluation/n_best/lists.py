"""Several hypotheses of each utterance of a corpus, by beam search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mynah import console, distributed
from mynah.config.naming.n_best import one_hypothesis
from mynah.errors import UserError
from mynah.evaluation.decoding.decode import (
    encoded_in_batch,
    progress_of,
    raise_what_is_no_row_s,
    rows_by_length,
    without_a_trace,
)
from mynah.evaluation.decoding.rows import reason_of
from mynah.machine import is_out_of_memory, too_long
from mynah.models.transcript import Clip, Transcript
from mynah.stopping.polling import poll

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.corpus import Corpus
    from mynah.models.family import Family

_NAMED_FAILURES = 3


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
    """The hypotheses of each row, the likeliest first; none of a row that cannot be read, or whose
    decoding fails, which is said.

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
    failures: dict[int, str] = {}
    with (
        distributed.together(),
        without_a_trace(family.model),
        progress_of(description, sum(map(len, mine)), shown=True) as done,
    ):
        for rows in mine:
            poll()
            found |= _decoded(family, _clips(corpus, rows, failures), size, failures)
            done(len(rows))
    if distributed.world_size() > 1:
        for others, failed in distributed.gather((found, failures)):
            found |= others
            failures |= failed
    _report(corpus, failures)
    return [found.get(row, []) for row in range(len(corpus))]


def _clips(corpus: Corpus, rows: Sequence[int], failures: dict[int, str]) -> dict[int, Clip]:
    """The clips of the rows that can be read; why the others cannot is added to ``failures``."""
    clips = {}
    for row in rows:
        try:
            audio = corpus.read_audio(row)
        except Exception as error:
            raise_what_is_no_row_s(error)
            failures[row] = reason_of(error)
            continue
        clips[row] = Clip(audio, corpus.languages[row], corpus.contexts[row])
    return clips


def _decoded(
    family: Family, clips: dict[int, Clip], size: int, failures: dict[int, str]
) -> dict[int, list[Transcript]]:
    """Of one batch; where it fails, of each half of it, so that an utterance costs only itself.

    Args:
        failures: Gets why there are none of a row.
    """
    if not clips:
        return {}
    rows = list(clips)
    try:
        lists = family.n_best(list(clips.values()), size)
    except UserError:
        raise
    except Exception as error:
        if len(rows) == 1:
            failures[rows[0]] = _reason(family, clips[rows[0]], error)
            return {}
    else:
        return dict(zip(rows, lists, strict=True))
    middle = len(rows) // 2  # nothing of the attempt is held any more
    found: dict[int, list[Transcript]] = {}
    for half in (rows[:middle], rows[middle:]):
        found |= _decoded(family, {row: clips[row] for row in half}, size, failures)
    return found


def _reason(family: Family, clip: Clip, error: Exception) -> str:
    if is_out_of_memory(error):
        return too_long(len(clip.audio) / family.sample_rate, error)
    return reason_of(error)


def _report(corpus: Corpus, failures: dict[int, str]) -> None:
    if not failures:
        return
    named = [f"{corpus.ids[row]} ({failures[row]})" for row in sorted(failures)[:_NAMED_FAILURES]]
    more = len(failures) - len(named)
    console.notice(
        f"{len(failures)} of {len(corpus)} utterances of {corpus.name!r} have no n-best list:"
        f" {'; '.join(named)}" + (f"; and {more} more" if more else "")
    )
