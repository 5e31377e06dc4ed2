"""Who loads a saved Whisper with plain transformers decodes it as it was measured.

Right is what ``generate`` and the recognition pipeline of transformers write from the saved
folder, without an argument.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil

import pytest
import torch
from tiers import fast_where
from tiny_models import TEXTS, examples, tiny, train
from transcripts import transcribed
from transformers import pipeline

from mynah.models import registry

TRANSLATES = {"language": "fr", "task": "translate", "num_beams": 1}
SAMPLES = {"do_sample": True, "temperature": 0.7, "top_p": 0.5, "top_k": 20, "max_new_tokens": 3}
# The generation config of a fine-tuned Whisper of 2022 knows nothing of languages and tasks.
OLD = dict.fromkeys(("lang_to_id", "task_to_id", "no_timestamps_token_id", "max_length"))
FORCED = {"forced_decoder_ids": [[1, None], [2, 7]]}


@pytest.fixture
def trained(checkpoints, clips, tmp_path):
    """A Whisper, trained for some steps from a base whose generation config says other things."""

    def made(kind, base, **settings):
        folder = tmp_path / "base"
        shutil.copytree(checkpoints(kind), folder)
        path = folder / "generation_config.json"
        written = json.loads(path.read_text()) | base
        path.write_text(json.dumps({k: v for k, v in written.items() if v is not None}))
        torch.manual_seed(0)
        config = tiny(pretrained=str(folder), **settings)
        family = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
        rows = examples(family, clips, ["call anna", "turn"] * 2)
        batch = family.collate([dataclasses.replace(one, language="de") for one in rows])
        train(family, batch, steps=3, rate=1e-3)
        return family

    return made


def prompt_of(recognizer, clip):
    """The first tokens that plain transformers gives the decoder, from the folder alone."""
    found = []

    def first_tokens(module, arguments, options):
        found.append(options["input_ids"][0].tolist())

    inputs = recognizer.feature_extractor(clip, sampling_rate=16000, return_tensors="pt")
    decoder = recognizer.model.get_decoder()
    with decoder.register_forward_pre_hook(first_tokens, with_kwargs=True):
        recognizer.model.generate(inputs.input_features)
    return recognizer.tokenizer.convert_ids_to_tokens(max(found, key=len))


def merged(family, folder):
    """A saved model, its LoRA matrices folded into it as ``mynah merge`` does."""
    if hasattr(family.model, "peft_config"):
        family.merge()
    family.save(folder)
    return str(folder)


@pytest.mark.parametrize(
    ("base", "lora"),
    fast_where(
        lambda base, lora: lora == (base is TRANSLATES),
        itertools.product([TRANSLATES, SAMPLES, OLD, FORCED, {"num_beams": 3}], [False, True]),
    ),
)
def test_plain_transformers_decodes_a_saved_whisper_as_it_was_measured(
    base, lora, trained, clips, tmp_path
):
    family = trained("whisper_asr", base, language="de", use_lora=lora)
    measured = transcribed(family, clips)
    recognizer = pipeline("automatic-speech-recognition", model=merged(family, tmp_path / "saved"))
    for clip, ours in zip(clips, measured, strict=True):
        said = recognizer({"raw": clip, "sampling_rate": 16000})["text"]
        assert said.strip() == ours
    prompt = ["<|startoftranscript|>", "<|de|>", "<|transcribe|>", "<|notimestamps|>"]
    assert prompt_of(recognizer, clips[0]) == prompt


def test_a_whisper_that_learned_to_translate_says_so(trained, clips, tmp_path):
    family = trained("whisper_asr", {"task": "transcribe"}, language="de", task="translate")
    recognizer = pipeline("automatic-speech-recognition", model=merged(family, tmp_path / "saved"))
    prompt = ["<|startoftranscript|>", "<|de|>", "<|translate|>", "<|notimestamps|>"]
    assert prompt_of(recognizer, clips[0]) == prompt


def test_a_language_of_the_base_does_not_stay_where_each_row_had_its_own(trained, clips, tmp_path):
    family = trained("whisper_asr", {"language": "fr", "task": "translate"})
    recognizer = pipeline("automatic-speech-recognition", model=merged(family, tmp_path / "saved"))
    features = recognizer.feature_extractor(clips[0], sampling_rate=16000, return_tensors="pt")
    detected = recognizer.model.detect_language(features.input_features).tolist()
    prompt = prompt_of(recognizer, clips[0])
    assert prompt[1:2] == recognizer.tokenizer.convert_ids_to_tokens(detected)
    assert prompt[2:] == ["<|transcribe|>", "<|notimestamps|>"]


@pytest.mark.parametrize("base", [{"task": "transcribe", "language": "en"}, FORCED])
def test_an_english_only_whisper_names_no_language_and_no_task(base, trained, clips, tmp_path):
    family = trained("whisper_asr_english", base)
    measured = transcribed(family, clips)
    recognizer = pipeline("automatic-speech-recognition", model=merged(family, tmp_path / "saved"))
    said = [recognizer({"raw": clip, "sampling_rate": 16000})["text"].strip() for clip in clips]
    assert said == measured
    prompt = ["<|startoftranscript|>", "<|notimestamps|>"]
    assert prompt_of(recognizer, clips[0]) == prompt


def test_an_adapter_keeps_how_its_base_is_used(trained, clips, tmp_path):
    family = trained("whisper_asr", TRANSLATES | {"num_beams": 2}, language="de", use_lora=True)
    family.save(tmp_path / "adapter")
    written = json.loads((tmp_path / "adapter" / "generation_config.json").read_text())
    assert (written["task"], written["language"], written["num_beams"]) == ("transcribe", "de", 2)
    assert transcribed(registry.load_family(tmp_path / "adapter"), clips) == transcribed(
        family, clips
    )
