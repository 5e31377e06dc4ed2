"""Recordings small enough to live inside a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mynah.pages.markup import Markup, tag

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus

CLIP_RATE = 16000  # hertz; enough to understand what was said
MAX_BYTES = 24 * 2**20  # of all clips of a page together: one that still opens at once
_COMPRESSION = 0.7  # of 0 to 1; about 29 kbit/s of read speech


class ClipBudget:
    """Makes ``data:`` addresses of recordings until ``limit`` bytes are spent."""

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self._left = limit

    def clip(self, corpus: Corpus, row: int) -> str | None:
        """The recording of a row as a ``data:`` address; None where there is no room for it.

        Raises:
            Exception: The audio cannot be read.
        """
        return self.spend(data_address(corpus.read_audio(row), corpus.sample_rate))

    def spend(self, address: str) -> str | None:
        """An address that is made already; None where there is no room for it."""
        if len(address) > self._left:
            return None
        self._left -= len(address)
        return address


def player(corpus: Corpus, row: int, budget: ClipBudget) -> Markup:
    """A player with a row's recording inside, or why there is none."""
    return _player(lambda: budget.clip(corpus, row), corpus.ids[row])


def file_player(file: Path, name: str, budget: ClipBudget) -> Markup:
    """The same with a recording that is a file.

    Args:
        file: The recording.
        name: What it is a recording of, for who cannot see the page.
        budget: Of the page.
    """
    from mynah.data.audio import files

    return _player(lambda: budget.spend(data_address(files.read(file, CLIP_RATE), CLIP_RATE)), name)


def address_player(address: str, name: str, budget: ClipBudget) -> Markup:
    """The same with a recording that is a ``data:`` address already."""
    return _player(lambda: budget.spend(address), name)


def _player(clip: Callable[[], str | None], name: str) -> Markup:
    try:
        address = clip()
    except Exception as error:
        return tag("span", f"no recording: {error}".splitlines()[0], class_="quiet")
    if address is None:
        return tag("span", "recording left out: the page is large enough", class_="quiet")
    return audio_player(address, name)


def audio_player(address: str, name: str) -> Markup:
    """What plays a ``data:`` address once somebody asks for it."""
    label = f"Recording of {name}"
    return tag("audio", controls=True, preload="none", src=address, aria_label=label)


def data_address(audio: np.ndarray, sample_rate: int) -> str:
    """float32 [samples] as a ``data:`` address of MP3, which every browser plays, or of WAV.

    A ninth of the size of WAV. Opus is not smaller here, and Safari before 18.4 refuses it.
    """
    import soundfile
    import soxr

    if sample_rate != CLIP_RATE:
        audio = soxr.resample(audio, sample_rate, CLIP_RATE)
    peak = float(np.max(np.abs(audio), initial=0.0))
    if peak > 1.0:
        audio = audio / peak
    buffer = io.BytesIO()
    if "MP3" in soundfile.available_formats():
        soundfile.write(
            buffer,
            audio,
            CLIP_RATE,
            format="MP3",
            subtype="MPEG_LAYER_III",
            compression_level=_COMPRESSION,
            bitrate_mode="VARIABLE",
        )
        kind = "audio/mpeg"
    else:
        soundfile.write(buffer, audio, CLIP_RATE, format="WAV", subtype="PCM_16")
        kind = "audio/wav"
    return f"data:{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
