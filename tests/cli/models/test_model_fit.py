"""A model that takes other audio, or has nothing to adapt, is reported before data is prepared."""

from __future__ import annotations

import json

import pytest
from model_edits import edit

from mynah.cli.main import main


def test_a_feature_extractor_of_another_rate_names_the_rate(refused, mine):
    folder = edit(mine("hubert_ctc"), "preprocessor_config.json", sampling_rate=8000)
    refused(f"model.pretrained={folder}", "takes 8000 Hz", "data.sample_rate=8000")


def test_an_encoder_and_its_processor_of_different_rates_are_refused(refused, mine, models):
    encoder = edit(mine("whisper"), "preprocessor_config.json", sampling_rate=8000)
    names = f"model.encoder_model_name={encoder} model.decoder_model_name={models('chat_lm')}"
    refused(names, "takes 8000 Hz", "model.encoder_model_name", "data.sample_rate=8000")


@pytest.mark.parametrize(
    "kind, key, other, said",
    [
        ("moonshine_streaming", "sampling_rate", 8000, "is built for 16000 Hz"),
        ("whisper_asr", "feature_size", 128, "is built for 80 mel bins"),
        ("parakeet_tdt", "feature_size", 128, "is built for 80 mel bins"),
    ],
)
def test_a_feature_extractor_of_another_model_is_refused(kind, key, other, said, refused, mine):
    folder = mine(kind)
    file = "preprocessor_config.json"
    if not (folder / file).is_file():
        file = "processor_config.json"
        held = json.loads((folder / file).read_text())["feature_extractor"]
        edit(folder, file, feature_extractor={**held, key: other})
    else:
        edit(folder, file, **{key: other})
    refused(f"model.pretrained={folder}", said, f"makes {other}", "preprocessor_config.json")


def test_targets_of_lora_that_match_nothing_are_answered_with_what_could(refused, models):
    named = f"model.pretrained={models('hubert_ctc')} model.use_lora=true"
    refused(
        f"{named} model.lora_target_modules=[q_prj]",
        "No module of the model is called 'q_prj'",
        "Did you mean q_proj? It can adapt:",
    )


def test_a_target_without_brackets_is_a_list_of_one(place, capsys):
    typed = ["model.pretrained=x", "model.use_lora=true", "model.lora_target_modules=all-linear"]
    assert main(["config", "explain", *typed, "--only", "model.lora_target_modules"]) == 0
    assert "[all-linear]" in capsys.readouterr().out


def test_an_attention_that_the_model_does_not_have_is_answered_with_those_it_has(refused, models):
    named = f"model.pretrained={models('hubert_ctc')}"
    refused(f"{named} model.attn_implementation=fast", "no attention called 'fast'", "eager, sdpa")
