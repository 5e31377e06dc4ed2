"""Free-running decoding of a full corpus: one hypothesis for every row, always."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mynah import console, distributed
from mynah.data.audio.files import AudioError
from mynah.data.read_ahead import ReadAhead
from mynah.errors import UserError, fault_of_machine
from mynah.evaluation.decoding.rows import DecodedRows
from mynah.evaluation.hypothesis import Hypothesis
from mynah.machine import is_out_of_memory, too_long
from mynah.models.transcript import Clip, Transcript, Word
from mynah.stopping.polling import poll

if TYPE_CHECKING:
    import torch

    from mynah.data.corpus import Corpus
    from mynah.models.family import Family

_SEED = 0  # of whatever a model samples while decoding, as the dither of its features
# Whisper's decoder writes a token for all clips of a batch in little more time than for one: an
# accelerator takes 32 windows, two processor cores are busy with 8.
_ENCODED_SECONDS, _ENCODED_SECONDS_ON_ACCELERATOR = 240.0, 960.0

_T = TypeVar("_T")


def decode(
    family: Family,
    corpus: Corpus,
    *,
    batch_seconds: float | None,
    batch_size: int | None = None,
    word_times: bool = False,
    progress: bool = True,
    description: str = "",
) -> list[Hypothesis]:
    """Transcribe every utterance of a corpus.

    Utterances of similar length are decoded together. Every module's mode and all random states
    are what they were afterwards: a training continues as if nothing had been measured.

    Where several processes train one model, all of them call this: each decodes its share of
    the batches that one process would decode, and gets everybody's hypotheses.

    Args:
        family: The model.
        corpus: What to transcribe.
        batch_seconds: See :func:`encoded_in_batch`.
        batch_size: Utterances in a batch.
        word_times: Whether to find when each word is spoken where decoding itself does not tell.
        progress: Whether to show progress.
        description: What the progress says is being done.

    Returns:
        One hypothesis a row, in row order. A row whose audio cannot be read or whose decoding
        fails has the text "" and an ``error``, and counts with all its words as wrong.

    Raises:
        UserError: Not one row could be read; or memory, settings or the machine are at fault.
        Exception: Not one utterance could be decoded; the first failure is raised again.
    """
    results = DecodedRows(corpus)
    batches = rows_by_length(
        corpus.durations,
        batch_seconds=encoded_in_batch(batch_seconds, family.model),
        batch_size=batch_size,
        encoded=family.encoded_seconds,
    )
    mine = batches[distributed.rank() :: distributed.world_size()]
    languages, contexts = corpus.languages, corpus.contexts
    with (
        distributed.together(),
        without_a_trace(family.model),
        _ahead(family.model, (_read(corpus, rows) for rows in mine)) as read,
        progress_of(description or corpus.name, sum(map(len, mine)), progress) as done,
    ):
        for rows, (audio, unreadable) in zip(mine, read, strict=True):
            poll()
            for row, error in unreadable.items():
                results.fail(row, error)
            clips = {row: Clip(audio[row], languages[row], contexts[row]) for row in audio}
            _transcribe(family, clips, results, word_times)
            done(len(rows))
    results.gather()
    results.report()
    return results.in_row_order()


def encoded_in_batch(asked: float | None, model: torch.nn.Module) -> float:
    """Seconds that are encoded in a batch, with what pads it: as asked for, else as much as keeps
    what the model is on busy."""
    if asked is not None:
        return asked
    return _ENCODED_SECONDS if _is_on_cpu(model) else _ENCODED_SECONDS_ON_ACCELERATOR


def rows_by_length(
    durations: Sequence[float] | np.ndarray,
    *,
    batch_seconds: float,
    batch_size: int | None = None,
    encoded: Callable[[float], float] = float,
) -> list[list[int]]:
    """Rows in batches of similar length, the longest first.

    The longest first: what does not fit into memory fails at the start, not at the end.

    Args:
        durations: Seconds of each row, [rows].
        batch_seconds: Largest rows × longest of a batch, where ``batch_size`` is None; an
            utterance that is longer is a batch of its own.
        batch_size: Rows in a batch.
        encoded: Seconds that are encoded of a row of so many, which are what counts.
    """
    order = np.argsort(-np.asarray(durations, dtype=np.float64), kind="stable")
    batches: list[list[int]] = []
    for row in order.tolist():
        if batches:
            size = len(batches[-1])
            longest = encoded(float(durations[batches[-1][0]]))
            full = size >= batch_size if batch_size else longest * (size + 1) > batch_seconds
            if not full:
                batches[-1].append(row)
                continue
        batches.append([row])
    return batches


def examples(hypotheses: Sequence[Hypothesis], n: int, seed: int = 0) -> list[Hypothesis]:
    """Pick ``n`` hypotheses to show, the same ones of a corpus for the same seed.

    Which rows are picked depends on the number of rows and the seed alone, so that the same
    utterances are seen getting better from one evaluation to the next.
    """
    rows = random.Random(seed).sample(range(len(hypotheses)), min(n, len(hypotheses)))
    return [hypotheses[row] for row in sorted(rows)]


@contextmanager
def without_a_trace(model: Any) -> Iterator[None]:
    """Evaluation mode without gradients, that leaves no trace.

    Every module returns to its own former mode (a frozen encoder may be in evaluation mode
    inside a model that trains), and the random states of Python, NumPy and torch on every
    device are put back. Inside, they start from a fixed seed.
    """
    import torch

    modes = [(module, module.training) for module in model.modules()]
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    on_cuda = torch.cuda.is_initialized()
    cuda = torch.cuda.get_rng_state_all() if on_cuda else None
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        random.seed(_SEED)
        np.random.seed(_SEED)
        torch.manual_seed(_SEED)
        model.eval()
        # Not inference_mode: what a module caches under it (position embeddings) could never
        # be used in a backward pass again.
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        if mps is not None:
            torch.mps.set_rng_state(mps)


def _ahead(model: torch.nn.Module, items: Iterator[_T]) -> AbstractContextManager[Iterator[_T]]:
    """Items, each read while the one before is used where an accelerator uses it: on the CPU a
    thread beside torch's own costs more than it brings, a tenth on two cores."""
    if _is_on_cpu(model):
        return nullcontext(items)
    return ReadAhead(items, held=2, name="recordings")


