"""Transducers from scratch and what holds for every transducer."""

import itertools
import math
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from test_transducer_loss import enumerated
from tiny_models import TEXTS, doubled, examples, gradients, make_talkative, tiny, train
from transcripts import transcribed
from transformers import AutoModelForRNNT, AutoModelForTDT, AutoProcessor

from mynah.config.schema import TransducerConfig
from mynah.errors import UserError
from mynah.models import registry
from mynah.models.family import Example
from mynah.models.transducer import family as transducer_family

KINDS = {"rnnt": 0, "tdt": 3}


def build(kind="rnnt", **options):
    torch.manual_seed(0)
    sizes = TransducerConfig(hidden_size=24, max_duration=KINDS[kind])
    config = tiny(family="transducer", transducer=sizes, **options)
    return registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)


@pytest.fixture(params=KINDS)
def family(request):
    return build(request.param)


@pytest.fixture
def talkative(family, clips):
    return make_talkative(family, clips)


@pytest.mark.parametrize("tokenizer", ["bpe", "character"])
@pytest.mark.parametrize("kind", KINDS)
def test_training_lowers_the_loss(kind, tokenizer, clips):
    family = build(kind, tokenizer=tokenizer)
    losses = train(family, family.collate(examples(family, clips)), rate=1e-3)
    assert losses == sorted(losses, reverse=True)


def test_the_loss_is_that_of_all_paths(family, clips):
    clip = clips[0][: int(0.2 * 16000)]
    labels = family.labels("call")
    batch = family.collate([Example("short", family.features(clip), labels)])
    frames = family.output_length(len(clip))
    assert frames > 3 and len(labels) > 1
    family.model.eval()
    with torch.no_grad():
        found = family.loss(family.model, batch)
        logits = family.model(
            input_features=batch["input_features"],
            attention_mask=batch["attention_mask"],
            decoder_input_ids=torch.tensor([[family.blank, *labels]]),
        ).logits[0, :frames]
    expected = enumerated(logits, labels, family.durations or None)
    assert family.blank == 0  # what the reference takes for a blank
    assert found.total.item() == pytest.approx(expected, rel=1e-5)
    assert found.count == len(labels)


def test_the_loss_of_a_tdt_is_that_of_transformers(clips):
    family = build("tdt")
    batch = family.collate(examples(family, clips))
    family.model.eval()
    with torch.no_grad():
        own = family.loss(family.model, batch)
        reference = family.model(
            input_features=batch["input_features"],
            attention_mask=batch["attention_mask"],
            decoder_input_ids=batch["decoder_input_ids"],
            labels=batch["labels"],
            output_attention_mask=True,
            reduction="sum",
        ).loss
    torch.testing.assert_close(own.total, reference)
    assert own.count == sum(len(family.labels(text)) for text in TEXTS[: len(clips)])


def test_clips_in_which_nobody_speaks_are_learned_from(family, clips):
    batch = family.collate(examples(family, clips, texts=["" for _ in clips]))
    loss = family.loss(family.model, batch)
    assert loss.count == len(clips) and loss.total > 0
    losses = train(family, batch)
    assert losses[-1] < losses[0]


def test_a_row_of_weight_zero_changes_nothing(family, clips):
    family.model.eval()
    rows = examples(family, clips)
    filler = Example("filler", rows[0].features, rows[0].labels, weight=0.0)
    own = gradients(family, [family.collate(rows[:2])])
    filled = gradients(family, [family.collate([*rows[:2], filler])])
    for name, gradient in own.items():
        torch.testing.assert_close(gradient, filled[name], atol=1e-5, rtol=1e-4)


def test_a_weight_counts_an_utterance_and_its_tokens_so_much(family, clips):
    family.model.eval()
    rows = examples(family, clips)
    weighed = [Example(one.id, one.features, one.labels, weight=0.25) for one in rows[:2]]
    with torch.no_grad():
        once = family.loss(family.model, family.collate(rows[:2]))
        quarter = family.loss(family.model, family.collate(weighed))
    torch.testing.assert_close(quarter.total, once.total / 4)
    torch.testing.assert_close(quarter.count, once.count / 4)


def test_the_gradient_does_not_depend_on_how_a_batch_is_split(family, clips):
    family.model.double().eval()
    rows = examples(family, clips)
    full = gradients(family, [doubled(family.collate(rows))])
    assert set(full) == {name for name, _ in family.model.named_parameters()}
    for parts in ([rows[:1], rows[1:3], rows[3:]], [[one] for one in rows]):
        split = gradients(family, [doubled(family.collate(part)) for part in parts])
        for name, gradient in full.items():
            torch.testing.assert_close(gradient, split[name], atol=1e-10, rtol=1e-8)


def test_a_transcript_does_not_depend_on_the_batch(talkative, clips):
    together = transcribed(talkative, clips)
    assert all(len(set(text)) > 3 for text in together)
    assert together == [transcribed(talkative, [clip])[0] for clip in clips]
    assert together[::-1] == transcribed(talkative, clips[::-1])


