"""The base out of its package: the tensors and the texts of others' programs."""

from __future__ import annotations

import ctranslate2
import numpy as np
import pytest
from real_whisper import spoken, whisper
from safetensors import safe_open
from transcripts import transcribed
from transformers import WhisperForConditionalGeneration

from mynah.models.transcript import Clip


def test_it_has_the_tensors_and_parameters_of_tiny_en(converted):
    with safe_open(converted / "model.safetensors", framework="np") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
    assert len(shapes) == 167
    assert sum(int(np.prod(shape)) for shape in shapes) == 37_760_256


@pytest.fixture(scope="module")
def by_transformers(converted, untuned):
    """What transformers' own generate writes of each clip, alone, in the window of 30 s."""
    plain = WhisperForConditionalGeneration.from_pretrained(converted, dtype="float32").eval()

    def texts_of(clips):
        texts = []
        for clip in clips:
            inputs = untuned.processor(clip, sampling_rate=16000, return_tensors="pt")
            # Ours is given that no times are wanted; transformers' chooses by its settings.
            ids = plain.generate(inputs.input_features, return_timestamps=False)
            texts.append(untuned.tokenizer.decode(ids[0], skip_special_tokens=True).strip())
        return texts

    return texts_of


@pytest.mark.long  # what a command writes of real weights is compared fast in test_eval.py
@pytest.mark.parametrize("number", [6, 30])
def test_batched_and_alone_it_writes_what_transformers_writes(
    untuned, utterances, by_transformers, number
):
    clips = utterances[:: len(utterances) // number]
    expected = by_transformers(clips)
    assert len(set(expected)) > min(8, number // 2)
    assert transcribed(untuned, clips) == expected
    assert [transcribed(untuned, [clip])[0] for clip in clips] == expected


@pytest.mark.long
@pytest.mark.parametrize("number", [15])
def test_behind_names_it_writes_what_transformers_writes_with_prompt_ids(
    converted, untuned, utterances, number
):
    plain = WhisperForConditionalGeneration.from_pretrained(converted, dtype="float32").eval()
    names = "Rubenstein, Qwyjibo, Kathleen"
    prompt = untuned.tokenizer.get_prompt_ids(names, return_tensors="pt")
    clips = utterances[:: len(utterances) // number]
    expected = []
    for clip in clips:
        inputs = untuned.processor(clip, sampling_rate=16000, return_tensors="pt")
        ids = plain.generate(inputs.input_features, prompt_ids=prompt, return_timestamps=False)
        new = ids[0][len(prompt) :] if ids[0][0] == prompt[0] else ids[0]
        expected.append(untuned.tokenizer.decode(new, skip_special_tokens=True).strip())
    assert transcribed(untuned, clips, contexts=[names] * len(clips)) == expected


@pytest.mark.long
@pytest.mark.parametrize("every", [3])
def test_its_tokens_are_those_that_ctranslate2_finds(untuned, package, utterances, every):
    theirs = ctranslate2.models.Whisper(str(package), compute_type="float32", intra_threads=1)
    ids = untuned.tokenizer.get_vocab()
    prompt = [ids["<|startoftranscript|>"], ids["<|notimestamps|>"]]
    for clip in utterances[::every]:
        features = untuned.processor.feature_extractor(
            clip, sampling_rate=16000, return_tensors="np"
        ).input_features
        view = ctranslate2.StorageView.from_array(features)
        (found,) = theirs.generate(view, [prompt], beam_size=1)
        (ours,) = untuned.transcribe([Clip(clip)])
        assert list(ours.tokens) == list(found.sequences_ids[0])


@pytest.fixture(scope="module")
def sentences():
    """Clips of 3 to 5 s."""
    return [Clip(one) for one in spoken(4)]


def test_what_it_writes_is_bounded_by_the_length_of_the_clip(cache, sentences):
    bare = whisper(audio_window="clip")
    settings = bare.model.generation_config
    settings.suppress_tokens = [*settings.suppress_tokens, settings.eos_token_id]  # it never ends
    clips = [Clip(sentences[0].audio[: seconds * 16000]) for seconds in (1, 2)]
    # 32 tokens and 30 for each second, of the 448 that its decoder holds
    assert [len(one.tokens) for one in bare.transcribe(clips)] == [62, 92]


@pytest.mark.long  # of a stand-in fast in test_seq2seq_whisper.py
def test_a_tail_of_silence_keeps_it_from_repeating_itself(cache, untuned, sentences):
    tail = whisper(audio_window="clip", audio_tail_seconds=5.0)
    native = [len(one.tokens) for one in untuned.transcribe(sentences)]
    found = [len(one.tokens) for one in tail.transcribe(sentences)]
    assert max(found) <= max(native) + 3
