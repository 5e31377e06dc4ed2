"""What the tests of mynah.segmentation share: a model for the language of tones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tone_speech import ToneFamily

from mynah.models.pretrained.part import PretrainedPart
from mynah.segmentation import segment as module
from mynah.segmentation.aligning.model import Aligner


class ToneAligner(Aligner):
    """An aligner whose model recognizes tones, and that counts how often it is loaded."""

    loaded = 0
    family = ToneFamily()

    def load(self):
        type(self).loaded += 1
        type(self).family = ToneFamily()
        return self.family


@pytest.fixture
def tones(monkeypatch):
    """Makes ``--model tones`` the recognizer of tones."""
    ToneAligner.loaded = 0
    monkeypatch.setattr(
        module,
        "find_aligner",
        lambda name, *_, **__: ToneAligner(PretrainedPart(name=name, folder=Path()), f"{name}@1"),
    )
    return ToneAligner
