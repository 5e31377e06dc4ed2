"""Any speech encoder before a language model, from scratch and those of our own recognizers."""

import numpy as np
import pytest
import torch
import transformers
from speech_llms import build
from tiers import fast_where
from tiny_models import TEXTS, examples, tiny, train
from transcripts import transcribed

from mynah.errors import UserError
from mynah.models import registry
from mynah.models.pretrained import bases
from mynah.models.speech_llm import encoders

ENCODERS = [
    "whisper", "wav2vec2_ctc", "wav2vec2_ctc_layer_norm", "wav2vec2_base", "hubert_ctc",
    "wavlm_ctc", "w2v_bert", "w2v_bert_ctc", "conformer_ctc", "conformer_rope_ctc", "data2vec_ctc",
    "sew_ctc", "sew_d_ctc", "unispeech_ctc", "unispeech_sat_ctc", "parakeet_ctc", "parakeet_tdt",
    "parakeet_rnnt", "lasr_ctc", "canary", None,
]  # fmt: skip
LEARNING = ("whisper", "w2v_bert", "parakeet_tdt", None)  # in the fast tests
SOME = fast_where(
    lambda encoder: encoder in (*LEARNING, "wav2vec2_ctc", "wav2vec2_ctc_layer_norm", "lasr_ctc"),
    ENCODERS,
)


@pytest.fixture(scope="module")
def families(checkpoints):
    """A speech LLM of each encoder, built once; none of these tests trains it."""
    made = {}

    def family(encoder):
        if encoder not in made:
            made[encoder] = build(checkpoints, encoder, decoder_tuning="frozen")
        return made[encoder]

    return family


@pytest.mark.parametrize("encoder", SOME)
def test_an_encoder_puts_out_as_many_frames_as_the_length_function_says(encoder, families):
    family = families(encoder)
    model = family.model.eval()
    draw = np.random.default_rng(0)
    for samples in (1, 399, 4000, 8000, 8001, 15999, 16000, 20123, 24000, 31999, 40000, 52345):
        features = family.features(draw.standard_normal(samples).astype(np.float32))
        batch = family._audio([features])
        with torch.no_grad():
            encoded = model.encode(
                batch["input_features"], batch["feature_lengths"], batch.get("input_features_mask")
            )
        assert encoded.shape[1] == family.output_length(samples), samples
        assert batch["audio_frames"].tolist() == [family.output_length(samples)], samples


@pytest.mark.parametrize("encoder", SOME)
def test_a_transcript_does_not_depend_on_the_batch(encoder, families, clips):
    family = families(encoder)
    together = transcribed(family, clips)
    assert any(together)
    assert together == [transcribed(family, [clip])[0] for clip in clips]


@pytest.mark.parametrize(
    ("encoder", "how"),
    fast_where(
        lambda encoder, how: encoder in LEARNING,
        [(encoder, "lora") for encoder in ENCODERS if encoder is not None]
        + [(encoder, "full") for encoder in ("whisper", "hubert_ctc", "w2v_bert", "canary", None)],
    ),
)
def test_an_encoder_that_learns_comes_back(encoder, how, checkpoints, clips, tmp_path):
    family = build(checkpoints, encoder, encoder_tuning=how, decoder_tuning="frozen")
    before = {name: tensor.clone() for name, tensor in family.model.encoder.state_dict().items()}
    train(family, family.collate(examples(family, clips)), steps=1)
    after = family.model.encoder.state_dict()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed
    assert all(".lora_" in name for name in changed) == (how == "lora")
    family.save(tmp_path)
    loaded = registry.load_family(tmp_path)
    assert transcribed(loaded, clips) == transcribed(family, clips)
    assert loaded.parameter_table() == family.parameter_table()


def test_convolutions_over_samples_stay_as_their_authors_leave_them(checkpoints, clips):
    family = build(checkpoints, "hubert_ctc", encoder_tuning="full")
    frozen = {n for n, p in family.model.encoder.named_parameters() if not p.requires_grad}
    assert frozen and all(name.startswith("feature_extractor.") for name in frozen)


