"""WebVTT, the web's subtitles (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

import re
from html import unescape

from mynah.segmentation.timed_transcripts.entry import TimedEntry, TimedTranscript, malformed
from mynah.segmentation.timed_transcripts.speakers import with_speakers
from mynah.segmentation.timed_transcripts.subtitles import is_times, plain_cue, times

_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_BLOCKS = ("NOTE", "STYLE", "REGION")
_ROLLING_SECONDS = 0.1


def parse(text: str, where: str) -> TimedTranscript:
    """Read WebVTT; notes, styles, regions and settings of cues are passed over.

    Captions that roll, as YouTube's, repeat a line in the next cue: it is taken once.

    Raises:
        UserError: It does not begin with ``WEBVTT``, or a line of times cannot be read.
    """
    lines = text.split("\n")
    if not lines[0].startswith("WEBVTT"):
        raise malformed(
            "It does not begin with WEBVTT.",
            where,
            1,
            fix="Write WEBVTT and an empty line before the first cue, or name it .srt",
        )
    entries: list[TimedEntry] = []
    before: list[str] = []  # lines of the cue before
    ended = 0.0
    found = False
    for first, block in _blocks(lines):
        mark = next((i for i, line in enumerate(block) if is_times(line)), None)
        if mark is None or mark > 1 or block[0].split(" ")[0] in _BLOCKS:
            continue
        found = True
        start, end = times(block[mark], where, first + mark)
        cue = block[mark + 1 :]
        voices = {unescape(one).strip() for one in _VOICE.findall(" ".join(cue))}
        said = [line for line in map(plain_cue, cue) if line]
        fresh = said
        if said and before and said[0] == before[-1] and start - ended < _ROLLING_SECONDS:
            fresh = said[1:]
        if said:
            before, ended = said, end
        if fresh:
            speaker = voices.pop() if len(voices) == 1 else ""
            entries.append(TimedEntry(start, end, "\n".join(fresh), speaker=speaker))
    if not found:
        raise malformed("There is no line of times in it.", where, 1)
    return with_speakers(TimedTranscript(entries, run_on=True))


def _blocks(lines: list[str]) -> list[tuple[int, list[str]]]:
    """What empty lines part, each with the number of its first line. A second line of times
    begins another cue without one (https://www.w3.org/TR/webvtt1/#collect-a-webvtt-block)."""
    blocks: list[tuple[int, list[str]]] = []
    current: list[str] = []
    for number, line in enumerate([*lines, ""], 1):
        if is_times(line) and any(map(is_times, current)):
            # The number of the cue that begins is not a word of the one before it.
            said = current[:-1] if current[-1].strip().isdigit() else current
            blocks.append((number - len(current), said))
            current = []
        if line.strip():
            current.append(line)
        elif current:
            blocks.append((number - len(current), current))
            current = []
    return blocks
