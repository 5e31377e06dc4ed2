"""Recordings small enough to live inside a page."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus

CLIP_RATE = 16000  # hertz; enough to hear what was said
_MAX_PAGE_BYTES = 24 * 2**20  # of all clips together: a page that still opens at once


class ClipBudget:
    """Makes ``data:`` addresses of recordings until the page has grown large enough."""

    def __init__(self, limit: int = _MAX_PAGE_BYTES) -> None:
        self._left = limit

    def clip(self, corpus: Corpus, row: int) -> str | None:
        """The recording of a row as a ``data:`` address; None where there is no room for it.

        Raises:
            Exception: The audio cannot be read.
        """
        if self._left <= 0:
            return None
        address = data_address(corpus.read_audio(row), corpus.sample_rate)
        self._left -= len(address)
        return address if self._left >= 0 else None


def data_address(audio: np.ndarray, sample_rate: int) -> str:
    """float32 [samples] as a ``data:`` address of MP3, which every browser plays, or of WAV.

    A tenth of the size of WAV; Opus is smaller still, but Safari before 18.4 refuses it.
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
        soundfile.write(buffer, audio, CLIP_RATE, format="MP3", subtype="MPEG_LAYER_III")
        kind = "audio/mpeg"
    else:
        soundfile.write(buffer, audio, CLIP_RATE, format="WAV", subtype="PCM_16")
        kind = "audio/wav"
    return f"data:{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
