"""CTM, NIST's conversation time mark format: a word a line.

    recording channel start duration word [confidence [type [speaker]]]

sctk's doc/infmts.htm, "ctm"; the type and the speaker are those of the Rich Transcription
evaluations.
"""

from __future__ import annotations

from collections import Counter

from mynah.segmentation.timed_transcripts.entry import TimedEntry, TimedTranscript, malformed
from mynah.segmentation.timed_transcripts.nist import (
    ALTERNATIVES,
    MARKS,
    UNKNOWN_WORD,
    channel_number,
    nist_fields,
    timed_seconds,
)

_NO_WORDS = frozenset({"<eps>", "<sil>", "sil", "<alt>", "<alt_begin>", "<alt_end>", "@"})
_NO_WORD_TYPES = frozenset({"noise", "breath", "cough", "laugh", "lipsmack", "non-lex", "other"})


def parse(text: str, where: str, *, scored: bool = False) -> TimedTranscript:
    """Read a CTM file; of alternatives the first is taken.

    Args:
        text: The file.
        where: Its path, for messages.
        scored: Whether it is read to score: ``<unk>`` is a word then; else a mark of a noise.

    Raises:
        UserError: A line has too few fields, or no times.
    """
    entries = []
    passed_over: Counter[str] = Counter()
    alternative = 0  # 0: outside; 1: in the first; 2: in a later one
    layout = "recording channel start duration word"
    for number, fields in nist_fields(text, where, unit="word", layout=layout):
        recording, channel, start_text, duration_text, word = fields[:5]
        mark = word.lower()
        if mark.startswith("<alt"):
            alternative = {"<alt_begin>": 1, "<alt>": 2}.get(mark, 0)
            passed_over[ALTERNATIVES] += mark == "<alt>"
            continue
        start = timed_seconds(start_text, where, number)
        duration = timed_seconds(duration_text, where, number)
        kind = fields[6].lower() if len(fields) > 6 else ""
        if alternative == 2:
            continue
        unknown = scored and mark == UNKNOWN_WORD
        if (_is_no_word(mark) and not unknown) or kind in _NO_WORD_TYPES:
            passed_over[MARKS] += 1
            continue
        speaker = fields[7] if len(fields) > 7 else ""
        entries.append(
            TimedEntry(start, start + duration, word, recording, channel_number(channel), speaker)
        )
    if not entries:
        raise malformed("There is no word in it.", where, 1)
    return TimedTranscript(entries, are_words=True, passed_over=+passed_over)


def _is_no_word(mark: str) -> bool:
    """Whether it is a noise, or a hesitation as NIST's scoring writes it: <noise>, (huh), %uh."""
    brackets = mark[0] + mark[-1]
    return mark in _NO_WORDS or mark[0] == "%" or brackets in ("()", "<>", "[]")
