"""A name that cannot be a model is reported in a few lines, before any data is prepared."""

from __future__ import annotations

import shutil

import pytest
from workspaces import assert_refused, clone, run


@pytest.mark.long
def test_the_message_is_the_same_as_a_process_of_its_own(models, tmp_path):
    folder = clone(tmp_path / "clone")
    done = run(folder, f"mynah train model.pretrained={models('chat_lm')} offline=true")
    assert_refused(done, "is a language model (llama)", "model.encoder_model_name=", lines=4)
    assert not list(folder.glob("outputs/*/*/data.json"))


def test_an_architecture_that_is_not_a_recognizer_names_those_that_are(refused, place):
    folder = place / "picture"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "vit"}')
    refused(f"model.pretrained={folder}", "is a vit, and no recognizer", "whisper", "wav2vec2")


def test_a_language_model_is_not_a_recognizer(refused, models):
    folder = models("chat_lm")
    refused(
        f"model.pretrained={folder}",
        "is a language model (llama), and no recognizer",
        f"model.decoder_model_name={folder} model.pretrained=null",
    )


def test_a_folder_without_a_config_names_the_model_in_it(refused, place, models):
    run_folder = place / "run"
    shutil.copytree(models("hubert_ctc"), run_folder / "checkpoint-200")
    refused(
        f"model.pretrained={run_folder}",
        "has no config.json",
        f"model.pretrained={run_folder}/checkpoint-200",
    )


def test_a_config_that_is_not_json_is_refused(refused, mine):
    folder = mine("hubert_ctc")
    (folder / "config.json").write_text('{"model_type": "hub')
    refused(f"model.pretrained={folder}", "config.json that is not JSON")


def test_a_mistyped_folder_is_answered_with_the_one_beside_it(refused, mine):
    folder = mine("hubert_ctc")
    refused(f"model.pretrained={folder}s", "neither a folder", f"Did you mean {folder}?")


def test_a_mistyped_name_is_answered_with_the_one_that_is_known(refused):
    refused("model.pretrained=openai/whisper-smal", "Did you mean openai/whisper-small?")
