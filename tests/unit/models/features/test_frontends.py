import gc
import pickle
import weakref

import numpy as np
import pytest
import torch
from tiny_models import tiny

from mynah.models.ctc import loading
from mynah.models.features.frontends import frame_samples, frontend_for, group_by_length
from mynah.models.pretrained import hub
from mynah.models.speech_llm import encoders

KINDS = ["parakeet_ctc", "wav2vec2_ctc", "hubert_ctc", "wavlm_ctc", "w2v_bert", "whisper"]
LENGTHS = [4000, 4001, 4159, 4160, 5000, 6399, 6401, 7777, 8000, 9599, 9601, 11111, 12800]


def frontend_and_encoder(folder):
    part = hub.checkpoint(folder)
    config = hub.load_config(part)
    encoder = encoders.load_encoder(part, encoders.encoder_config(config, part))
    return frontend_for(hub.feature_extractor(part, 16000), encoder), encoder.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_are_those_that_the_model_puts_out(kind, checkpoints):
    frontend, encoder = frontend_and_encoder(checkpoints(kind))
    draw = np.random.default_rng(0)
    for samples in LENGTHS:
        features = frontend.features(draw.standard_normal(samples).astype(np.float32))
        assert frontend.feature_length(samples) == len(features)
        batch = frontend.pad([features], len(features))
        with torch.no_grad():
            hidden = encoders.encode(
                encoder,
                batch[frontend.input_name],
                torch.tensor([len(features)]),
                batch.get("attention_mask"),
            )
        assert frontend.output_length(samples) == hidden.shape[1], samples


@pytest.mark.parametrize("kind", [*KINDS, "lasr_ctc"])
def test_frames_of_slaney_s_mel_bins_alone_are_known(kind, checkpoints):
    frontend, _ = frontend_and_encoder(checkpoints(kind))
    assert frontend.log_mel == (kind in ("parakeet_ctc", "whisper"))


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_lengths_of_a_model_from_scratch_are_those_it_puts_out(factor):
    config = tiny()
    config.encoder.subsampling_factor = factor
    parts = loading.ctc_from_scratch(config, ["a b c"], 16000)
    frontend = frontend_for(parts.extractor, parts.model)
    for samples in range(1600, 9000, 371):
        features = frontend.features(np.ones(samples, dtype=np.float32))
        batch = frontend.pad([features], len(features))
        with torch.no_grad():
            logits = parts.model.eval()(**batch).logits
        assert frontend.output_length(samples) == logits.shape[1], samples


@pytest.mark.parametrize("kind", ["wav2vec2_ctc", "w2v_bert"])
def test_features_are_those_of_the_extractor(kind, checkpoints):
    frontend, _ = frontend_and_encoder(checkpoints(kind))
    audio = (0.1 * np.random.default_rng(0).standard_normal(9999)).astype(np.float32)
    made = frontend.extractor(audio, sampling_rate=16000, return_tensors="np")
    expected = made[frontend.input_name][0][: frontend.feature_length(9999)]
    np.testing.assert_allclose(frontend.features(audio), expected, atol=1e-5)


def test_whisper_features_of_a_full_window_are_whispers_own(checkpoints):
    frontend, _ = frontend_and_encoder(checkpoints("whisper"))
    audio = (0.1 * np.random.default_rng(0).standard_normal(30 * 16000)).astype(np.float32)
    own = frontend.extractor(audio, sampling_rate=16000, return_tensors="np")["input_features"][0]
    np.testing.assert_allclose(frontend.features(audio), own.T, atol=1e-6)


def test_a_frontend_goes_to_a_worker_without_weights(checkpoints):
    frontend, encoder = frontend_and_encoder(checkpoints("parakeet_ctc"))
    before = len(pickle.dumps(frontend))
    encoder.weight = torch.nn.Parameter(torch.zeros(10**6))
    assert len(pickle.dumps(frontend)) == before
    sent = pickle.loads(pickle.dumps(frontend))
    assert sent.output_length(16000) == frontend.output_length(16000)


def test_clips_are_grouped_by_the_length_they_are_padded_to_alone():
    assert list(group_by_length([5, 10, 11, 1, 0], 5)) == [(15, [2]), (10, [1]), (5, [0, 3, 4])]


def test_what_is_known_of_lengths_keeps_no_frontend_alive(checkpoints):
    frontend, _ = frontend_and_encoder(checkpoints("wav2vec2_ctc"))
    before = frame_samples(frontend), frontend.output_length(8000)
    assert (frame_samples(frontend), frontend.output_length(8000)) == before
    kept = weakref.ref(frontend)
    del frontend
    gc.collect()
    assert kept() is None
