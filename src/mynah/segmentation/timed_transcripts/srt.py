"""SRT, SubRip's subtitles.

17
00:01:02,500 --> 00:01:04,000
one line
or more
"""

from __future__ import annotations

from mynah.segmentation.timed_transcripts.entry import TimedEntry, TimedTranscript, malformed
from mynah.segmentation.timed_transcripts.speakers import with_speakers
from mynah.segmentation.timed_transcripts.subtitles import is_times, plain_cue, times


def parse(text: str, where: str) -> TimedTranscript:
    """Read SubRip's subtitles; cues of sounds and songs alone are left out.

    Raises:
        UserError: A line of times cannot be read, or there is none.
    """
    lines = text.split("\n")
    marks = [number for number, line in enumerate(lines) if is_times(line)]
    if not marks:
        raise malformed("There is no line of times in it.", where, 1)
    entries = []
    for mark, following in zip(marks, [*marks[1:], len(lines) + 1], strict=True):
        start, end = times(lines[mark], where, mark + 1)
        said = lines[mark + 1 : following]
        if following < len(lines):
            said = _without_number(said)
        words = "\n".join(filter(None, map(plain_cue, said)))
        if words:
            entries.append(TimedEntry(start, end, words))
    return with_speakers(TimedTranscript(entries, run_on=True))


def _without_number(lines: list[str]) -> list[str]:
    """A cue's lines without the number of the next one."""
    return lines[:-1] if lines and lines[-1].strip().isdigit() else lines
