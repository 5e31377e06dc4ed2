"""Python that C has called: an exception is printed and dropped there, and a signal's with it.

cffi and ctypes do so: https://cffi.readthedocs.io/en/stable/using.html#extern-python-reference
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

_RETURN_SECONDS = 0.01  # for C to get on; one that calls back again finds the next signal
# What is called: soundfile's access to a file, and the receiver of espeak's samples.
_CALLED = {
    **dict.fromkeys(
        ("vio_get_filelen", "vio_seek", "vio_read", "vio_write", "vio_tell"), "soundfile.py"
    ),
    "_receive": "espeak.py",
}


def is_called_by_c(frame: FrameType | None) -> bool:
    """Whether what a signal's handler raises in this frame would be lost."""
    while frame is not None:
        file = _CALLED.get(frame.f_code.co_name)
        if file is not None and frame.f_code.co_filename.endswith(file):
            return True
        frame = frame.f_back
    return False


def send_again(number: int) -> None:
    """Send the main thread a signal once C has had time to return."""
    timer = threading.Timer(_RETURN_SECONDS, _send, (number,))
    timer.daemon = True
    timer.start()


def _send(number: int) -> None:
    if hasattr(signal, "pthread_kill"):  # what the main thread waits for ends, as at first
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)
