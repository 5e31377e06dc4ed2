"""Encoder, projector and language model of a speech LLM, each learning in its own way."""

import itertools
import json

import pytest
import torch
from speech_llms import build, go_on
from tiers import fast_where
from tiny_models import TEXTS, examples, tiny, train
from transcripts import transcribed

from mynah.config.schema import ModelConfig
from mynah.errors import UserError
from mynah.models import registry
from mynah.models.transcript import Clip

# Encoder, projector, language model.
FAST = (
    ("frozen", "full", "frozen"),
    ("frozen", "frozen", "lora"),
    ("lora", "full", "lora"),
    ("full", "frozen", "frozen"),
    ("full", "full", "full"),
)


def trained(family):
    """Parts of which something is trained, LoRA matrices by the part they are in."""
    return {
        name.split(".")[0] + (" by LoRA" if ".lora_" in name else "")
        for name, parameter in family.model.named_parameters()
        if parameter.requires_grad
    }


@pytest.mark.parametrize(
    ("encoder", "projector", "decoder"),
    fast_where(
        lambda *one: one in FAST,
        [
            one
            for one in itertools.product(
                ("frozen", "lora", "full"), ("frozen", "full"), ("frozen", "lora", "full")
            )
            if one != ("frozen", "frozen", "frozen")
        ],
    ),
)
def test_each_part_learns_as_the_settings_say_and_what_is_frozen_stays_bit_for_bit(
    encoder, projector, decoder, checkpoints, clips, tmp_path
):
    family = build(
        checkpoints,
        "parakeet_ctc",
        encoder_tuning=encoder,
        projector_tuning=projector,
        decoder_tuning=decoder,
    )
    before = {name: tensor.clone() for name, tensor in family.model.state_dict().items()}
    train(family, family.collate(examples(family, clips)), steps=2)
    changed = {n for n, t in family.model.state_dict().items() if not torch.equal(t, before[n])}
    parts_of = {"encoder": encoder, "projector": projector, "language_model": decoder}
    wanted = {
        part + (" by LoRA" if how == "lora" else "")
        for part, how in parts_of.items()
        if how != "frozen"
    }
    assert trained(family) == wanted
    found = {name.split(".")[0] + (" by LoRA" if ".lora_" in name else "") for name in changed}
    assert found == wanted
    counted = {
        part: sum(
            parameter.numel()
            for name, parameter in family.model.named_parameters()
            if parameter.requires_grad and name.split(".")[0] == part
        )
        for part in parts_of
    }
    assert {part: count for part, _, count in family.parameter_table()} == counted
    family.save(tmp_path)
    folders = {path.parent.name for path in tmp_path.rglob("*/*.safetensors")}
    names = {
        ("encoder", "lora"): "encoder_adapter",
        ("encoder", "full"): "encoder",
        ("language_model", "lora"): "adapter",
        ("language_model", "full"): "language_model",
    }
    assert folders == {names[one] for one in parts_of.items() if one in names}
    loaded = registry.load_family(tmp_path)
    assert loaded.parameter_table() == family.parameter_table()
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, family.model.state_dict()[name])


def lora_paths(part):
    return {
        name.removeprefix("base_model.model.").partition(".lora_")[0]
        for name, _ in part.named_parameters()
        if ".lora_A." in name
    }


def test_lora_targets_are_addressed_by_the_part_they_are_in(checkpoints):
    family = build(
        checkpoints,
        encoder_tuning="lora",
        use_lora=True,
        lora_target_modules=["encoder.q_proj", "decoder.layers.0.self_attn.v_proj", "fc1"],
    )
    layers = range(2)
    assert lora_paths(family.model.encoder) == {
        *(f"layers.{i}.self_attn.q_proj" for i in layers),
        *(f"layers.{i}.fc1" for i in layers),
    }
    assert lora_paths(family.model.language_model) == {"model.layers.0.self_attn.v_proj"}


