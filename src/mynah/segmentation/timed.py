"""From a transcript with times to utterances, without a model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from mynah.segmentation import utterance as reasons
from mynah.segmentation.aligning.aligned_text import Rules, length_reason
from mynah.segmentation.cutting import Cut, choose_cuts
from mynah.segmentation.timed_transcripts.entry import TimedEntry, TimedTranscript
from mynah.segmentation.transcript import is_spoken, read_transcript
from mynah.segmentation.utterance import CutUtterance

_OVERLAP_SECONDS = 0.3  # annotators' times are not better


def timed_utterances(
    transcript: TimedTranscript, duration_seconds: float, channels: int, rules: Rules
) -> list[CutUtterance]:
    """The utterances of one recording, with reasons for those that are rejected.

    Single words are put together, and cut at pauses. Subtitles that end within a sentence,
    without a pause, continue in the next one. Anything else is taken as it is.

    Args:
        transcript: What is said when, of this recording alone.
        duration_seconds: How long the recording is.
        channels: How many channels it has; with one, channels in the transcript mean nothing.
        rules: Lengths and pauses.
    """
    entries = [
        replace(entry, channel=entry.channel if channels > 1 else None)
        for entry in transcript.entries
    ]
    entries.sort(key=lambda entry: entry.start_seconds)
    if transcript.are_words:
        made = [
            one
            for _, words in _by_voice(entries)
            for one in _of_words(words, duration_seconds, rules)
        ]
    else:
        if transcript.run_on:
            entries = _joined(entries, rules)
        made = [
            CutUtterance(
                entry.start_seconds,
                entry.end_seconds,
                entry.text,
                speaker=entry.speaker,
                channel=entry.channel,
                rejected=reasons.MARKED if entry.rejected else "",
                detail=entry.rejected,
            )
            for entry in entries
            if entry.rejected or is_spoken(entry.text)
        ]
    made.sort(key=lambda one: (one.start_seconds, one.end_seconds))
    overlapping = _overlapping(made)
    return [
        _checked(one, duration_seconds, channels, number in overlapping, rules)
        for number, one in enumerate(made)
    ]


def _by_voice(
    entries: Sequence[TimedEntry],
) -> list[tuple[tuple[int | None, str], list[TimedEntry]]]:
    voices: dict[tuple[int | None, str], list[TimedEntry]] = {}
    for entry in entries:
        voices.setdefault((entry.channel, entry.speaker), []).append(entry)
    return list(voices.items())


def _of_words(
    words: Sequence[TimedEntry], duration_seconds: float, rules: Rules
) -> list[CutUtterance]:
    """Words of one voice, cut at the pauses between them; an utterance with one that is of no
    use, as an unknown word, is rejected."""
    padding = rules.pause.padding_seconds
    sentences = read_transcript(" ".join(word.text for word in words))
    ends = {one.end: one.ends_sentence for one in sentences.words}
    cuts: list[Cut | None] = [Cut(0.0, max(0.0, words[0].start_seconds - padding))]
    position = -1
    for before, after in itertools.pairwise(words):
        position += len(before.text) + 1
        gap = after.start_seconds - before.end_seconds
        kept = min(padding, gap / 2)
        cuts.append(
            Cut(
                before.end_seconds + kept,
                after.start_seconds - kept,
                gap,
                ends.get(position, False),
            )
            if gap >= rules.pause.least_seconds
            else None
        )
    last = min(max(duration_seconds, words[-1].end_seconds), words[-1].end_seconds + padding)
    cuts.append(Cut(last, duration_seconds))
    bad = list(itertools.accumulate((bool(word.rejected) for word in words), initial=0))
    made = []
    for first, end in choose_cuts(cuts, rules.lengths, lambda a, b: bad[b] > bad[a]):
        detail = next((word.rejected for word in words[first:end] if word.rejected), "")
        made.append(
            CutUtterance(
                _cut(cuts, first).start_after,
                _cut(cuts, end).end_before,
                " ".join(word.text for word in words[first:end] if word.text),
                speaker=words[first].speaker,
                channel=words[first].channel,
                rejected=reasons.MARKED if detail else "",
                detail=detail,
            )
        )
    return made


def _cut(cuts: Sequence[Cut | None], place: int) -> Cut:
    found = cuts[place]
    assert found is not None
    return found


def _joined(entries: Sequence[TimedEntry], rules: Rules) -> list[TimedEntry]:
    """Subtitles with those they continue in, as long as the most that is allowed."""
    made: list[TimedEntry] = []
    for entry in entries:
        before = made[-1] if made else None
        if (
            before is not None
            and (before.speaker, before.channel) == (entry.speaker, entry.channel)
            and entry.start_seconds - before.end_seconds < rules.pause.least_seconds
            and entry.end_seconds - before.start_seconds <= rules.lengths.most_seconds
            and not _ends_sentence(before.text)
        ):
            made[-1] = replace(
                before,
                end_seconds=max(before.end_seconds, entry.end_seconds),
                text=f"{before.text} {entry.text}",
            )
        else:
            made.append(entry)
    return made


def _ends_sentence(text: str) -> bool:
    words = read_transcript(text).words
    return bool(words) and words[-1].ends_sentence


def _overlapping(made: Sequence[CutUtterance]) -> set[int]:
    """Numbers of those during which another, on the same channel, is still on."""
    found: set[int] = set()
    open_ones: list[int] = []
    for number, one in enumerate(made):
        open_ones = [
            other
            for other in open_ones
            if made[other].end_seconds > one.start_seconds + _OVERLAP_SECONDS
        ]
        for other in open_ones:
            together = min(made[other].end_seconds, one.end_seconds) - one.start_seconds
            if made[other].channel == one.channel and together > _OVERLAP_SECONDS:
                found |= {number, other}
        open_ones.append(number)
    return found


def _checked(
    made: CutUtterance, duration_seconds: float, channels: int, overlaps: bool, rules: Rules
) -> CutUtterance:
    if made.rejected:
        return made
    if made.end_seconds > duration_seconds + _OVERLAP_SECONDS:
        detail = f"it ends at {made.end_seconds:.1f} s of {duration_seconds:.1f} s"
        return replace(made, rejected=reasons.OUTSIDE_TEXT, detail=detail)
    if made.channel is not None and made.channel >= channels:
        detail = f"channel {made.channel + 1} of {channels}"
        return replace(made, rejected=reasons.OUTSIDE_TEXT, detail=detail)
    made = replace(made, end_seconds=min(made.end_seconds, duration_seconds))
    if overlaps:
        return replace(made, rejected=reasons.OVERLAPPING, detail="someone else speaks meanwhile")
    rejected, detail = length_reason(made.duration_seconds, rules.lengths)
    return replace(made, rejected=rejected, detail=detail)
