"""What a speech LLM is given, what it can encode, and what of it learns."""

from __future__ import annotations

import json
import pickle
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiers import fast_where
from tiny_models import TEXTS, tiny, train
from transcripts import transcribed
from transformers import WhisperFeatureExtractor

from mynah.errors import UserError
from mynah.inference.recognizer import Recognizer
from mynah.models import registry
from mynah.models.audio_llm.architectures.fun_asr_nano import FunAsrNanoFeatureExtractor
from mynah.models.audio_llm.architectures.granite_speech import GraniteSpeechFeatureExtractor
from mynah.models.audio_llm.architectures.voxtral import VoxtralFrontend
from mynah.models.audio_llm.registry import UNSUPPORTED_AUDIO_LLMS
from mynah.models.audio_llm.windows import WindowFrontend
from mynah.models.family import Example


@pytest.fixture(scope="module")
def build(checkpoints):
    def built(kind="qwen3_asr", folder=None, **settings):
        torch.manual_seed(0)
        config = tiny(pretrained=str(folder or checkpoints(kind)), **settings)
        return registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)

    return built


def rows(family, clips, **given):
    return [
        Example(str(row), family.features(clip), family.labels(text), **given)
        for row, (clip, text) in enumerate(zip(clips, TEXTS, strict=False))
    ]


def asked(family, language="", context=""):
    prompt = family._requests.prompt(language, context, 1.0)
    return family.tokenizer.decode([*prompt.before, *prompt.after, *prompt.given])


def test_each_row_is_given_its_own_language_in_training_and_in_decoding(build, clips):
    family = build()
    languages = ["en", "de-DE", "German", ""]
    batch = family.collate(
        [
            Example(str(row), family.features(clip), [7], language=language)
            for row, (clip, language) in enumerate(zip(clips, languages, strict=True))
        ]
    )
    said = [family.tokenizer.decode(ids) for ids in batch["input_ids"]]
    for text, name in zip(said, ("English", "German", "German", "None"), strict=True):
        assert f"language {name}<asr_text>" in text
    assert (batch["labels"] != -100).sum().item() == 4
    together = transcribed(family, clips, languages)
    alone = [
        transcribed(family, [clip], [language])[0]
        for clip, language in zip(clips, languages, strict=True)
    ]
    assert together == alone
    assert together[1:3] == transcribed(build(language="de"), clips[1:3], ["en", ""])


def test_an_instruction_stays_that_of_the_weights_that_learned_it(build, tmp_path):
    wanted = "Write it down."
    assert wanted not in asked(build("glmasr"))
    for folder, settings in (("all", {}), ("adapter", {"use_lora": True})):
        build("glmasr", prompt=wanted, **settings).save(tmp_path / folder)
        again = build(folder=tmp_path / folder, **settings)
        assert wanted in asked(again)
        again.configure_decoding(tiny())
        assert wanted in asked(again)
    other = build(folder=tmp_path / "all", prompt="Say it again.")
    assert "Say it again." in asked(other) and wanted not in asked(other)


def test_a_template_that_writes_the_day_writes_the_same_one_for_ever(build, checkpoints, tmp_path):
    folder = shutil.copytree(checkpoints("granite_speech"), tmp_path / "granite")
    template = folder / "chat_template.jinja"
    own = template.read_text(encoding="utf-8")
    # As Granite's own begins.
    day = "{{ 'Today is ' + strftime_now('%B %d, %Y') + '.' }}"
    template.write_text(day + own, encoding="utf-8")
    assert asked(build(folder=folder)).startswith("Today is December 19, 2024.")


@pytest.mark.parametrize("kind", ["granite_speech", "granite_speech_plus", "fun_asr_nano"])
def test_a_model_whose_extractor_would_ask_for_torchaudio_is_used_as_it_is(kind, checkpoints):
    found = registry.pretrained(
        tiny(pretrained=str(checkpoints(kind))), offline=True, setting="--model"
    )
    assert found.name == "audio_llm" and found.sample_rate == 16000


def test_what_is_taken_at_once_is_no_longer_than_what_can_be_written_of_it(build):
    family = build("glmasr")
    assert family.window_samples > 600 * family.sample_rate
    # 256 tokens are some 200 words, and people say three a second.
    assert Recognizer(family, name="glmasr", tuned=False).window_seconds <= 200 / 3


