"""A Whisper as sherpa-onnx's two graphs, against transformers' own encoder and decoder."""

from __future__ import annotations

import base64
import copy

import numpy as np
import pytest
import torch

from mynah.export.foreign import whisper_graphs
from mynah.export.foreign.exchange import ProgramRequest
from mynah.export.sherpa.ctc import SherpaOnnx
from mynah.export.sherpa.whisper import DECODER, ENCODER, TOKENS, SherpaWhisper
from mynah.export.sherpa.whisper_graph import DecoderGraph, EncoderGraph
from mynah.export.target import Sample
from mynah.models.seq2seq.family import Seq2Seq
from mynah.models.transcript import Clip


@pytest.fixture(scope="module", params=["whisper_asr", "whisper_asr_english"])
def family(request, checkpoints):
    family = Seq2Seq.load(checkpoints(request.param))
    whisper = SherpaWhisper().plain(family)
    whisper.model.eval()
    with torch.no_grad():  # so that what attends is seen
        random = torch.Generator().manual_seed(0)
        for tensor in whisper.model.parameters():
            tensor += 0.1 * torch.randn(tensor.shape, generator=random)
    return whisper


def noise(seconds):
    random = np.random.default_rng(1)
    return random.normal(0, 0.05, round(seconds * 16000)).astype(np.float32)


def features(family, audio, **more):
    made = family.processor.feature_extractor(
        audio, sampling_rate=16000, return_tensors="pt", **more
    )
    return made.input_features


def test_frames_of_zeros_behind_a_recording_are_the_silence_that_whisper_was_trained_with(family):
    audio = noise(1.0)
    padded = features(family, audio)  # transformers pads the recording to the window
    mel = padded.clone()
    mel[:, :, 104:] = 0  # the last frame with sound in its window is number 101
    graph = EncoderGraph(family.model)
    with torch.no_grad():
        keys, values = graph(mel[:, :, :1200])
        states = family.model.model.encoder(padded).last_hidden_state
        for number, layer in enumerate(family.model.model.decoder.layers):
            assert torch.allclose(keys[number], layer.encoder_attn.k_proj(states), atol=1e-4)
            assert torch.allclose(values[number], layer.encoder_attn.v_proj(states), atol=1e-4)


def test_steps_of_the_decoder_give_the_logits_of_transformers(family):
    model, config = family.model, family.model.config
    padded = features(family, noise(2.0))
    tokens = torch.randint(0, 50, (1, 7), generator=torch.Generator().manual_seed(2))
    never, never_first = [3, 5], [7]
    graph = DecoderGraph(model, never, never_first)
    shape = (config.decoder_layers, 1, config.max_target_positions, config.d_model)
    kept = [torch.zeros(shape), torch.zeros(shape)]
    found = []
    with torch.no_grad():
        cross = EncoderGraph(model)(padded)
        expected = model(input_features=padded, decoder_input_ids=tokens, use_cache=False).logits
        for first, last in ((0, 4), (4, 5), (5, 6), (6, 7)):
            logits, *kept = graph(tokens[:, first:last], *kept, *cross, torch.tensor([first]))
            found.append(logits)
    expected[:, :, never] = -1e9
    expected[:, :4, never_first] = -1e9
    assert torch.allclose(torch.cat(found, dim=1), expected, atol=1e-4)


def test_a_model_of_another_kind_is_written_as_it_always_was(family, checkpoints):
    from mynah.models.ctc.family import CTC

    target = SherpaOnnx()
    assert isinstance(target.for_model(family), SherpaWhisper)
    assert target.for_model(CTC.load(checkpoints("wav2vec2_ctc_layer_norm"))) is target


@pytest.mark.long  # torch writes two graphs
def test_both_graphs_write_what_the_model_writes(family, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    before = copy.deepcopy(family.model.state_dict())
    target = SherpaWhisper()
    target.write(family, tmp_path, "float32")
    assert all(torch.equal(before[name], one) for name, one in family.model.state_dict().items())

    samples = [Sample(str(n), "", noise(n), None, "en", float(n)) for n in (1, 2)]
    ours = [family.transcribe([Clip(one.audio, "en")])[0].tokens for one in samples]
    english = family.prompts.ids("en")

    class Given(ProgramRequest):
        def audios(self):
            return iter(features(family, one.audio)[0].numpy() for one in samples)

    options = {
        "threads": 1, "prompts": [english] * 2, "most_tokens": [62, 92],
        "end": family.model.config.eos_token_id,
    }  # fmt: skip
    found = [one["tokens"] for one in whisper_graphs.serve(Given(tmp_path, tmp_path, options))]
    assert [one[: len(own)] for one, own in zip(found, map(list, ours), strict=True)] == [
        list(one) for one in ours
    ]

    said = onnxruntime.InferenceSession(
        tmp_path / ENCODER, providers=["CPUExecutionProvider"]
    ).get_modelmeta().custom_metadata_map  # fmt: skip
    vocabulary = family.tokenizer.get_vocab()
    assert int(said["sot"]) == vocabulary["<|startoftranscript|>"]
    assert int(said["no_timestamps"]) == vocabulary["<|notimestamps|>"]
    assert said["sot_sequence"].split(",") == [str(one) for one in english[:-1]]
    languages = said["all_language_codes"].split(",") if family.prompts.languages else []
    assert int(said["is_multilingual"]) == bool(languages)
    assert [vocabulary[f"<|{one}|>"] for one in languages] == [
        int(one) for one in said["all_language_tokens"].split(",") if one
    ]
    names = [one.name for one in onnxruntime.InferenceSession(tmp_path / DECODER).get_inputs()]
    assert names == [
        "tokens", "in_n_layer_self_k_cache", "in_n_layer_self_v_cache",
        "n_layer_cross_k", "n_layer_cross_v", "offset",
    ]  # fmt: skip
    for line in (tmp_path / TOKENS).read_text().splitlines()[::97]:
        letters, number = line.split()
        expected = family.tokenizer.decode([int(number)])
        assert base64.b64decode(letters).decode("utf-8", errors="replace") == expected