def test_a_part_that_no_target_is_meant_in_gets_what_suits_it(checkpoints):
    family = build(
        checkpoints, encoder_tuning="lora", use_lora=True, lora_target_modules=["decoder.q_proj"]
    )
    assert {path.rsplit(".", 1)[1] for path in lora_paths(family.model.encoder)} == {
        "q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2",
    }  # fmt: skip
    assert {path.rsplit(".", 1)[1] for path in lora_paths(family.model.language_model)} == {
        "q_proj"
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lora_target_modules": ["q_pro"]}, "q_proj"),
        ({"lora_target_modules": ["decoder.fc1"]}, "gate_proj"),
        ({"lora_target_modules": ["encoder.fc1"]}, "encoder_tuning=lora"),
        ({"encoder_tuning": "lora", "lora_target_modules": ["gate_proj"]}, "in the encoder"),
    ],
    ids=str,
)
def test_a_target_that_names_nothing_is_answered_with_what_could(settings, message, checkpoints):
    with pytest.raises(UserError) as caught:
        build(checkpoints, use_lora=True, **settings)
    assert message in str(caught.value)


def test_a_training_continues_with_other_parts_from_what_it_knows(checkpoints, clips, tmp_path):
    family = build(checkpoints, decoder_tuning="frozen", new_tokens=["<laughter>"])
    stages = [
        ({}, {"projector", "new_tokens"}),
        ({"use_lora": True}, {"projector", "new_tokens", "language_model by LoRA"}),
        (
            {"encoder_tuning": "lora", "projector_tuning": "frozen"},
            {"new_tokens", "language_model by LoRA", "encoder by LoRA"},
        ),
        ({"encoder_tuning": "full", "decoder_tuning": "full"}, {"encoder", "language_model"}),
        (
            {"encoder_tuning": "frozen", "use_lora": True, "decoder_tuning": "lora"},
            {"language_model by LoRA"},
        ),
        ({"decoder_tuning": "frozen", "projector_tuning": "full"}, {"projector"}),
    ]
    for number, (settings, learns) in enumerate(stages):
        train(family, family.collate(examples(family, clips)), steps=2)
        family.save(tmp_path / str(number))
        before = transcribed(family, clips)
        family = go_on(tmp_path / str(number), **settings)
        assert trained(family) == learns
        assert transcribed(family, clips) == before
    family.save(tmp_path / "last")
    assert transcribed(registry.load_family(tmp_path / "last"), clips) == before


def test_a_training_in_which_nothing_would_learn_does_not_start(checkpoints, tmp_path):
    build(checkpoints, decoder_tuning="frozen").save(tmp_path)
    with pytest.raises(UserError, match="Nothing would be trained"):
        go_on(tmp_path, projector_tuning="frozen")


def test_a_parameter_is_of_the_part_that_it_is_in(checkpoints):
    family = build(checkpoints, use_lora=True, new_tokens=["<laughter>"], ctc_head_weight=0.3)
    parts = {}
    for name, _ in family.model.named_parameters():
        parts.setdefault(family.part_of(name), set()).add(name.split(".")[0])
    assert parts == {
        "encoder": {"encoder"},
        "projector": {"projector", "ctc_head"},
        "decoder": {"language_model", "new_tokens"},
    }


# The CTC head


def test_a_ctc_head_adds_its_mean_to_that_of_the_language_model(checkpoints, clips):
    weight = 0.3
    family = build(checkpoints, ctc_head_weight=weight, tokenizer="character")
    model = family.model.eval()
    rows = examples(family, clips)
    batch = family.collate(rows)
    with torch.no_grad():
        loss = family.loss(model, batch)
        family.ctc.weight = 0.0
        without = family.loss(model, batch)
        extra = 0.0
        for row in rows:
            one = family.collate([row])
            encoded = model.encode(one["input_features"], one["feature_lengths"])
            chances = model.ctc_head(encoded).log_softmax(-1).transpose(0, 1)
            labels = torch.tensor([row.labels.ctc])
            # torch's own mean is over the labels of an utterance.
            own = torch.nn.functional.ctc_loss(
                chances, labels, (len(chances),), (labels.shape[1],), blank=family.ctc.blank
            )
            extra += weight * own.item() * len(row.labels)
    assert loss.count == without.count
    assert (loss.total - without.total).item() == pytest.approx(extra, rel=1e-4)