def test_a_language_without_a_name_is_not_given_and_said(build, capsys):
    family = build()
    family.check_languages(["en", "", "eu", "cy"])
    assert "cy, eu" in capsys.readouterr().out
    assert asked(family, "eu") == asked(family, "")
    build(language="en").check_languages(["eu"])
    build("granite_speech").check_languages(["eu"])
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "settings", "where"),
    [
        ("qwen3_asr", {"prompt": "Write it down."}, "model.prompt"),
        ("qwen3_asr", {"language": "tlh"}, "model.language"),
        ("qwen3_asr", {"task": "translate"}, "model.task"),
        ("granite_speech", {"language": "en"}, "model.language"),
        ("granite_speech", {"timestamps": True}, "model.timestamps"),
        ("vibevoice_asr", {"encoder_tuning": "full"}, "model.encoder_tuning"),
        (
            "qwen3_asr",
            {"encoder_tuning": "frozen", "projector_tuning": "frozen", "decoder_tuning": "frozen"},
            "model.decoder_tuning",
        ),
    ],
)
def test_what_a_model_does_not_support_is_an_error_before_weights_are_read(
    kind, settings, where, checkpoints
):
    config = tiny(pretrained=str(checkpoints(kind)), **settings)
    rate = 24000 if kind == "vibevoice_asr" else 16000
    with pytest.raises(UserError) as error:
        registry.check_model(config, sample_rate=rate, offline=True)
    assert where in error.value.where and error.value.fix


def test_another_sample_rate_than_the_models_own_is_an_error(checkpoints):
    for kind, rate, fix in (("vibevoice_asr", 16000, 24000), ("qwen3_asr", 8000, 16000)):
        config = tiny(pretrained=str(checkpoints(kind)))
        with pytest.raises(UserError) as error:
            registry.check_model(config, sample_rate=rate, offline=True)
        assert error.value.fix == f"data.sample_rate={fix}"


def test_an_attention_that_a_part_does_not_have_is_an_error(checkpoints):
    config = tiny(pretrained=str(checkpoints("vibevoice_asr")), attn_implementation="sdpa")
    with pytest.raises(UserError, match="part") as error:
        registry.build(config, texts=TEXTS, sample_rate=24000, offline=True)
    assert error.value.where == "model.attn_implementation=sdpa"


