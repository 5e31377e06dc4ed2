"""The channel of a call that each speaker is on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mynah.data.audio import files
from mynah.segmentation.timed_transcripts.entry import TimedTranscript
from mynah.segmentation.utterance import SEVERAL_CHANNELS, CutUtterance

_SAMPLED_PARTS = 20  # of a speaker, to tell the channel by
_SAMPLED_SECONDS = 10.0  # of each of them
_LOUDER = 2.0  # times: 6 dB, what a channel has to be above the others
_QUIET = 1e-5  # of full scale: nothing is said
_STEP_SECONDS = 0.1
_SPOKEN = 0.1  # of the loudest step's level: something is said in a step


def with_channels(timed: TimedTranscript, path: Path, seconds: float) -> TimedTranscript:
    """The parts of a call, each on its speaker's channel; the transcript itself where it names
    channels, or where speakers are not on channels of their own.

    Args:
        timed: The transcript.
        path: The recording.
        seconds: How long it is.

    Raises:
        ValueError, OSError: The recording cannot be decoded.
    """
    if any(entry.channel is not None for entry in timed.entries):
        return timed
    parts = [
        (entry.start_seconds, min(entry.end_seconds, seconds), entry.speaker)
        for entry in timed.entries
        if entry.start_seconds < seconds and not entry.rejected
    ]
    channels = channels_of_speakers(path, parts)
    if not channels:
        return timed
    return replace(
        timed,
        entries=[
            replace(
                entry,
                channel=channels[entry.speaker]
                if entry.speaker in channels
                else only_channel(path, entry.start_seconds, min(entry.end_seconds, seconds)),
            )
            for entry in timed.entries
        ],
    )


def on_one_channel(found: Sequence[CutUtterance], path: Path) -> list[CutUtterance]:
    """The utterances of a call, each on one channel or rejected, where any is on one.

    Args:
        found: The utterances.
        path: The recording.

    Raises:
        ValueError, OSError: It cannot be decoded.
    """
    if all(one.channel is None for one in found):
        return list(found)
    made = []
    for one in found:
        if one.channel is None and not one.rejected:
            channel = only_channel(path, one.start_seconds, one.end_seconds)
            if channel is None:
                detail = "others are on the channel of who speaks"
                one = replace(one, rejected=SEVERAL_CHANNELS, detail=detail)
            else:
                one = replace(one, channel=channel)
        made.append(one)
    return made


def channels_of_speakers(path: Path, parts: Sequence[tuple[float, float, str]]) -> dict[str, int]:
    """The channel of a recording that each speaker is on, where that can be known: one channel is
    louder by 6 dB while a speaker speaks, and not the same for all of them.

    Args:
        path: The recording.
        parts: Start and end in seconds, and who speaks.

    Raises:
        ValueError, OSError: It cannot be decoded.
    """
    about = files.probe(path)
    names = sorted({name for _, _, name in parts if name})
    if about.channels < 2 or len(names) < 2:
        return {}
    found: dict[str, int] = {}
    for name in names:
        mine = [(start, end) for start, end, who in parts if who == name and end > start]
        step = max(1, len(mine) // _SAMPLED_PARTS)
        levels = np.array([_levels(path, about, *part) for part in mine[::step]])
        if not len(levels):
            return {}
        level = np.median(levels, axis=0)
        loudest = int(level.argmax())
        others = np.delete(level, loudest).max()
        if level[loudest] < _QUIET or level[loudest] < _LOUDER * others:
            return {}
        found[name] = loudest
    return found if len(set(found.values())) > 1 else {}


def only_channel(path: Path, start: float, end: float) -> int | None:
    """The one channel of a recording on which all of a part is said, louder by 6 dB than the
    others all the while; None: there is none.

    Args:
        path: The recording.
        start: Where the part begins, in seconds.
        end: Where it ends.

    Raises:
        ValueError, OSError: It cannot be decoded.
    """
    about = files.probe(path)
    if about.channels < 2 or end <= start:
        return None
    sounds = [np.square(one) for one in _channels(path, about, start, end - start)]
    step = max(1, round(_STEP_SECONDS * about.sample_rate))
    levels = np.sqrt(
        [[one[at : at + step].mean() for one in sounds] for at in range(0, len(sounds[0]), step)]
    )
    if not len(levels) or levels.max() < _QUIET:
        return None
    spoken = levels[levels.max(axis=1) >= _SPOKEN * levels.max()]
    loudest = int(spoken[0].argmax())
    others = np.delete(spoken, loudest, axis=1).max(axis=1)
    return loudest if bool((spoken[:, loudest] >= _LOUDER * others).all()) else None


def _levels(path: Path, about: files.AudioInfo, start: float, end: float) -> list[float]:
    """Root mean square of each channel while a part is spoken."""
    sounds = _channels(path, about, start, min(end - start, _SAMPLED_SECONDS))
    return [float(np.sqrt(np.square(sound).mean())) for sound in sounds]


def _channels(
    path: Path, about: files.AudioInfo, start: float, seconds: float
) -> list[NDArray[np.float64]]:
    """Each channel of a part, at the recording's own rate."""
    return [
        files.read(
            path,
            about.sample_rate,
            offset_seconds=start,
            duration_seconds=seconds,
            channel=channel,
        ).astype(np.float64)
        for channel in range(about.channels)
    ]
