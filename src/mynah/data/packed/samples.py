"""One row of a table as a tar holds it: its audio as it is encoded, and what is said of it."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile

from mynah.data.audio.files import AUDIO_SUFFIXES
from mynah.data.corpus import Corpus
from mynah.data.tables.beside import COLUMNS_NAME, RECORDING
from mynah.data.tables.stored_audio import StoredAudio
from mynah.errors import fault_of_machine

# What a file begins with, and what such files are called.
_KINDS = {
    b"fLaC": "flac", b"RIFF": "wav", b"RF64": "wav", b"ID3": "mp3", b"NIST_1A": "sph",
    b"FORM": "aiff", b".snd": "au", b"caff": "caf", b"\x1a\x45\xdf\xa3": "webm",
}  # fmt: skip
_IEEE_FLOAT = 3  # WAVE_FORMAT_IEEE_FLOAT
_SAID = ("id", "text", "speaker", "language", "context")


@dataclass(frozen=True)
class Sample:
    """A row on its way into a tar.

    Attributes:
        row: Its columns in the table.
        audio: An audio file that holds it and nothing else; None: it cannot be read.
        ending: What such a file's name ends in, as ``"flac"``.
        problem: Why it cannot be read; "" where it can, or could not when the table was made.
        recording: The file that it was in; None: it was in a table or a shard.
    """

    row: Mapping[str, Any]
    audio: bytes | None = None
    ending: str = ""
    problem: str = ""
    recording: str | None = None

    @property
    def said(self) -> bytes:
        """What is said of it, as JSON."""
        others = json.loads(self.row[COLUMNS_NAME] or "{}")
        held = {name: self.row[name] for name in _SAID if self.row[name]}
        held.setdefault("text", "")  # whoever reads the tar looks for it in every row
        if self.row["no_speech"]:
            held["no_speech"] = True
        return json.dumps({**others, **held}, ensure_ascii=False).encode()


def sample_of(corpus: Corpus, row: int, columns: Mapping[str, Any]) -> Sample:
    """A row's audio as it is encoded where it is a file of its own, else its piece.

    Args:
        corpus: All rows of the table.
        row: Which one.
        columns: Of the row.
    """
    stored = corpus.stored_audio(row)
    recording = stored.path if stored.byte_offset is None else columns[RECORDING]
    if columns["error"] is not None:
        return Sample(columns, recording=recording)
    try:
        if not stored.offset_seconds and stored.channel is None:
            content = stored.content()
            if _digest(content) == columns["digest"]:
                ending = _ending(content, stored)
                return Sample(columns, content, ending, recording=recording)
        rate = stored.sample_rate()
        samples = stored.read(rate)
    except (ValueError, OSError, TypeError) as problem:
        if (fault := fault_of_machine(problem)) is not None:
            raise fault from problem
        return Sample(columns, problem=str(problem), recording=recording)
    if _digest(samples.tobytes()) != columns["digest"]:
        changed = "its recording changed since it was prepared"
        return Sample(columns, problem=changed, recording=recording)
    return Sample(columns, *encoded(samples, rate), recording=recording)


def encoded(samples: np.ndarray, rate: int) -> tuple[bytes, str]:
    """Samples as an audio file that gives the same ones: FLAC of 16 or 24 bits where they fit
    that, else WAV of floats.

    Args:
        samples: Mono float32 [samples].
        rate: Hertz.

    Returns:
        The file, and what its name ends in.
    """
    for bits, subtype in ((16, "PCM_16"), (24, "PCM_24")):
        steps = samples.astype(np.float64) * 2 ** (bits - 1)
        if (steps == np.rint(steps)).all() and abs(steps + 0.5).max() < 2 ** (bits - 1):
            left = steps.astype(np.int64) << (32 - bits)
            made = _flac(left.astype(np.int32), rate, subtype)
            if made is not None and np.array_equal(_decoded(made), samples):
                return made, "flac"
    return _wav(samples, rate), "wav"


def _flac(samples: np.ndarray, rate: int, subtype: str) -> bytes | None:
    sink = io.BytesIO()
    try:
        soundfile.write(sink, samples, rate, format="FLAC", subtype=subtype)
    except soundfile.LibsndfileError:  # FLAC has a highest rate
        return None
    return sink.getvalue()


def _wav(samples: np.ndarray, rate: int) -> bytes:
    """RIFF WAVE of 32-bit floats; libsndfile would write the time of day into it."""
    content = samples.astype("<f4").tobytes()
    form = struct.pack("<HHIIHH", _IEEE_FLOAT, 1, rate, 4 * rate, 4, 32)
    chunks = [(b"fmt ", form), (b"fact", struct.pack("<I", len(samples))), (b"data", content)]
    body = b"".join(name + struct.pack("<I", len(held)) + held for name, held in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def _decoded(content: bytes) -> np.ndarray:
    samples: np.ndarray = soundfile.read(io.BytesIO(content), dtype="float32")[0]
    return samples


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _ending(content: bytes, stored: StoredAudio) -> str:
    """By its content, so that others find a decoder; else as its file is called."""
    if content[:4] == b"OggS":
        return "opus" if b"OpusHead" in content[:64] else "ogg"
    if content[4:8] == b"ftyp":
        return "m4a"
    for head, kind in _KINDS.items():
        if content.startswith(head):
            return kind
    named = f".{(stored.path or '').rpartition('.')[2].lower()}"
    return named.removeprefix(".") if named in AUDIO_SUFFIXES else "mp3"