@pytest.mark.parametrize("kind", UNSUPPORTED_AUDIO_LLMS)
def test_what_transformers_lists_and_is_not_trained_says_why(kind, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(UserError) as error:
        registry.check_model(tiny(pretrained=str(tmp_path)), sample_rate=16000, offline=True)
    assert UNSUPPORTED_AUDIO_LLMS[kind] in error.value.what and error.value.fix


def test_an_instruction_of_ones_own_takes_the_place_of_the_authors(build):
    family = build("granite_speech", prompt="Write it down.")
    assert "Write it down." in asked(family) and "transcribe" not in asked(family)
    assert "Write it down. Keywords: Anna" in asked(family, context="Anna")


def test_an_audio_token_among_the_names_is_an_error(build):
    with pytest.raises(UserError, match="stands for audio"):
        asked(build(), context="Anna <|audio_pad|>")


def test_clips_that_cannot_be_encoded_or_held_are_not_learned(build, clips):
    family = build()
    assert family.impossible(len(clips[0]), family.labels("turn on")) is None
    assert "shorter" in family.impossible(300, [7])
    family._context = 60
    assert "over the 60" in family.impossible(len(clips[0]), [7] * 30)
    short = build("qwen2_audio")
    assert "30 s" in short.impossible(16000 * 31, [7])
    nothing = np.zeros(0, np.float32)
    assert transcribed(family, [nothing, clips[0][:300]]) == ["", ""]


def test_a_recording_that_is_too_long_is_encoded_in_pieces(build, clips):
    family = build()
    clip = np.concatenate(clips)
    prompt = family._requests.prompt("", "")
    half = family.output_length(len(clip) // 2)
    family._context = prompt.length + family.usage.generation_max_length + half
    step = len(clip) // 2
    assert transcribed(family, [clip]) == [
        " ".join(filter(None, transcribed(family, [clip[:step], clip[step:]])))
    ]


def test_the_end_of_a_turn_ends_a_transcript(build):
    for kind, end in (
        ("qwen3_asr", "<|im_end|>"),
        ("granite_speech", "<|end_of_text|>"),
        ("voxtral", "</s>"),
    ):
        family = build(kind)
        assert family.tokenizer.convert_ids_to_tokens(family.labels("nine")[-1]) == end


def test_what_a_person_says_before_a_transcript_is_left_out(build):
    transcript = build("glmasr")._requests.transcript
    assert transcript('The spoken content of the audio is "call anna".') == "call anna"
    assert transcript("the content of the audio is loud.") == "the content of the audio is loud."
    qwen = build()._requests.transcript
    assert qwen("language English<asr_text>call anna") == "call anna"


@pytest.mark.parametrize(
    ("settings", "learns"),
    fast_where(lambda settings, _: len(settings) == 2, [
        ({}, {"encoder", "projector", "decoder"}),
        ({"encoder_tuning": "frozen"}, {"projector", "decoder"}),
        ({"encoder_tuning": "frozen", "decoder_tuning": "frozen"}, {"projector"}),
        ({"use_lora": True, "encoder_tuning": "lora"}, {"encoder", "decoder"}),
        ({"use_lora": True, "projector_tuning": "full"}, {"projector", "decoder"}),
        ({"decoder_tuning": "lora"}, {"decoder"}),
    ]),
)  # fmt: skip
def test_the_parts_that_are_named_learn_and_the_others_are_bit_identical(
    build, clips, settings, learns, tmp_path
):
    family = build(**settings)
    before = {name: tensor.clone() for name, tensor in family.model.state_dict().items()}
    train(family, family.collate(rows(family, clips)), rate=1e-2)
    after = family.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {family.part_of(name) for name in changed} == learns
    if "lora" in settings.values() or settings.get("use_lora"):
        parts = {family.part_of(name) for name in changed if "lora_" not in name}
        assert parts <= {"projector"}
    family.save(tmp_path)
    loaded = registry.load_family(tmp_path, offline=True)
    assert transcribed(loaded, clips[:1]) == transcribed(family, clips[:1])


def test_parameters_are_counted_by_part(build):
    family = build(use_lora=True)
    counted = {part: (total, trained) for part, total, trained in family.parameter_table()}
    assert counted.keys() == {"encoder", "projector", "decoder"}
    assert [trained > 0 for _, trained in counted.values()] == [False, True, False]
    assert sum(total for total, _ in counted.values()) == sum(
        one.numel() for one in family.model.parameters()
    )


def test_lora_targets_by_name_reach_the_language_model_alone(build):
    family = build(use_lora=True, lora_target_modules=["q_proj"])
    adapted = [name for name, _ in family.model.named_parameters() if "lora_A" in name]
    assert adapted and all("language_model" in name and "q_proj" in name for name in adapted)
    with pytest.raises(UserError, match="query"):
        build(use_lora=True, lora_target_modules=["query"])


def test_training_continues_from_an_adapter_of_our_own(build, clips, tmp_path):
    first = build(use_lora=True)
    train(first, first.collate(rows(first, clips)), rate=1e-2)
    first.save(tmp_path)
    for lora in (True, False):
        again = build(folder=tmp_path, use_lora=lora)
        assert transcribed(again, clips) == transcribed(first, clips)
        trained = {name for name, one in again.model.named_parameters() if one.requires_grad}
        assert trained and all("lora_" in name for name in trained) == lora


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_on_disk_in_half_precision_are_trained_in_full(build, dtype, tmp_path):
    family = build()
    family.model.to(dtype)
    family.save(tmp_path)
    again = build(folder=tmp_path)
    assert {one.dtype for one in again.model.parameters()} == {torch.float32}


def test_a_data_worker_needs_no_model(build, clips):
    for kind in ("qwen3_asr", "glmasr", "granite_speech", "voxtral", "fun_asr_nano"):
        family = build(kind)
        expected = family.collate(rows(family, clips, context="Anna"))
        worker = pickle.loads(pickle.dumps(family))
        assert worker.model is None
        batch = worker.collate(rows(worker, clips, context="Anna"))
        assert all(torch.equal(tensor, batch[name]) for name, tensor in expected.items())


SECONDS = (0.2, 1.0, 29.97, 29.981, 29.99, 30.0, 30.00625, 30.5, 60.0, 61.3)


@pytest.mark.parametrize("full", [False, True])
def test_windows_hold_what_whispers_extractor_makes_of_them(full):
    extractor = WhisperFeatureExtractor(feature_size=80)
    sizes = SimpleNamespace(audio_config=SimpleNamespace(intermediate_size=4, hidden_size=1))
    frontend = (
        VoxtralFrontend(SimpleNamespace(feature_extractor=extractor), sizes)
        if full
        else WindowFrontend(extractor, arithmetic=lambda one: one, mask="mask")
    )
    assert [frontend.encoded_seconds(one) for one in (0.2, 30.0, 30.5)] == [30, 30, 60]
    draw = np.random.default_rng(0)
    for seconds in SECONDS:
        clip = (0.1 * draw.standard_normal(round(16000 * seconds))).astype(np.float32)
        clip[: len(clip) // 2] *= 0.01  # windows of different loudness
        features = frontend.features(clip)
        assert len(features) == frontend.feature_length(len(clip))
        if full:
            expected = extractor(
                clip, sampling_rate=16000, padding=True, truncation=False,
                pad_to_multiple_of=480000, return_tensors="pt",
            ).input_features  # fmt: skip
            expected = expected.reshape(80, -1, 3000).transpose(0, 1)
        else:
            parts = [clip[at : at + 480000] for at in range(0, len(clip), 480000)]
            expected = extractor(
                parts, sampling_rate=16000, return_tensors="pt", return_attention_mask=True
            )
            mask, expected = expected.attention_mask, expected.input_features
        made = frontend.pad([features])
        torch.testing.assert_close(made["input_features"], expected, rtol=1e-4, atol=2e-5)
        if full:
            assert frontend.tokens(len(features)) == 375 * len(expected)
        else:
            assert torch.equal(made["mask"], mask.long())
            assert frontend.tokens(len(features)) == mask.sum()


def test_granites_features_are_a_plain_log_mel_spectrogram():
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    extractor = GraniteSpeechFeatureExtractor()
    filters = mel_filter_bank(257, 80, 0.0, 8000.0, 16000, None, "htk")
    window = np.pad(window_function(400, "hann"), 56)
    draw = np.random.default_rng(0)
    for samples in (1600, 16000, 16159, 16160, 24321):
        clip = 0.1 * draw.standard_normal(samples)
        power = spectrogram(clip, window, 512, 160, power=2.0, mel_filters=filters, mel_floor=1e-10)
        logmel = np.log10(power).T
        logmel = np.maximum(logmel, logmel.max() - 8) / 4 + 1
        expected = logmel[: len(logmel) // 2 * 2].reshape(-1, 160)
        found = extractor.features(clip.astype(np.float32))
        assert found.shape == expected.shape == (extractor.frames(samples), 160)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_fun_asrs_features_are_kaldis_filterbank_stacked():
    from transformers.audio_utils import mel_filter_bank, spectrogram
    from transformers.models.fun_asr_nano.feature_extraction_fun_asr_nano import (
        FunAsrNanoFeatureExtractor as Upstream,
    )

    extractor = FunAsrNanoFeatureExtractor()
    filters = mel_filter_bank(257, 80, 20.0, 8000.0, 16000, None, "kaldi", True)
    stack = SimpleNamespace(num_frames_lfr=7, stride_lfr=6)
    draw = np.random.default_rng(0)
    for samples in (400, 1600, 16000, 17003):
        clip = 0.1 * draw.standard_normal(samples)
        frames = spectrogram(
            clip, np.hamming(400), 400, 160, fft_length=512, power=2.0, center=False,
            preemphasis=0.97, mel_filters=filters, log_mel="log",
            mel_floor=1.1920928955078125e-07, remove_dc_offset=True,
        ).T  # fmt: skip
        expected = Upstream._apply_lfr(stack, torch.from_numpy(frames))
        found = extractor.features(clip.astype(np.float32))
        assert len(found) == extractor.frames(samples)
        np.testing.assert_allclose(found, expected.numpy(), atol=2e-3)
    assert extractor.features(np.zeros(399, np.float32)).shape == (0, 560)


def test_a_forced_aligner_is_not_a_recognizer(checkpoints, tmp_path):
    shutil.copytree(checkpoints("qwen3_asr"), tmp_path / "aligner")
    path = tmp_path / "aligner" / "config.json"
    written = json.loads(path.read_text())
    written["architectures"] = ["Qwen3ASRForTokenClassification"]
    path.write_text(json.dumps(written))
    config = tiny(pretrained=str(tmp_path / "aligner"))
    with pytest.raises(UserError, match="aligns"):
        registry.check_model(config, sample_rate=16000, offline=True)


def test_a_model_without_its_tokenizer_is_an_error(checkpoints, tmp_path):
    shutil.copytree(checkpoints("granite_speech"), tmp_path / "bare")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "bare" / name).unlink()
    with pytest.raises(UserError, match=r"tokenizer|processor"):
        registry.check_model(
            tiny(pretrained=str(tmp_path / "bare")), sample_rate=16000, offline=True
        )
