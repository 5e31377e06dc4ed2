import importlib
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from transformers.audio_utils import mel_filter_bank
from transformers.utils import import_utils

from mynah.models.features.granite import GraniteSpeech5FeatureExtractor


class MelSpectrogram:
    """torchaudio's by its documentation: power of an STFT, through HTK's mel triangles."""

    def __init__(self, *, sample_rate, n_fft, win_length, hop_length, n_mels):
        self.sizes = (n_fft, hop_length, win_length)
        filters = mel_filter_bank(
            n_fft // 2 + 1, n_mels, 0.0, sample_rate / 2, sample_rate, norm=None, mel_scale="htk"
        )
        self.filters = torch.from_numpy(filters).float()

    def to(self, device):
        return self

    def __call__(self, audio):
        window = torch.hann_window(self.sizes[2])
        spectrum = torch.stft(audio, *self.sizes, window, pad_mode="reflect", return_complex=True)
        return (spectrum.abs() ** 2).transpose(-1, -2).matmul(self.filters).transpose(-1, -2)


def compute_deltas(values, win_length):
    """torchaudio's, as the sum that its documentation gives."""
    reach = (win_length - 1) // 2
    ends = (
        values[..., :1].expand(*values.shape[:-1], reach),
        values[..., -1:].expand(*values.shape[:-1], reach),
    )
    padded = torch.cat((ends[0], values, ends[1]), -1)
    steps = torch.arange(-reach, reach + 1, dtype=values.dtype)
    return (padded.unfold(-1, win_length, 1) * steps).sum(-1) / (steps**2).sum()


@pytest.fixture
def transformers_extractor(monkeypatch):
    """transformers' own class, over the two functions of torchaudio that it calls."""
    torchaudio = ModuleType("torchaudio")
    torchaudio.transforms = SimpleNamespace(MelSpectrogram=MelSpectrogram)
    torchaudio.functional = SimpleNamespace(compute_deltas=compute_deltas)
    monkeypatch.setitem(sys.modules, "torchaudio", torchaudio)
    monkeypatch.setattr(import_utils, "is_torchaudio_available", lambda: True)
    monkeypatch.setattr("transformers.utils.is_torchaudio_available", lambda: True)
    name = "transformers.models.granite_speech5.feature_extraction_granite_speech5"
    monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module(name).GraniteSpeech5FeatureExtractor
    sys.modules.pop(name, None)


@pytest.mark.parametrize("samples", [400, 4799, 4800, 4801, 4959, 4960, 16000, 24123])
@pytest.mark.parametrize("settings", [{}, {"num_mel_bins": 40, "delta_win_length": 5}])
def test_features_are_those_of_transformers_class(settings, samples, transformers_extractor):
    noise = np.random.default_rng(samples).standard_normal(samples)
    audio = (0.1 * noise * np.linspace(0, 1, samples)).astype(np.float32)
    theirs = transformers_extractor(**settings)(audio, sampling_rate=16000, return_tensors="np")
    ours = GraniteSpeech5FeatureExtractor(**settings)
    assert int(theirs["attention_mask"].sum()) == ours.frames(samples)
    np.testing.assert_allclose(ours.features(audio), theirs["input_features"][0], atol=2e-5)


def test_a_batch_has_the_features_of_each_clip_alone_and_a_mask():
    extractor = GraniteSpeech5FeatureExtractor()
    clips = [np.random.default_rng(n).standard_normal(n).astype(np.float32) for n in (4000, 6000)]
    made = extractor(clips, sampling_rate=16000, return_tensors="pt")
    assert made["attention_mask"].sum(-1).tolist() == [extractor.frames(len(c)) for c in clips]
    for row, clip in zip(made["input_features"].numpy(), clips, strict=True):
        alone = extractor.features(clip)
        assert np.array_equal(row[: len(alone)], alone) and not row[len(alone) :].any()


def test_its_file_is_the_one_that_transformers_reads(tmp_path, transformers_extractor):
    ours = GraniteSpeech5FeatureExtractor(num_mel_bins=40)
    ours.save_pretrained(tmp_path)
    theirs = transformers_extractor.from_pretrained(tmp_path)
    assert theirs.num_mel_bins == 40
    theirs.save_pretrained(tmp_path)
    assert GraniteSpeech5FeatureExtractor.from_pretrained(tmp_path).to_dict() == ours.to_dict()


def test_another_rate_is_refused():
    with pytest.raises(ValueError, match="8000 Hz"):
        GraniteSpeech5FeatureExtractor()(np.zeros(800, dtype=np.float32), sampling_rate=8000)
