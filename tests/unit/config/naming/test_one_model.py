"""Who names another model over model=default takes none of its own settings."""

from __future__ import annotations

import pytest
from config_files import experiment

from mynah.config.checkpointed import checkpoint_config
from mynah.config.effective import effective_yaml
from mynah.config.hydra.compose import compose
from mynah.config.hydra.shown import job_yaml
from mynah.config.notices import notices
from mynah.config.schema import ModelConfig

BASE = "openai/whisper-tiny.en"


def model(*arguments: str, **where) -> ModelConfig:
    return compose(list(arguments), **where).config.model


def test_the_default_is_a_real_base_with_lora():
    found = model()
    assert (found.pretrained, found.family) == (BASE, "seq2seq")
    assert (found.use_lora, found.lora_r, found.lora_alpha) == (True, 8, 16)
    assert (found.audio_window, found.audio_tail_seconds) == ("clip", 5.0)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("model.pretrained=a/b", ModelConfig(pretrained="a/b")),
        ("model.pretrained=null", ModelConfig()),
        ("model.family=ctc", ModelConfig(family="ctc")),
        ("model.family=transducer", ModelConfig(family="transducer")),
        ("model.architecture=hubert", ModelConfig(architecture="hubert")),
        ("model.decoder_model_name=c/d", ModelConfig(decoder_model_name="c/d")),
        ("model.encoder_model_name=c/d", ModelConfig(encoder_model_name="c/d")),
    ],
)
def test_another_model_takes_nothing_of_the_default_s(typed, expected):
    assert model(typed) == expected


@pytest.mark.parametrize(
    "typed", ["model.lora_r=8", f"model.pretrained={BASE}", "model.family=seq2seq"]
)
def test_what_names_the_same_model_again_changes_nothing(typed):
    assert model(typed) == model()


def test_what_is_typed_beside_the_name_is_taken():
    found = model("model.pretrained=a/b", "model.use_lora=true", "model.audio_window=clip")
    assert found == ModelConfig(pretrained="a/b", use_lora=True, audio_window="clip")


def test_an_experiment_that_names_a_model_names_all_of_it(tmp_path):
    experiment(tmp_path, "model:\n  pretrained: a/b\n", name="mine")
    assert model("+experiments=mine", config_dir=tmp_path) == ModelConfig(pretrained="a/b")


def test_of_a_group_that_was_chosen_all_is_taken():
    found = model("model=whisper_tiny_en", "model.pretrained=openai/whisper-tiny")
    assert (found.use_lora, found.lora_r, found.audio_tail_seconds) == (True, 8, 5.0)


def test_no_rate_of_the_default_s_is_taken_and_what_nobody_typed_goes_without_a_notice():
    composed = compose(["model.pretrained=a/b"])
    assert composed.config.training.learning_rate == 3e-5
    assert notices(composed.config, composed.origins) == []


def test_what_is_shown_is_what_is_taken():
    composed = compose(["model.pretrained=a/b"])
    page = job_yaml(composed, "model", resolve=False)
    assert "use_lora: false" in page and "audio_tail_seconds: null" in page
    said = composed.origins["model.use_lora"].detail
    assert said.startswith("schema default: model/default.yaml:")
    assert said.endswith("is said of another model")


def test_a_checkpoint_is_measured_with_its_own_model(tmp_path):
    (tmp_path / "config.yaml").write_text(effective_yaml(compose(["model=small"]).config))
    composed = compose([f"eval_checkpoint={tmp_path}"])
    found = checkpoint_config(tmp_path, composed.config, composed.origins)
    assert found.config.model == model("model=small") and found.notices == []