@pytest.mark.parametrize(
    "settings", [None, {}, {"use_lora": True}], ids=["scratch", "full", "lora"]
)
def test_a_recognizer_of_our_own_lends_its_encoder(settings, checkpoints, clips, tmp_path):
    torch.manual_seed(0)
    named = {} if settings is None else {"pretrained": str(checkpoints("wav2vec2_ctc"))}
    config = tiny(**named, **(settings or {}))
    ctc = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    train(ctc, ctc.collate(examples(ctc, clips)))
    ctc.save(tmp_path)
    config = tiny(encoder_model_name=str(tmp_path), decoder_model_name=str(checkpoints("chat_lm")))
    registry.check_model(config, sample_rate=16000, offline=True)
    family = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    batch = family.collate(examples(family, clips[:1]))
    own = ctc.model.merge_and_unload() if settings and settings.get("use_lora") else ctc.model
    own = own.encoder if settings is None else own.wav2vec2
    with torch.no_grad():
        encoded = family.model.encode(
            batch["input_features"], batch["feature_lengths"], batch.get("input_features_mask")
        )
        mask = batch.get("input_features_mask")
        ours = own.eval()(batch["input_features"], attention_mask=mask).last_hidden_state
    torch.testing.assert_close(encoded, ours)
    family.save(tmp_path / "full")
    bases.check_bases(tmp_path / "full", offline=True)
    assert transcribed(registry.load_family(tmp_path / "full"), clips) == transcribed(family, clips)


def test_a_whisper_adapted_by_us_lends_its_encoder_too(checkpoints, clips, tmp_path):
    torch.manual_seed(0)
    config = tiny(pretrained=str(checkpoints("whisper_asr_english")), use_lora=True)
    whisper = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    train(whisper, whisper.collate(examples(whisper, clips)))
    whisper.save(tmp_path)
    config = tiny(encoder_model_name=str(tmp_path), decoder_model_name=str(checkpoints("chat_lm")))
    family = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    most = family.frontend.max_features
    features = torch.randn(1, most, family.extractor.feature_size)
    with torch.no_grad():
        encoded = family.model.encode(features, torch.tensor([most]))
        own = whisper.model.merge_and_unload().get_encoder()
        ours = own(features.transpose(1, 2)).last_hidden_state
    torch.testing.assert_close(encoded, ours)


def test_a_full_window_is_encoded_as_by_transformers_own_whisper(checkpoints):
    family = build(checkpoints, decoder_tuning="frozen")
    kind = transformers.WhisperForConditionalGeneration
    plain = kind.from_pretrained(checkpoints("whisper")).model.encoder
    own = family.model.encoder.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in plain.state_dict().items())
    sound = (0.1 * np.random.default_rng(0).standard_normal(30 * 16000)).astype(np.float32)
    theirs = family.extractor(sound, sampling_rate=16000, return_tensors="pt").input_features
    batch = family._audio([family.features(sound)])
    torch.testing.assert_close(batch["input_features"].transpose(1, 2), theirs)
    with torch.no_grad():
        ours = family.model.eval().encode(batch["input_features"], batch["feature_lengths"])
        torch.testing.assert_close(ours, plain.eval()(theirs).last_hidden_state)


def test_a_saved_whisper_encoder_is_transformers_own(checkpoints, clips, tmp_path):
    family = build(checkpoints, encoder_tuning="full")
    family.save(tmp_path)
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    plain, report = WhisperEncoder.from_pretrained(tmp_path / "encoder", output_loading_info=True)
    assert plain.config.architectures == ["WhisperEncoder"]
    assert not report["missing_keys"] and not report["unexpected_keys"]


def test_what_is_not_a_speech_encoder_is_refused(checkpoints):
    for kind in ("base_lm", "moonshine"):
        with pytest.raises(UserError, match="no speech encoder that is supported"):
            build(checkpoints, kind)
    assert "whisper" in encoders.SPEECH_ENCODERS
