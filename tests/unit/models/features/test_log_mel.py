import numpy as np
import pytest
from transformers import ParakeetFeatureExtractor

from mynah.models.features.log_mel import LogMel


@pytest.mark.parametrize("rate, hop, window, fft", [(16000, 160, 400, 512), (8000, 80, 200, 256)])
def test_features_equal_those_of_transformers(rate, hop, window, fft):
    extractor = ParakeetFeatureExtractor(
        feature_size=40, sampling_rate=rate, hop_length=hop, win_length=window, n_fft=fft
    )
    log_mel = LogMel(extractor)
    draw = np.random.default_rng(0)
    for samples in (rate, rate + 1, rate + hop - 1, 3 * rate + 77, 257 * hop, 512 * hop):
        audio = (0.1 * draw.standard_normal(samples)).astype(np.float32)
        reference = extractor(audio, sampling_rate=rate, return_tensors="np")
        real = reference["attention_mask"][0].astype(bool)
        made = log_mel(audio)
        assert made.dtype == np.float32
        assert log_mel.frames(samples) == len(made) == real.sum()
        np.testing.assert_allclose(made, reference["input_features"][0][real], atol=2e-5)


def test_a_clip_is_not_changed_by_making_features_of_it():
    audio = np.ones(16000, dtype=np.float32)
    LogMel(ParakeetFeatureExtractor())(audio)
    assert (audio == 1).all()
