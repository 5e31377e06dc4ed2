"""A signal that comes while C calls Python, as libsndfile does for each piece of a file, counts."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from mynah.stopping import signals
from mynah.training.guards.stops import EvaluationStopped, StopRequest

SOUND = (0.1 * np.random.default_rng(0).standard_normal(16000)).astype(np.float32)


class Interrupting(io.BytesIO):
    """A file of sound whose reader gets a signal in the middle of a read."""

    def __init__(self) -> None:
        super().__init__()
        soundfile.write(self, SOUND, 16000, format="WAV", subtype="FLOAT")
        self.seek(0)
        self.sent = 0

    def readinto(self, buffer):
        if not self.sent:
            self.sent += 1
            signal.raise_signal(signal.SIGTERM)
        return super().readinto(buffer)


@pytest.fixture
def handlers():
    before = {number: signal.getsignal(number) for number in signals.SIGNALS}
    signals.take_over()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def read_and_wait(file: Interrupting, done: list[np.ndarray]) -> None:
    done.append(soundfile.read(file, dtype="float32")[0])
    end = time.monotonic() + 5
    while time.monotonic() < end:
        time.sleep(0.01)


def test_a_command_is_interrupted_once_the_sound_is_read(handlers, capfd):
    signals.release()
    done: list[np.ndarray] = []
    with pytest.raises(signals.Interrupted, match="SIGTERM"):
        read_and_wait(Interrupting(), done)
    for audio in done:
        np.testing.assert_array_equal(audio, SOUND)
    assert capfd.readouterr().err == ""


def test_an_evaluation_is_left_once_the_sound_is_read(handlers, capfd):
    stop = StopRequest()
    with pytest.raises(EvaluationStopped), stop.listening(), stop.evaluating():
        read_and_wait(Interrupting(), [])
    assert stop.reason == "SIGTERM"
    assert "Exception ignored" not in capfd.readouterr().err


SPEAKING = """
import signal, time
from mynah.data.synthetic.espeak import Espeak
from mynah.stopping import signals

class Chunks(list):
    def append(self, chunk):
        if not self:
            signal.raise_signal(signal.SIGTERM)
        super().append(chunk)

signals.take_over()
library = Espeak()
said = "a long sentence is spoken", "en-us", 150, 50
expected = library.speak(*said)
library._chunks = Chunks()
done = []
signals.release()
try:
    done.append(library.speak(*said))
    time.sleep(5)
except signals.Interrupted as error:
    assert "SIGTERM" in str(error), error
    assert all(len(spoken) == len(expected) for spoken in done), done
    print("interrupted")
"""


def test_a_command_is_interrupted_once_a_sentence_is_spoken():
    pytest.importorskip("espeakng_loader")
    # In a process of its own: what espeak synthesizes follows from what it did before.
    ended = subprocess.run(
        [sys.executable, "-c", SPEAKING], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "interrupted\n", "")