def test_plain_transformers_loads_a_checkpoint_and_says_the_same(talkative, clips, tmp_path):
    talkative.save(tmp_path)
    processor = AutoProcessor.from_pretrained(tmp_path)
    kind = AutoModelForTDT if talkative.durations else AutoModelForRNNT
    model = kind.from_pretrained(tmp_path).eval()
    for clip, ours in zip(clips, transcribed(talkative, clips), strict=True):
        inputs = processor([clip], sampling_rate=16000)
        said = processor.batch_decode(model.generate(**inputs).sequences, skip_special_tokens=True)
        assert said[0].strip() == ours


def test_a_saved_model_says_the_same(talkative, clips, tmp_path):
    talkative.save(tmp_path)
    loaded = registry.load_family(tmp_path)
    assert type(loaded) is type(talkative)
    assert transcribed(loaded, clips) == transcribed(talkative, clips)
    weights = loaded.model.state_dict()
    for name, tensor in talkative.model.state_dict().items():
        assert torch.equal(tensor, weights[name]), name


@pytest.mark.parametrize("damage", ["missing", "left over"])
def test_a_checkpoint_with_other_weights_is_refused(damage, family, tmp_path):
    family.save(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    if damage == "missing":
        del weights["decoder.lstm.weight_hh_l0"]
    else:
        weights["joint.extra"] = torch.zeros(1)
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=damage):
        registry.load_family(tmp_path)


def test_decoding_leaves_the_model_in_training_mode_and_without_gradients(family, clips):
    family.model.train()
    transcribed(family, clips)
    assert family.model.training
    assert all(parameter.grad is None for parameter in family.model.parameters())


def test_a_clip_too_short_to_encode_has_an_empty_transcript(talkative, clips):
    texts = transcribed(talkative, [clips[0][:10], clips[0], clips[0][:0]])
    assert texts[0] == texts[2] == "" and texts[1]


def test_labels_at_one_frame_come_to_an_end(family, clips):
    with torch.no_grad():  # never a blank, and no duration but none
        family.model.joint.head.bias[family.blank] = -100.0
        if family.durations:
            family.model.joint.head.bias[-len(family.durations)] = 100.0
    found_now = [len(family.labels(text)) for text in transcribed(family, clips[:1])]
    frames = family.output_length(len(clips[0]))
    assert 0 < found_now[0] <= family.model.config.max_symbols_per_step * frames


def test_any_number_of_labels_fits_into_a_frame_but_not_into_none(family, clips):
    one_frame = next(n for n in itertools.count(0, 160) if family.output_length(n) == 1)
    assert family.impossible(one_frame, [2] * 50) is None
    assert family.impossible(0, []) == "there are 0 encoder frames"
    silent = Example("speaker-7", family.features(clips[0])[:0], [])
    with pytest.raises(UserError, match="0 encoder frames") as caught:
        family.collate([silent])
    assert "speaker-7" in str(caught.value)


@settings(max_examples=80, deadline=None)
@given(
    frames=st.integers(1, 7),
    labels=st.integers(0, 4),
    durations=st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True),
)
def test_what_is_called_impossible_has_no_path(frames, labels, durations):
    logits = torch.zeros(frames, labels + 1, 2 + len(durations))
    exists = math.isfinite(enumerated(logits, [1] * labels, durations))
    assert transducer_family._has_path(frames, labels, tuple(durations)) == exists


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_lengths_are_those_that_the_model_puts_out(factor):
    config = tiny(family="transducer")
    config.encoder.subsampling_factor = factor
    family = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    family.model.eval()
    for samples in range(1600, 9000, 371):
        features = family.features(torch.ones(samples).numpy())
        batch = family.frontend.pad([features], len(features))
        with torch.no_grad():
            encoded = family.model.get_audio_features(**batch).pooler_output
        assert family.output_length(samples) == encoded.shape[1], samples


def test_a_family_goes_to_a_worker_without_its_model(family, clips):
    sent = pickle.loads(pickle.dumps(family))
    assert sent.model is None
    ours, theirs = (one.collate(examples(one, clips)) for one in (family, sent))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_table_of_parameters_counts_them_all(family):
    rows = family.parameter_table()
    assert [row[0] for row in rows] == ["encoder", "encoder_projector", "decoder", "joint"]
    assert sum(row[1] for row in rows) == sum(p.numel() for p in family.model.parameters())


def test_a_checkpoint_of_ours_can_be_trained_on(talkative, clips, tmp_path):
    talkative.save(tmp_path)
    family = registry.build(
        tiny(pretrained=str(tmp_path)), texts=TEXTS, sample_rate=16000, offline=True
    )
    assert transcribed(family, clips) == transcribed(talkative, clips)
    losses = train(family, family.collate(examples(family, clips)), rate=1e-3)
    assert losses[-1] < losses[0]
