import json

import huggingface_hub.constants as hub_constants
import pytest
import standins
import torch
from tiny_models import TEXTS, tiny

from mynah.errors import UserError
from mynah.models import registry


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """A hub cache of its own, with no network behind it."""
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def refusal(**settings):
    """The message of both the early check and the build."""
    sample_rate = settings.pop("sample_rate", 16000)
    config = tiny(**settings)
    with pytest.raises(UserError) as early:
        registry.check_model(config, sample_rate=sample_rate, offline=False)
    with pytest.raises(UserError) as late:
        registry.build(config, texts=TEXTS, sample_rate=sample_rate, offline=False)
    assert str(early.value) == str(late.value)
    return str(early.value)


def test_names_of_the_hub_load_from_its_cache_with_their_commits(hub_cache):
    folders = {name: standins.install(hub_cache, name, k) for name, k in standins.LARGE.items()}
    encoder, decoder = folders
    config = tiny(encoder_model_name=encoder, decoder_model_name=decoder, use_lora=True)
    registry.check_model(config, sample_rate=16000, offline=False)
    family = registry.build(config, texts=TEXTS, sample_rate=16000, offline=False)
    assert family.name == "speech_llm"
    assert family.base_revisions() == {name: folder.name for name, folder in folders.items()}


def test_the_family_is_found_from_the_names(checkpoints):
    assert registry.build(tiny(), texts=TEXTS, sample_rate=16000, offline=True).name == "ctc"
    config = tiny(pretrained=str(checkpoints("hubert_ctc")))
    assert registry.build(config, texts=TEXTS, sample_rate=16000, offline=True).name == "ctc"
    alone = tiny(encoder_model_name=str(checkpoints("w2v_bert")))
    assert registry.build(alone, texts=TEXTS, sample_rate=16000, offline=True).name == "ctc"


def test_the_same_seed_builds_the_same_model():
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        family = registry.build(tiny(), texts=TEXTS, sample_rate=16000, offline=True)
        states.append(family.model.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_lora_settings_with_nothing_pretrained_are_ignored():
    family = registry.build(tiny(use_lora=True), texts=TEXTS, sample_rate=16000, offline=True)
    assert not hasattr(family.model, "peft_config")


def test_a_name_out_of_reach_says_what_works_without_a_network(hub_cache):
    message = refusal(pretrained="facebook/wav2vec2-base-960h")
    assert "facebook/wav2vec2-base-960h is not on this machine" in message
    assert "hf download facebook/wav2vec2-base-960h" in message
    assert "model=small needs no download" in message


def test_a_name_that_cannot_be_one_is_said_to_be_none(hub_cache):
    assert "neither a folder" in refusal(pretrained="no/such/folder/here")


def test_weights_in_pickle_files_alone_are_refused_with_how_to_convert_them(checkpoints, tmp_path):
    for file in checkpoints("hubert_ctc").iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    message = refusal(pretrained=str(tmp_path))
    assert "pickle" in message and "save_file" in message


def test_a_language_model_is_not_a_recognizer(checkpoints):
    folder = str(checkpoints("chat_lm"))
    message = refusal(pretrained=folder)
    assert "language model (llama)" in message
    assert f"model.decoder_model_name={folder}" in message


def test_a_recognizer_is_not_a_language_model(checkpoints):
    message = refusal(
        encoder_model_name=str(checkpoints("whisper")),
        decoder_model_name=str(checkpoints("hubert_ctc")),
    )
    assert "no causal language model" in message


def test_a_language_model_is_not_an_encoder(checkpoints):
    folder = str(checkpoints("chat_lm"))
    message = refusal(encoder_model_name=folder, decoder_model_name=folder)
    assert "no speech encoder" in message and "whisper" in message


def test_a_whisper_without_a_tokenizer_is_not_a_recognizer(checkpoints):
    assert "has no tokenizer" in refusal(pretrained=str(checkpoints("whisper")))


@pytest.mark.parametrize("kind", ["vit", "nonsense"])
def test_an_architecture_that_is_not_a_recognizer_names_those_that_are(kind, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    message = refusal(pretrained=str(tmp_path))
    assert f"is a {kind}" in message and "wav2vec2" in message


@pytest.mark.parametrize("kind", ["hubert_ctc", "parakeet_ctc", "w2v_bert"])
def test_another_sample_rate_is_an_error_that_says_which(kind, checkpoints):
    message = refusal(pretrained=str(checkpoints(kind)), sample_rate=8000)
    assert "data.sample_rate=16000" in message


def test_a_family_that_contradicts_the_names_is_an_error(checkpoints):
    message = refusal(pretrained=str(checkpoints("hubert_ctc")), family="speech_llm")
    assert "model.family=auto" in message


@pytest.mark.parametrize("kind", ["whisper_asr", "hubert_ctc", "parakeet_tdt"])
@pytest.mark.parametrize(
    ("settings", "said", "fix"),
    [
        (
            {"encoder_tuning": "full", "decoder_tuning": "lora"},
            "adapted with LoRA or trained in full",
            "model.encoder_tuning=lora",
        ),
        (
            {"encoder_tuning": "frozen", "decoder_tuning": "frozen"},
            "Nothing would be trained",
            "model.decoder_tuning=full",
        ),
        ({"ctc_head_weight": 0.3}, "A language model is what has", "leave model.ctc_head_weight"),
        ({"new_tokens": ["<x>"]}, "A language model is what has", "leave model.new_tokens out"),
        ({"projector_tuning": "frozen"}, "has a projector", "model.projector_tuning=null"),
    ],
    ids=str,
)
def test_what_does_not_apply_to_a_recognizer_is_refused_of_a_folder_too(
    kind, settings, said, fix, checkpoints
):
    message = refusal(pretrained=str(checkpoints(kind)), **settings)
    assert said in message and fix in message


def test_code_that_a_model_brings_along_is_not_run(tmp_path):
    auto_map = {"AutoConfig": "evil.Config", "AutoModelForCTC": "evil.Model"}
    written = {"model_type": "evil", "auto_map": auto_map, "architectures": ["EvilForCTC"]}
    (tmp_path / "config.json").write_text(json.dumps(written))
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    message = refusal(pretrained=str(tmp_path))
    assert "brings its own code" in message and "model.trust_remote_code=true" in message
