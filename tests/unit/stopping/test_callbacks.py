"""A signal that comes while C calls Python, as libsndfile does for each piece of a file, counts."""

from __future__ import annotations

import io
import signal
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


def test_a_command_is_interrupted_once_a_sentence_is_spoken(handlers, capfd):
    pytest.importorskip("espeakng_loader")
    from mynah.data.synthetic.espeak import Espeak

    class Chunks(list):
        def append(self, chunk):
            if not self:
                signal.raise_signal(signal.SIGTERM)
            super().append(chunk)

    library = Espeak()
    expected = library.speak("a long sentence is spoken", "en-us", 150, 50)
    library._chunks = Chunks()
    done: list[np.ndarray] = []
    signals.release()
    with pytest.raises(signals.Interrupted, match="SIGTERM"):
        done.append(library.speak("a long sentence is spoken", "en-us", 150, 50))
        time.sleep(5)
    assert all(len(spoken) == len(expected) for spoken in done)
    assert capfd.readouterr().err == ""
