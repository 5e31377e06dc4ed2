"""The channel of a call that each speaker is on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mynah.data.audio import files

_SAMPLED_PARTS = 20  # of a speaker, to tell the channel by
_SAMPLED_SECONDS = 10.0  # of each of them
_LOUDER = 2.0  # times: 6 dB, what a channel has to be above the others
_QUIET = 1e-5  # of full scale: nothing is said


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


def _levels(path: Path, about: files.AudioInfo, start: float, end: float) -> list[float]:
    """Root mean square of each channel while a part is spoken."""
    seconds = min(end - start, _SAMPLED_SECONDS)
    levels = []
    for channel in range(about.channels):
        sound = files.read(
            path,
            about.sample_rate,
            offset_seconds=start,
            duration_seconds=seconds,
            channel=channel,
        )
        levels.append(float(np.sqrt(np.square(sound, dtype=np.float64).mean())))
    return levels
