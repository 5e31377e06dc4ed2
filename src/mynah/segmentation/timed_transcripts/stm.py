"""STM, NIST's segment time mark format.

    recording channel speaker start end [<labels>] words ...

sctk's doc/infmts.htm, "stm".
"""

from __future__ import annotations

import bisect
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from mynah.segmentation.timed_transcripts.entry import TimedEntry, TimedTranscript, malformed
from mynah.segmentation.timed_transcripts.nist import (
    ALTERNATIVES,
    MARKS,
    UNKNOWN_WORD,
    channel_number,
    nist_fields,
    timed_seconds,
)

_IGNORED = "ignore_time_segment_in_scoring"
_NOT_SPEECH = "inter_segment_gap"
_ALTERNATIVES = re.compile(r"\{\s*([^{}/]*)(?:/[^{}]*)?\}")  # { first / second }
_OPTIONAL = re.compile(r"\(([^()]*)\)")  # may be left out, and is there
_PRONUNCIATION = re.compile(r"\(\d+\)")  # word(2), as TED-LIUM marks a variant
_UNKNOWN = re.compile(UNKNOWN_WORD, re.IGNORECASE)
_LABELS = re.compile(r"\s*(<[^<>]*>)")
_MARK = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|(?<!\S)%[^\W\d]\S*")  # %HESITATION, %uh


def parse(text: str, where: str, *, scored: bool = False) -> TimedTranscript:
    """Read an STM file.

    A segment that is not to be scored is an entry that says so. Of alternatives the first is
    taken. To cut training data, gaps between segments are not entries, and a segment with an
    unknown word is of no use. To score, as sclite does, a gap is a segment in which nothing is
    said, and ``<unk>`` a word like any other, but where a segment begins with a mark and has no
    labels: there the mark is taken for those, and counted. A gap's speaker is the one before it
    on its channel, or else the one after it.

    Args:
        text: The file.
        where: Its path, for messages.
        scored: Whether it is read to score; else to cut training data.

    Raises:
        UserError: A line has too few fields, no times, or ends before it begins.
    """
    entries = []
    passed_over: Counter[str] = Counter()
    layout = "recording channel speaker start end <labels> words"
    for number, fields in nist_fields(text, where, unit="segment", layout=layout, most=6):
        recording, channel, speaker, start_text, end_text = fields[:5]
        words = fields[5] if len(fields) == 6 else ""
        start = timed_seconds(start_text, where, number)
        end = timed_seconds(end_text, where, number)
        if end < start:
            raise malformed(f"It ends at {end:g} s before it begins at {start:g} s.", where, number)
        if speaker == _NOT_SPEECH:
            if not scored:
                continue
            speaker = ""
        labels = _LABELS.match(words)
        # Labels come first and hold a comma, as <o,f0,male>; other marks stand for words, which to
        # sclite are labels too.
        if labels and (scored or "," in labels[1]):
            words = words[labels.end() :]
            passed_over[f"{labels[1]} in the place of labels"] += "," not in labels[1]
        rejected = ""
        if _IGNORED in words.lower():
            rejected, words = f"marked {_IGNORED}", ""
            passed_over[f"segments {rejected}"] += 1
        elif not scored and _UNKNOWN.search(words):
            rejected = "a word is marked <unk>"
        said = _plain(words, passed_over, keep_unknown=scored)
        entries.append(
            TimedEntry(start, end, said, recording, channel_number(channel), speaker, rejected)
        )
    if not entries:
        raise malformed("There is no segment in it.", where, 1)
    return TimedTranscript(_with_speakers(entries), passed_over=+passed_over)


def _with_speakers(entries: Sequence[TimedEntry]) -> list[TimedEntry]:
    """Gives each gap a speaker: intervals are over speakers, and gaps are not one more of them.

    Names of segments that are not scored, as ``excluded_region``, do not count as speakers. A gap
    on a channel without any keeps none.
    """
    spoken: dict[tuple[str, int | None], list[tuple[float, str]]] = defaultdict(list)
    for one in sorted(entries, key=lambda one: one.start_seconds):
        if one.speaker and not one.rejected:
            spoken[one.recording, one.channel].append((one.start_seconds, one.speaker))
    made = []
    for one in entries:
        there = spoken[one.recording, one.channel]
        if not one.speaker and there:
            after = bisect.bisect_right(there, one.start_seconds, key=lambda each: each[0])
            one = replace(one, speaker=there[max(after - 1, 0)][1])
        made.append(one)
    return made


def _plain(words: str, passed_over: Counter[str], *, keep_unknown: bool) -> str:
    """The words without markup; counts what is passed over."""

    def first(found: re.Match[str]) -> str:
        passed_over[ALTERNATIVES] += found[0].count("/")
        return " " + found[1].replace("@", "") + " "

    def space(found: re.Match[str]) -> str:
        if keep_unknown and _UNKNOWN.fullmatch(found[0]):
            return found[0]
        passed_over[MARKS] += 1
        return " "

    words = _ALTERNATIVES.sub(first, _PRONUNCIATION.sub("", words))
    return " ".join(_MARK.sub(space, _OPTIONAL.sub(r" \1 ", words)).split())