def _is_on_cpu(model: torch.nn.Module) -> bool:
    first = next(model.parameters(), None)
    return first is None or first.device.type == "cpu"


def _read(
    corpus: Corpus, rows: Sequence[int]
) -> tuple[dict[int, np.ndarray], dict[int, Exception]]:
    """The audio of the rows that can be read, and what is wrong with the others."""
    found, unreadable = {}, {}
    for row in rows:
        try:
            found[row] = corpus.read_audio(row)
        except Exception as error:
            raise_what_is_no_row_s(error)
            unreadable[row] = error
    return found, unreadable


def _transcribe(
    family: Family, clips: dict[int, Clip], results: DecodedRows, word_times: bool
) -> None:
    """One batch; where it fails, each half of it, so that an utterance costs only itself and one
    that is too large for the memory is decoded in parts."""
    if not clips:
        return
    rows = list(clips)
    transcripts = _transcripts(family, clips, results)
    if transcripts is None:  # nothing of the attempt is held any more
        middle = len(rows) // 2
        for half in (rows[:middle], rows[middle:]) if middle else ():
            _transcribe(family, {row: clips[row] for row in half}, results, word_times)
        return
    for row, transcript in zip(rows, transcripts, strict=True):
        words = transcript.words
        if words is None and word_times:
            words = _words(family, clips[row], transcript, results.id_of(row))
        results.succeed(row, transcript, words)


def _transcripts(
    family: Family, clips: dict[int, Clip], results: DecodedRows
) -> Sequence[Transcript] | None:
    """What is said in the clips; None where that fails, which is noted of a single one."""
    try:
        transcripts = family.transcribe(list(clips.values()))
        if len(transcripts) != len(clips):
            raise RuntimeError(f"{len(clips)} utterances were given {len(transcripts)} hypotheses")
        return transcripts
    except Exception as error:
        raise_what_is_no_row_s(error)
        if len(clips) == 1:
            ((row, clip),) = clips.items()
            if is_out_of_memory(error):
                error = _too_long(family, clip, results.id_of(row), error)
            results.fail(row, error)
        return None


def _too_long(family: Family, clip: Clip, name: str, error: Exception) -> UserError:
    """Memory ran out on one utterance alone: nothing is left to halve."""
    fix = "fewer beams (model.beam_size) or a smaller model take less"
    if not _is_on_cpu(family.model):
        fix += "; mynah eval with training.use_cpu=true takes the machine's memory instead"
    what = too_long(len(clip.audio) / family.sample_rate, error)
    return UserError(what, where=f"utterance {name}", fix=fix)


def _words(
    family: Family, clip: Clip, transcript: Transcript, name: str
) -> tuple[Word, ...] | None:
    """When the words of a transcript are spoken, by another pass; None of what is not encoded at
    once.

    Raises:
        UserError: Memory ran out.
    """
    from mynah.segmentation.aligning.word_times import words_with_times

    window = family.window_samples
    if window is not None and len(clip.audio) > window:
        return None
    try:
        return words_with_times(family, [clip], [transcript])[0]
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        problem = _too_long(family, clip, name, error)
        raise UserError(
            f"The words cannot be timed: {problem.what}.",
            where=problem.where,
            fix=f"evaluation.word_times=false, or: {problem.fix}",
        ) from error


def raise_what_is_no_row_s(error: Exception) -> None:
    """Raise what is not a fault of one row: what the user has to fix, a drive that fails."""
    mistake = isinstance(error, UserError) and not isinstance(error, AudioError)
    if mistake or fault_of_machine(error) is not None:
        raise error


@contextmanager
def progress_of(description: str, total: int, shown: bool) -> Iterator[console.Advance]:
    """The progress of a measurement, where it is to be shown."""
    if not shown:
        yield lambda amount=1, note="": None
        return
    with console.progress(description, total, "utterances") as advance:
        yield advance
