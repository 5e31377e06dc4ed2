"""Recordings as clients send them."""

import io

import numpy as np
import pytest
import soundfile

RATE = 16000


def wav(seconds: float, seed: int) -> bytes:
    noise = 0.1 * np.random.default_rng(seed).standard_normal(round(RATE * seconds))
    held = io.BytesIO()
    soundfile.write(held, noise.astype(np.float32), RATE, format="WAV")
    return held.getvalue()


@pytest.fixture(scope="session")
def recording():
    """Makes the bytes of a WAV file of noise, of so many seconds."""
    return wav
