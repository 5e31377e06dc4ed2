"""How each part of a model learns: what suits unasked, and what contradicts itself."""

import pytest
from config_files import composed

from mynah.config.checks.check import check
from mynah.config.derived import learning_rate
from mynah.config.notices import notices
from mynah.config.origins import Origin
from mynah.config.schema import Config, ModelConfig
from mynah.config.tuning import Tuning, tuning
from mynah.errors import ConfigErrors

PARTS = {"encoder_model_name": "openai/whisper-small", "decoder_model_name": "org/lm"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (PARTS, Tuning("frozen", "full", "full")),
        ({**PARTS, "use_lora": True}, Tuning("frozen", "full", "lora")),
        ({**PARTS, "decoder_tuning": "lora"}, Tuning("frozen", "full", "lora")),
        ({**PARTS, "use_lora": True, "encoder_tuning": "lora"}, Tuning("lora", "full", "lora")),
        ({"decoder_model_name": "org/lm"}, Tuning("full", "full", "full")),
        ({"pretrained": "a"}, Tuning("full", "full", "full")),
        ({"pretrained": "a", "use_lora": True}, Tuning("lora", "full", "lora")),
        ({"pretrained": "a", "encoder_tuning": "lora"}, Tuning("lora", "full", "lora")),
        ({"pretrained": "a", "encoder_tuning": "frozen"}, Tuning("frozen", "full", "full")),
        (
            {"pretrained": "a", "use_lora": True, "encoder_tuning": "frozen"},
            Tuning("frozen", "full", "lora"),
        ),
    ],
    ids=str,
)
def test_each_part_learns_as_the_settings_say_and_else_as_it_suits(settings, expected):
    assert tuning(ModelConfig(**settings)) == expected


@pytest.mark.parametrize(
    ("settings", "what", "instead"),
    [
        (
            {"pretrained": "org/recognizer", "projector_tuning": "full"},
            "has a projector",
            "model.projector_tuning=null",
        ),
        (
            {"encoder_tuning": "frozen"},
            "starts at random, so it has to learn",
            "model.encoder_tuning=full",
        ),
        (
            {**PARTS, "projector_tuning": "frozen", "decoder_tuning": "frozen"},
            "Nothing would be trained",
            "model.projector_tuning=full",
        ),
        (
            {"pretrained": "a", "encoder_tuning": "frozen", "decoder_tuning": "frozen"},
            "Nothing would be trained",
            "model.decoder_tuning=full",
        ),
        (
            {"decoder_model_name": "org/lm", "encoder_tuning": "lora"},
            "not pretrained: model.encoder_model_name is null",
            "model.encoder_tuning=full",
        ),
        (
            {"pretrained": "a", "encoder_tuning": "full", "use_lora": True},
            "not one part so and the other so",
            "model.encoder_tuning=lora",
        ),
    ],
    ids=str,
)
def test_a_part_that_cannot_learn_so_is_an_error_with_what_to_set(settings, what, instead):
    with pytest.raises(ConfigErrors) as caught:
        check(Config(model=ModelConfig(**settings)))
    (error,) = caught.value.errors
    assert what in error.what
    assert error.instead == instead
    part, value = instead.removeprefix("model.").split("=")
    fixed = settings | {part: None if value == "null" else value}
    check(Config(model=ModelConfig(**fixed)))


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"encoder_tuning": "lora"}, "model.encoder_tuning=lora has no effect: nothing pretrained"),
        ({**PARTS, "use_lora": True, "decoder_tuning": "full"}, "model.use_lora has no effect"),
    ],
)
def test_lora_that_nothing_gets_is_a_notice(settings, part):
    config = Config(model=ModelConfig(**settings))
    check(config)
    assert any(part in text for text in notices(config, {}))


def test_the_learning_rate_follows_what_is_trained():
    full = learning_rate(ModelConfig(pretrained="a"))
    assert learning_rate(ModelConfig(pretrained="a", encoder_tuning="lora")) > full
    assert learning_rate(ModelConfig(pretrained="a", encoder_tuning="frozen")) > full


@pytest.mark.parametrize(
    ("typed", "rate"),
    [
        ([], 1e-5),
        (["training=production"], 1e-5),
        (["model.language=de"], 1e-5),
        (["training.learning_rate=7e-5"], 7e-5),
        (["model.use_lora=true"], 1e-4),
        (["model.encoder_tuning=frozen"], 1e-4),
        (["model.use_lora=true", "model.recommended_learning_rate=2e-4"], 2e-4),
    ],
    ids=str,
)
def test_a_presets_rate_counts_while_the_model_is_tuned_as_the_preset_tunes_it(typed, rate):
    config = composed(None, "model=whisper_small", *typed).config
    assert config.training.learning_rate == rate


def test_a_speech_llm_of_transformers_has_a_projector_and_mixes_full_and_lora():
    config = Config()
    config.model.pretrained = "org/recognizer"
    config.model.projector_tuning = "full"
    config.model.encoder_tuning = "full"
    config.model.use_lora = True
    with pytest.raises(ConfigErrors) as caught:
        check(config)
    assert "model.family=audio_llm" in str(caught.value)
    config.model.family = "audio_llm"
    check(config)


@pytest.mark.parametrize("settings", [{"ctc_head_weight": 0.3}, {"new_tokens": ["<laughter>"]}])
def test_what_only_a_language_model_has_is_refused_without_one(settings):
    for without in ({}, {"pretrained": "org/recognizer"}):
        with pytest.raises(ConfigErrors, match=r"model\.decoder_model_name names none"):
            check(Config(model=ModelConfig(**settings, **without)))
    check(Config(model=ModelConfig(**settings, **PARTS)))


def test_a_target_in_a_part_that_is_not_adapted_is_refused_with_what_adapts_it():
    model = ModelConfig(
        **PARTS, use_lora=True, lora_target_modules=["encoder.q_proj", "decoder.q_proj"]
    )
    with pytest.raises(ConfigErrors) as caught:
        check(Config(model=model))
    (error,) = caught.value.errors
    assert error.what.startswith("encoder.q_proj is to be adapted, and the encoder is not")
    assert error.instead[-1] == "model.encoder_tuning=lora"
    model.encoder_tuning = "lora"
    check(Config(model=model))


@pytest.mark.parametrize(
    ("model", "part", "said"),
    [
        (PARTS, "encoder", True),
        (PARTS, "projector", False),
        (PARTS, "decoder", False),
        ({**PARTS, "decoder_tuning": "frozen"}, "decoder", True),
        ({**PARTS, "decoder_tuning": "frozen", "new_tokens": ["<x>"]}, "decoder", False),
        ({"decoder_model_name": "org/lm"}, "encoder", False),
        ({}, "encoder", False),
        ({}, "projector", True),
    ],
    ids=str,
)
def test_the_rate_of_a_part_that_does_not_learn_is_a_notice(model, part, said):
    config = Config(model=ModelConfig(**model))
    setattr(config.training, f"{part}_learning_rate", 1e-5)
    check(config)
    name = f"training.{part}_learning_rate has no effect"
    assert any(name in text for text in notices(config, {})) == said


def test_sizes_of_an_encoder_from_scratch_before_a_language_model_have_an_effect():
    config = Config(model=ModelConfig(decoder_model_name="org/lm"))
    config.model.encoder.layers = 3
    typed = {"model.encoder.layers": Origin("command line", "typed")}
    assert not any("model.encoder" in text for text in notices(config, typed))
    config.model.encoder_model_name = "org/encoder"
    assert any("model.encoder.layers has no effect" in text for text in notices(config, typed))
