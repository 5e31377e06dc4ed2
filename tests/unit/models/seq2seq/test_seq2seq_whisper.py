"""Whisper: its window and its true length, its timestamps, its language when nobody says it."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from tiny_models import TEXTS, doubled, examples, gradients, tiny, train
from transcripts import transcribed
from transformers import WhisperForConditionalGeneration

from mynah.evaluation.decoding.decode import rows_by_length
from mynah.models import registry
from mynah.models.family import Example
from mynah.models.seq2seq import generation as seq2seq_generation
from mynah.models.transcript import Clip
from mynah.stopping.polling import polled

WINDOW_SECONDS = 5  # of the stand-in


@pytest.fixture
def build(checkpoints):
    def built(**settings):
        torch.manual_seed(0)
        settings.setdefault("pretrained", str(checkpoints("whisper_asr")))
        settings = {"language": "en"} | settings
        return registry.build(tiny(**settings), texts=TEXTS, sample_rate=16000, offline=True)

    return built


@pytest.fixture(scope="module")
def filling():
    """A clip that fills the window to the sample."""
    draw = np.random.default_rng(1)
    return (0.1 * draw.standard_normal(WINDOW_SECONDS * 16000)).astype(np.float32)


@pytest.fixture
def written(monkeypatch):
    """The token ids that are written, row by row."""
    rows: list[list[int]] = []
    generate = seq2seq_generation.generate

    def listening(*inputs, **options):
        found = generate(*inputs, **options)
        rows.extend(list(one.tokens) for (one,) in found)
        return found

    monkeypatch.setattr(seq2seq_generation, "generate", listening)
    return rows


def tones(seconds):
    time = np.arange(int(16000 * seconds)) / 16000
    return (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.1, 0.7331, 1.5, 4.97, 4.99, 5.0])
def test_the_window_is_filled_as_the_extractor_fills_it(seconds, build, filling):
    family = build()
    for clip in (filling[: int(seconds * 16000)], tones(seconds)):
        ours = family._audio([family.features(clip)])["input_features"]
        theirs = family.processor.feature_extractor(
            clip, sampling_rate=16000, return_tensors="pt"
        ).input_features
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=2e-4)


def test_untuned_weights_encode_their_window_and_write_what_transformers_writes(
    build, checkpoints, clips
):
    family = build()
    assert family.usage.audio_window == "native"
    plain = WhisperForConditionalGeneration.from_pretrained(checkpoints("whisper_asr")).eval()
    for language, task in (("en", "transcribe"), ("de", "translate")):
        family = build(language=language, task=task)
        for clip, ours in zip(clips, transcribed(family, clips), strict=True):
            inputs = family.processor(clip, sampling_rate=16000, return_tensors="pt")
            ids = plain.generate(
                inputs.input_features, language=language, task=task, max_new_tokens=8
            )
            assert ours == family.processor.decode(ids[0], skip_special_tokens=True).strip()


def test_a_clip_that_fills_the_window_comes_out_the_same_at_its_true_length(
    build, checkpoints, filling
):
    native, clip = build(), build(audio_window="clip")
    rows = [Example("a", native.features(filling), native.labels(TEXTS[0]))]
    batches = [family.collate(rows) for family in (native, clip)]
    losses = [
        family.loss(family.model, batch).total.item()
        for family, batch in zip((native, clip), batches, strict=True)
    ]
    assert losses[0] == losses[1]
    assert transcribed(native, [filling]) == transcribed(clip, [filling])
    plain = WhisperForConditionalGeneration.from_pretrained(checkpoints("whisper_asr"))
    with torch.no_grad():
        theirs = plain.model.encoder(batches[0]["input_features"]).last_hidden_state
        ours = clip.model.model.encoder(batches[1]["input_features"]).last_hidden_state
    assert torch.equal(theirs, ours)


def test_the_true_length_changes_no_weight_and_is_recorded(build, clips, tmp_path):
    native, clip = build(), build(audio_window="clip")
    weights = native.model.state_dict()
    assert all(torch.equal(t, weights[n]) for n, t in clip.model.state_dict().items())
    clip.save(tmp_path)
    assert registry.load_family(tmp_path).usage.audio_window == "clip"
    assert build(pretrained=str(tmp_path)).usage.audio_window == "clip"
    assert build(pretrained=str(tmp_path), audio_window="native").usage.audio_window == "native"
    WhisperForConditionalGeneration.from_pretrained(tmp_path)


def test_a_short_clip_costs_a_fraction_of_the_window(build, clips):
    native, clip = build(), build(audio_window="clip")
    assert native.output_length(16000) == 50 * WINDOW_SECONDS
    assert clip.output_length(16000) == 50
    assert clip.collate(examples(clip, clips[:1]))["input_features"].shape[2] == 150
    assert native.collate(examples(native, clips[:1]))["input_features"].shape[2] == 500


def test_a_tail_of_silence_is_what_a_person_would_put_behind_the_clip(build, clips):
    bare, tail = build(audio_window="clip"), build(audio_window="clip", audio_tail_seconds=2.0)
    clip = clips[0]  # 1.5 s
    with_silence = np.pad(clip, (0, 2 * 16000))
    np.testing.assert_array_equal(tail.features(clip), bare.features(with_silence))
    assert tail.output_length(len(clip)) == bare.output_length(len(with_silence)) == 175
    assert transcribed(tail, [clip]) == transcribed(bare, [with_silence])
    batches = [f.collate(examples(f, [c])) for f, c in ((tail, clip), (bare, with_silence))]
    assert batches[0]["input_features"].shape[2] == 350
    for name, tensor in batches[0].items():
        assert torch.equal(tensor, batches[1][name]), name


def test_a_tail_takes_what_room_the_window_has(build, filling):
    family = build(audio_window="clip", audio_tail_seconds=2.0)
    for seconds, frames in ((1.0, 150), (3.0, 250), (4.0, 250), (WINDOW_SECONDS, 250)):
        assert family.output_length(int(seconds * 16000)) == frames
    assert family.impossible(WINDOW_SECONDS * 16000, [1]) is None
    assert family.features(filling).shape == (500, 80)
    assert build(audio_tail_seconds=2.0).output_length(16000) == 250  # native: the window

    """A window of 5 s here; without one a clip takes a multiple of half a second."""
    """A window of 5 s here; at their true length, clips take multiples of half a second."""
    native, tail = build(), build(audio_window="clip", audio_tail_seconds=2.0)
    assert native.window_samples == 5 * 16000
    assert [native.encoded_seconds(one) for one in (0.1, 5.0, 5.1)] == [5.0, 5.0, 10.0]
    assert [tail.encoded_seconds(one) for one in (0.1, 1.6, 4.9)] == [2.5, 4.0, 5.0]
    assert rows_by_length([1.0, 2.0, 3.0, 1.5], batch_seconds=10) == [[2, 1, 3], [0]]
    batches = rows_by_length([1.0, 2.0, 3.0, 1.5], batch_seconds=10, encoded=native.encoded_seconds)
    assert batches == [[2, 1], [3, 0]]


def test_a_tail_is_recorded_and_taken_up_again(build, clips, tmp_path):
    family = build(audio_window="clip", audio_tail_seconds=2.0)
    family.save(tmp_path)
    assert registry.load_family(tmp_path).usage.audio_tail_seconds == 2.0
    assert transcribed(registry.load_family(tmp_path), clips) == transcribed(family, clips)
    again = build(pretrained=str(tmp_path), language="en")
    assert again.usage.audio_tail_seconds == 2.0
    bare = build(pretrained=str(tmp_path), audio_tail_seconds=0.0)
    assert (bare.usage.audio_window, bare.usage.audio_tail_seconds) == ("clip", 0.0)


def test_a_tail_behind_clips_that_are_padded_to_the_window_is_said_to_have_no_effect(
    build, tmp_path, capsys
):
    build(audio_window="clip", audio_tail_seconds=2.0).save(tmp_path)
    build(pretrained=str(tmp_path), audio_tail_seconds=1.0)
    build()
    assert "audio_tail_seconds" not in capsys.readouterr().out
    assert build(audio_tail_seconds=2.0).usage.audio_window == "native"
    said = " ".join(capsys.readouterr().out.split())
    assert "model.audio_tail_seconds has no effect" in said and "model.audio_window=clip" in said


def test_clips_with_a_tail_decode_alike_in_any_batch(build, clips):
    family = build(audio_window="clip", audio_tail_seconds=1.0)
    train(family, family.collate(examples(family, clips)), rate=1e-3)
    mixed = [*clips, np.tile(clips[0], 2), clips[1][:4000]]
    together = transcribed(family, mixed)
    assert together == [transcribed(family, [one])[0] for one in mixed]
    assert len(set(together)) > 2


def test_a_transcript_is_bounded_by_the_length_of_its_clip(build, clips, written):
    family = build(audio_window="clip", generation_max_length=64)
    # The end is never written: what is left is a model that repeats itself.
    family.model.generation_config.suppress_tokens = [family._end]
    short, long = clips[0][:4000], clips[0]
    transcribed(family, [long, short])
    lengths = sorted(len(row) for row in written)
    # 32 tokens and 30 a second more; of the longer one the decoder holds 64, 4 of them the prompt.
    assert lengths == [32 + 8, 60]
    written.clear()
    transcribed(family, [short])
    assert len(written[0]) == 40


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_padding_of_a_batch_at_true_length_is_unseen(attention, build, clips):
    family = build(audio_window="clip", attn_implementation=attention)
    family.model.double().train()
    pair = [clips[2], np.tile(clips[0], 2)]  # 1.5 s and 3 s with the silence behind them
    rows = examples(family, pair)
    assert len(rows[0].features) != len(rows[1].features)
    full = gradients(family, [doubled(family.collate(rows))])
    parts = gradients(family, [doubled(family.collate([row])) for row in rows])
    for name, gradient in full.items():
        torch.testing.assert_close(gradient, parts[name], rtol=1e-8, atol=1e-10, msg=name)


def test_clips_of_any_length_decode_alike_in_any_batch_at_true_length(build, clips):
    family = build(audio_window="clip")
    train(family, family.collate(examples(family, clips)), rate=1e-3)
    mixed = [*clips, np.tile(clips[0], 2), clips[1][:4000]]
    together = transcribed(family, mixed)
    assert together == [transcribed(family, [one])[0] for one in mixed]
    assert len(set(together)) > 2


def test_a_recording_longer_than_the_window_is_transcribed_in_windows(build, filling):
    family = build()
    long = np.concatenate([filling, filling[:30000]])
    pieces = transcribed(family, [filling, filling[:30000]])
    assert transcribed(family, [long]) == [" ".join(filter(None, pieces))]
    assert "longer than the 5 s" in family.impossible(len(long), family.labels("a"))
    assert family.impossible(len(filling), family.labels("a")) is None


def test_with_timestamps_the_ends_of_a_clip_are_learned(build, clips):
    family = build(timestamps=True)
    tokens = family.tokenizer
    labels = family.labels("call anna")
    row = Example("a", family.features(clips[1]), labels, seconds=1.82)
    batch = family.collate([row])
    prompt = tokens.convert_ids_to_tokens(batch["decoder_input_ids"][0, :3].tolist())
    assert prompt == ["<|startoftranscript|>", "<|en|>", "<|transcribe|>"]
    learned = batch["labels"][0].tolist()
    assert len(learned) == len(labels)
    named = tokens.convert_ids_to_tokens([learned[0], *learned[-2:]])
    assert named == ["<|0.00|>", "<|1.82|>", "<|endoftext|>"]
    assert tokens.decode(learned, skip_special_tokens=True).strip() == "call anna"


def test_timestamps_are_written_by_their_rules_and_left_out_of_the_text(
    build, clips, tmp_path, written
):
    family = build(timestamps=True, generation_max_length=30)
    train(family, family.collate(examples(family, clips, ["call anna"] * 4)), steps=40, rate=3e-3)
    texts = transcribed(family, clips[:1])
    first = family.tokenizer.convert_tokens_to_ids("<|0.00|>")
    times = [token - first for token in written[0] if token >= first]
    assert written[0][0] >= first and times == sorted(times)
    assert "<|" not in texts[0]
    family.save(tmp_path)
    assert transcribed(registry.load_family(tmp_path), clips[:1]) == texts
    plain = WhisperForConditionalGeneration.from_pretrained(tmp_path)
    assert plain.generation_config.return_timestamps is True
    assert plain.generation_config.language == "en"


def test_a_language_that_nobody_says_is_detected_clip_by_clip(build, checkpoints, clips):
    family = build(language=None)
    plain = WhisperForConditionalGeneration.from_pretrained(checkpoints("whisper_asr")).eval()
    features = family._audio([family.features(clip) for clip in clips])["input_features"]
    encoded = plain.detect_language(features)
    names = [one[2:-2] for one in family.tokenizer.convert_ids_to_tokens(encoded.tolist())]
    assert transcribed(family, clips) == transcribed(family, clips, names)
    mixed = transcribed(family, clips, ["", "de", "", "fr"])
    assert mixed == transcribed(family, clips, [names[0], "de", names[2], "fr"])


def test_what_is_learned_and_left_out_of_decoding_is_named(checkpoints, capsys):
    for texts, said in ((["stop!", "now"], True), (["stop", "now"], False)):
        config = tiny(pretrained=str(checkpoints("whisper_asr")), language="en")
        registry.build(config, texts=texts, sample_rate=16000, offline=True)
        note = " ".join(capsys.readouterr().out.split())
        # By hand: one of eight characters, whose token the stand-in's generation config suppresses.
        assert ("have characters (12.5% of all)" in note) == said
        assert ("hardly ever writes: !." in note) == said


def test_suppressed_tokens_of_the_checkpoint_are_never_written(build, clips, written):
    family = build(generation_max_length=20)
    transcribed(family, clips[:1])
    said = set(written.pop()) - {family._end}
    generation = family.model.generation_config
    generation.suppress_tokens = [*copy.deepcopy(generation.suppress_tokens), *sorted(said)]
    transcribed(family, clips[:1])
    assert said and not said & set(written.pop())


def test_the_model_runs_beside_gradient_checkpointing_and_autocast(build, clips):
    family = build(audio_window="clip")
    batch = family.collate(examples(family, [clips[0], np.tile(clips[1], 2)]))
    plain = family.loss(family.model, batch).total.item()
    family.model.train()
    family.model.gradient_checkpointing_enable({"use_reentrant": False})
    again = family.loss(family.model, batch).total
    again.backward()
    assert again.item() == pytest.approx(plain, rel=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = family.loss(family.model, batch).total
    assert low.item() == pytest.approx(plain, rel=0.05)


def test_a_long_generation_is_left_between_two_tokens(build, filling):
    family = build()
    looks = []

    def check():
        looks.append(len(looks))
        if len(looks) == 3:
            raise KeyboardInterrupt

    with polled(check), pytest.raises(KeyboardInterrupt):
        family.transcribe([Clip(filling, "en", "")])
    assert len(looks) == 3
    family.transcribe([Clip(filling, "en", "")])
    assert len(looks) == 3
