"""CTM, NIST's conversation time mark format: a word a line.

    recording channel start duration word [confidence [type [speaker]]]

sctk's doc/infmts.htm, "ctm"; the type and the speaker are those of the Rich Transcription
evaluations.
"""

from __future__ import annotations

from mynah.segmentation.timed_transcripts.entry import TimedEntry, TimedTranscript, malformed
from mynah.segmentation.timed_transcripts.nist import channel_number, nist_fields, timed_seconds

_NO_WORDS = frozenset({"<eps>", "<sil>", "sil", "<alt>", "<alt_begin>", "<alt_end>", "@"})
_NO_WORD_TYPES = frozenset({"noise", "breath", "cough", "laugh", "lipsmack", "non-lex", "other"})


def parse(text: str, where: str) -> TimedTranscript:
    """Read a CTM file; of alternatives the first is taken.

    Raises:
        UserError: A line has too few fields, or no times.
    """
    entries = []
    alternative = 0  # 0: outside; 1: in the first; 2: in a later one
    layout = "recording channel start duration word"
    for number, fields in nist_fields(text, where, unit="word", layout=layout):
        recording, channel, start_text, duration_text, word = fields[:5]
        mark = word.lower()
        if mark.startswith("<alt"):
            alternative = {"<alt_begin>": 1, "<alt>": 2}.get(mark, 0)
            continue
        start = timed_seconds(start_text, where, number)
        duration = timed_seconds(duration_text, where, number)
        kind = fields[6].lower() if len(fields) > 6 else ""
        if alternative == 2 or _is_no_word(mark) or kind in _NO_WORD_TYPES:
            continue
        speaker = fields[7] if len(fields) > 7 else ""
        entries.append(
            TimedEntry(start, start + duration, word, recording, channel_number(channel), speaker)
        )
    if not entries:
        raise malformed("There is no word in it.", where, 1)
    return TimedTranscript(entries, are_words=True)


def _is_no_word(mark: str) -> bool:
    """Whether it is a noise, or a hesitation as NIST's scoring writes it: <noise>, (huh), %uh."""
    brackets = mark[0] + mark[-1]
    return mark in _NO_WORDS or mark[0] == "%" or brackets in ("()", "<>", "[]")
