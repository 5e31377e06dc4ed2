"""Speakers that a timed transcript names before what is said."""

from __future__ import annotations

from dataclasses import replace

from mynah.segmentation.speaker_labels import blanked, labels_in
from mynah.segmentation.timed_transcripts.entry import TimedEntry, TimedTranscript


def with_speakers(transcript: TimedTranscript) -> TimedTranscript:
    """A timed transcript whose labels are speakers, and no words.

    A part without a label continues with the speaker before it; one of several speakers has none.
    """
    one_line = [replace(entry, text=" ".join(entry.text.split())) for entry in transcript.entries]
    if any(entry.speaker for entry in transcript.entries):
        return replace(transcript, entries=one_line)
    labels = labels_in(entry.text for entry in transcript.entries)
    if not labels:
        return replace(transcript, entries=one_line)
    made: list[TimedEntry] = []
    speaker = ""
    for entry in transcript.entries:
        text, places = blanked(entry.text, labels)
        names = [name for _, name in places]
        if names:
            speaker = names[-1]
        begins = bool(places) and not entry.text[: places[0][0]].strip()
        several = len(set(names)) > 1 or (bool(names) and not begins)
        words = " ".join(text.split())
        if words:
            made.append(replace(entry, text=words, speaker="" if several else speaker))
    return replace(transcript, entries=made)
