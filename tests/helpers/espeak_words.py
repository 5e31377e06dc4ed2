"""Speech with the times of its words, as espeak-ng's own events give them."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from mynah.data.synthetic.espeak import _locate

_WORD, _END_OF_LIST = 1, 0
_RETRIEVAL, _POSITION_CHARACTER, _UTF8 = 1, 1, 1


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # milliseconds
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


def spoken(text: str, *, voice: str = "en-us", rate: int = 150) -> tuple[np.ndarray, int, list]:
    """A sentence: float32 [samples], their hertz, and when each of its words begins in seconds.

    In a process of its own: the library waits for ever where one process uses it in two ways.
    """
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "spoken.npz"
        subprocess.run(
            [sys.executable, __file__, text, voice, str(rate), str(path)], check=True, timeout=60
        )
        with np.load(path) as held:
            return held["audio"], int(held["hertz"]), held["words"].tolist()


def _spoken(text: str, voice: str, rate: int) -> tuple[np.ndarray, int, list]:
    path, data = _locate()
    library = ctypes.CDLL(path)
    hertz = library.espeak_Initialize(_RETRIEVAL, 0, data.encode(), 0)
    chunks: list[bytes] = []
    words: dict[int, float] = {}

    def receive(samples, count, events):
        if samples and count > 0:
            chunks.append(ctypes.string_at(samples, 2 * count))
        place = 0
        while events[place].type != _END_OF_LIST:
            if events[place].type == _WORD:
                words[events[place].text_position] = events[place].audio_position / 1000
            place += 1
        return 0

    kind = ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
    )
    callback = kind(receive)
    library.espeak_SetSynthCallback(callback)
    library.espeak_SetVoiceByName(voice.encode())
    library.espeak_SetParameter(1, rate, 0)
    encoded = text.encode() + b"\0"
    library.espeak_Synth(encoded, len(encoded), 0, _POSITION_CHARACTER, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    audio = np.frombuffer(b"".join(chunks), dtype=np.int16).astype(np.float32) / 32768
    return audio, hertz, [words[one] for one in sorted(words)]


if __name__ == "__main__":
    audio, hertz, words = _spoken(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    np.savez(sys.argv[4], audio=audio, hertz=hertz, words=words)
