"""Which rows of a stream are learned from: the text policy and the filters, row by row."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mynah.config.schema import DataConfig
from mynah.data.audio import files
from mynah.data.audio.byte_ranges import byte_range
from mynah.data.preparation import filters
from mynah.data.row import Row
from mynah.data.scripts import damage_of
from mynah.data.sources.reading.silence import mark_no_speech
from mynah.data.streams.reader import BadRow
from mynah.data.text import TextPolicy
from mynah.errors import UserError


@dataclass(frozen=True)
class StreamedUtterance:
    """A row on its way to a batch; its audio is still encoded.

    Attributes:
        row: Where its audio is, or the bytes of it.
        text: Its transcript under the text policy.
        duration_seconds: How long it is, from the header of its audio.
    """

    row: Row
    text: str
    duration_seconds: float


@dataclass(frozen=True)
class LeftOut:
    """A row that is not learned from.

    Attributes:
        id: Its id.
        reason: For people, as ``"too long"``.
        detail: More of it, or "".
    """

    id: str
    reason: str
    detail: str = ""


def usable(
    row: Row | BadRow, config: DataConfig, policy: TextPolicy
) -> StreamedUtterance | LeftOut:
    """A row as training sees it, or why it does not.

    Only the header of its audio is read; a recording that breaks further on is found, counted
    and named by the worker that decodes it.

    Raises:
        UserError: It cannot be read, and ``data.on_error`` is ``fail``.
    """
    if isinstance(row, BadRow):
        return _unreadable(row.id, row.reason, config)
    if row.fault:
        return _unreadable(row.id, row.fault, config)
    row = mark_no_speech([row], config.no_speech_texts)[0]
    if config.channels == "first" and row.channel is None:
        row = replace(row, channel=0)
    text = policy.apply(row.text or "", config.language or row.language)
    if not text and not row.no_speech:
        alone = policy.is_annotations(row.text or "")
        code = filters.ANNOTATIONS if alone else filters.NO_TRANSCRIPT
        return LeftOut(row.id, filters.REASONS[code])
    try:
        duration = _duration(row)
    except (ValueError, OSError, TypeError) as problem:
        return _unreadable(row.id, str(problem), config)
    measures = filters.Measures(
        seconds=np.asarray([duration]),
        unreadable=np.asarray([False]),
        no_speech=np.asarray([row.no_speech]),
        words=np.asarray([len(text.split())]),
        characters=np.asarray([len(text)]),
        scripts=damage_of(row.text or ""),
        strange=np.asarray([False]),  # of what is to come nothing is known
        annotated=np.asarray([False]),
    )
    code = int(filters.reasons(measures, config, training=True, filtering=True)[0])
    if code != filters.KEPT:
        return LeftOut(
            row.id, filters.REASONS[code], filters.detail(code, 0, measures, config, str)
        )
    return StreamedUtterance(row, text, duration)


def _duration(row: Row) -> float:
    """Seconds, from the header of the row's audio, or as listed: of a recording that the stream
    holds, or a later piece of one. Of a file that is named its header is read all the same: it may
    be missing, or a little shorter.

    Raises:
        ValueError: It cannot be read, or ends before its header says: a decoder would read what is
            left without a word.
    """
    held = row.audio if row.audio is not None else row.path
    if held is None:
        raise ValueError("the stream holds no audio for it")
    listed = row.duration_seconds
    if listed is not None and (row.offset_seconds or row.audio is not None):
        return listed
    if row.byte_offset is not None:
        held = byte_range(held, row.byte_offset, row.byte_length)
    is_entire = listed is None and not row.offset_seconds
    problem = files.cut_short(held) if is_entire else None
    if problem is not None:
        raise ValueError(problem)
    seconds = files.probe(held).duration_seconds
    if listed is not None:
        return listed if seconds is None else min(listed, seconds)
    if seconds is None:  # only decoding tells
        seconds, _ = files.inspect(held)
    return max(seconds - row.offset_seconds, 0.0)


def _unreadable(row_id: str, problem: str, config: DataConfig) -> LeftOut:
    if config.on_error == "fail":
        raise UserError(
            f"A training utterance cannot be read: {problem}",
            where=f"utterance {row_id}",
            fix="fix it, or leave such rows out: data.on_error=skip",
        )
    return LeftOut(row_id, filters.REASONS[filters.UNREADABLE], problem)