def test_the_gradient_of_both_losses_does_not_depend_on_how_a_batch_is_split(checkpoints, clips):
    from tiny_models import doubled, gradients

    family = build(checkpoints, encoder_tuning="full", ctc_head_weight=0.5)
    family.model.double().eval()
    rows = examples(family, clips)
    full = gradients(family, [doubled(family.collate(rows))])
    split = gradients(family, [doubled(family.collate(part)) for part in (rows[:1], rows[1:])])
    assert "ctc_head.weight" in full
    for name, gradient in full.items():
        torch.testing.assert_close(gradient, split[name], atol=1e-10, rtol=1e-7)


def test_a_ctc_head_needs_frames_for_its_labels(checkpoints):
    settings = {"encoder_tuning": "full", "tokenizer": "character"}
    with_head = build(checkpoints, "parakeet_ctc", ctc_head_weight=0.3, **settings)
    without = build(checkpoints, "parakeet_ctc", **settings)
    text = "a" * 20  # 20 labels and 19 blanks between them, over 13 frames of a second
    assert "more than 13 encoder frames" in with_head.impossible(16000, with_head.labels(text))
    assert without.impossible(16000, without.labels(text)) is None
    assert with_head.impossible(16000, with_head.labels("abc")) is None
    assert with_head.impossible(16000, range(20)) is not None  # as many as a text may have


@pytest.mark.parametrize("tokenizer", ["bpe", "character"])
def test_a_ctc_head_comes_back_with_its_tokenizer(tokenizer, checkpoints, clips, tmp_path):
    family = build(checkpoints, use_lora=True, ctc_head_weight=0.3, tokenizer=tokenizer)
    batch = family.collate(examples(family, clips))
    train(family, batch)
    family.save(tmp_path)
    loaded = registry.load_family(tmp_path)
    assert loaded.labels(TEXTS[0]).ctc == family.labels(TEXTS[0]).ctc
    with torch.no_grad():
        own = family.loss(family.model, batch)
        theirs = loaded.loss(loaded.model, batch)
    assert torch.equal(own.total, theirs.total)
    again = go_on(tmp_path, ctc_head_weight=0.7)
    assert again.ctc.weight == 0.7
    assert torch.equal(again.model.ctc_head.weight, family.model.ctc_head.weight)
    (tmp_path / "ctc_head.safetensors").unlink()
    with pytest.raises(UserError, match="missing"):
        registry.load_family(tmp_path)


def test_a_ctc_head_may_come_later(checkpoints, clips, tmp_path):
    build(checkpoints, use_lora=True).save(tmp_path)
    family = go_on(tmp_path, ctc_head_weight=0.3)
    losses = train(family, family.collate(examples(family, clips)))
    assert losses[-1] < losses[0]


def test_training_further_takes_the_instruction_and_the_length_that_are_given(
    checkpoints, clips, tmp_path
):
    first = build(checkpoints, generation_max_length=7)
    first.save(tmp_path)
    fresh = build(checkpoints, prompt="Write what is said.")
    again = go_on(tmp_path, prompt="Write what is said.", generation_max_length=3)
    ids = fresh.collate(examples(fresh, clips[:2]))["input_ids"]
    assert not torch.equal(first.collate(examples(first, clips[:2]))["input_ids"], ids)
    assert torch.equal(again.collate(examples(again, clips[:2]))["input_ids"], ids)
    again.save(tmp_path / "again")
    recorded = json.loads((tmp_path / "again" / "config.json").read_text())
    assert recorded["prompt"] == "Write what is said."
    assert recorded["generation_max_length"] == 3
    assert go_on(tmp_path).model.config.prompt == "Transcribe the speech."


def test_a_checkpoint_is_decoded_with_the_length_that_is_asked_for(checkpoints, clips, tmp_path):
    made = build(checkpoints, generation_max_length=4)
    made.save(tmp_path)
    loaded = registry.load_family(tmp_path)

    def longest():
        return max(len(one.tokens) for one in loaded.transcribe([Clip(clip) for clip in clips[:3]]))

    assert longest() == 4
    loaded.configure_decoding(ModelConfig())  # which says no more than the default
    assert longest() == 4
    for most in (2, 9):
        loaded.configure_decoding(tiny(generation_max_length=most))
        assert longest() == most
