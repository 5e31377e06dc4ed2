"""STM, NIST's segment time mark format.

    recording channel speaker start end [<labels>] words ...

sctk's doc/infmts.htm, "stm".
"""

from __future__ import annotations

import re

from mynah.segmentation.timed_transcripts.entry import TimedEntry, TimedTranscript, malformed
from mynah.segmentation.timed_transcripts.nist import channel_number, nist_fields, timed_seconds

_IGNORED = "ignore_time_segment_in_scoring"
_NOT_SPEECH = "inter_segment_gap"
_ALTERNATIVES = re.compile(r"\{\s*([^{}/]*)(?:/[^{}]*)?\}")  # { first / second }
_OPTIONAL = re.compile(r"\(([^()]*)\)")  # may be left out, and is there
_PRONUNCIATION = re.compile(r"\(\d+\)")  # word(2), as TED-LIUM marks a variant
_UNKNOWN = re.compile(r"<unk>", re.IGNORECASE)
_MARK = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|(?<!\S)%[^\W\d]\S*")  # %HESITATION, %uh


def parse(text: str, where: str) -> TimedTranscript:
    """Read an STM file.

    Gaps between segments are not entries. A segment that is not to be scored is an entry that
    says so. Of alternatives the first is taken.

    Raises:
        UserError: A line has too few fields, no times, or ends before it begins.
    """
    entries = []
    layout = "recording channel speaker start end <labels> words"
    for number, fields in nist_fields(text, where, unit="segment", layout=layout, most=6):
        recording, channel, speaker, start_text, end_text = fields[:5]
        words = fields[5] if len(fields) == 6 else ""
        start = timed_seconds(start_text, where, number)
        end = timed_seconds(end_text, where, number)
        if end < start:
            raise malformed(f"It ends at {end:g} s before it begins at {start:g} s.", where, number)
        if speaker == _NOT_SPEECH:
            continue
        # Labels come first and hold a comma, as <o,f0,male>; other marks stand for words.
        if words.startswith("<") and "," in words.partition(">")[0]:
            words = words.partition(">")[2]
        rejected = ""
        if _IGNORED in words.lower():
            rejected, words = f"marked {_IGNORED}", ""
        elif _UNKNOWN.search(words):
            rejected = "a word is marked <unk>"
        entries.append(
            TimedEntry(
                start, end, _plain(words), recording, channel_number(channel), speaker, rejected
            )
        )
    if not entries:
        raise malformed("There is no segment in it.", where, 1)
    return TimedTranscript(entries)


def _plain(words: str) -> str:
    words = _PRONUNCIATION.sub("", words)
    words = _ALTERNATIVES.sub(lambda found: " " + found[1].replace("@", "") + " ", words)
    words = _OPTIONAL.sub(r" \1 ", words)
    return " ".join(_MARK.sub(" ", words).split())
