"""What was recognized in each row of a corpus, or why nothing was, until all rows have one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from mynah import console, distributed
from mynah.errors import UserError
from mynah.evaluation.hypothesis import Hypothesis
from mynah.machine import TOO_LONG
from mynah.models.text.loops import is_loop
from mynah.models.transcript import Transcript, Word, cut_notice

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus

_NAMED_FAILURES = 3


class _Reported(Exception):  # noqa: N818 - what another process said of its error
    pass


class DecodedRows:
    """Texts and failures by row, until all rows have one."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._texts: dict[int, str] = {}
        self._times: dict[int, tuple[tuple[float, float], ...]] = {}
        self._failures: dict[int, Exception] = {}
        self._cut: set[int] = set()

    def id_of(self, row: int) -> str:
        name: str = self._corpus.ids[row]
        return name

    def succeed(self, row: int, transcript: Transcript, words: Sequence[Word] | None) -> None:
        self._texts[row] = text = transcript.text
        if transcript.is_cut and not is_loop(text):  # of a loop no text is missing
            self._cut.add(row)
        if words is not None and [word.text for word in words] == text.split():
            self._times[row] = tuple((word.start_seconds, word.end_seconds) for word in words)

    def fail(self, row: int, error: Exception) -> None:
        # A traceback holds what its functions held: tensors, of one that ran out of memory.
        self._failures[row] = error.with_traceback(None) if self._failures else error

    def gather(self) -> None:
        """Add what the other processes found."""
        if distributed.world_size() == 1:
            return
        failures = {
            row: error if isinstance(error, UserError) else _Reported(reason_of(error))
            for row, error in self._failures.items()
        }
        own = (self._texts, self._times, self._cut, failures)
        for texts, times, cut, failed in distributed.gather(own):
            self._texts |= texts
            self._times |= times
            self._cut |= cut
            self._failures = {**failed, **self._failures}

    def report(self) -> None:
        self._report_failures()
        if self._cut:
            named = [self._corpus.ids[row] for row in sorted(self._cut)]
            console.notice(f"{self._corpus.name}: {cut_notice(named)}")

    def _report_failures(self) -> None:
        if not self._failures:
            return
        if not self._texts:
            self._raise(self._failures[min(self._failures)])
        named = [
            f"{self._corpus.ids[row]} ({reason_of(self._failures[row])})"
            for row in sorted(self._failures)[:_NAMED_FAILURES]
        ]
        more = len(self._failures) - len(named)
        large = next((one for one in self._failures.values() if _is_too_long(one)), None)
        console.notice(
            f"{len(self._failures)} of {len(self._corpus)} utterances of {self._corpus.name!r}"
            f" could not be decoded and count as fully wrong: {'; '.join(named)}"
            + (f"; and {more} more" if more else "")
            + (f". Of what is {TOO_LONG}: {large.fix}" if isinstance(large, UserError) else "")
        )

    def _raise(self, first: Exception) -> NoReturn:
        if not isinstance(first, UserError):
            raise first
        done = "decoded" if _is_too_long(first) else "read"
        raise UserError(
            f"Not one of the {len(self._corpus)} utterances of {self._corpus.name!r}"
            f" could be {done}: {first.what}",
            where=first.where,
            fix=first.fix or "look at the split's audio files",
        ) from first

    def in_row_order(self) -> list[Hypothesis]:
        corpus = self._corpus
        texts, ids, speakers = corpus.texts, corpus.ids, corpus.speakers
        languages, columns = corpus.languages, _columns_of(corpus)
        durations = corpus.durations
        return [
            Hypothesis(
                id=ids[row],
                reference=texts[row],
                text=self._texts.get(row, ""),
                duration_seconds=float(durations[row]),
                speaker=speakers[row] or None,
                error=reason_of(self._failures[row]) if row in self._failures else None,
                language=languages[row],
                columns=columns[row],
                word_times=self._times.get(row),
                is_cut=row in self._cut,
            )
            for row in range(len(corpus))
        ]


def _columns_of(corpus: Corpus) -> list[dict[str, str]]:
    """What a corpus says of each utterance beside its speaker and language: its own columns, where
    it comes from, and the channel that it is on."""
    found: list[dict[str, str]] = []
    channels = corpus.channels
    for row, (source, held) in enumerate(zip(corpus.sources, corpus.columns, strict=True)):
        own = json.loads(held) if held else {}
        channel = int(channels[row])
        found.append(
            ({"source": source} if source else {})
            | ({"channel": str(channel)} if channel >= 0 else {})
            | own
        )
    return found


def reason_of(error: Exception) -> str:
    """What a failure is called beside others, in a line."""
    if isinstance(error, UserError):
        return error.what
    if isinstance(error, _Reported):
        return str(error)
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]


def _is_too_long(error: Exception) -> bool:
    return isinstance(error, UserError) and TOO_LONG in error.what
