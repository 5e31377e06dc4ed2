"""Every speech LLM of transformers, by its stand-in, through the real path."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import peft
import plain_audio_llm as plain
import pytest
import torch
from tiers import fast_where
from tiny_models import TEXTS, doubled, gradients, tiny, train
from transcripts import transcribed
from transformers import (
    AutoModelForMultimodalLM,
    AutoModelForSeq2SeqLM,
    Qwen2_5OmniThinkerForConditionalGeneration,
)

from mynah.models import registry
from mynah.models.audio_llm import loading
from mynah.models.audio_llm.registry import ARCHITECTURES
from mynah.models.family import Example
from mynah.models.pretrained import hub

KINDS = ARCHITECTURES.own
# Of each kind of frontend, one is in the fast tests throughout; all are in the long ones.
FAST = ("qwen3_asr", "granite_speech", "fun_asr_nano", "vibevoice_asr")
SOME = [pytest.param(kind, marks=() if kind in FAST else pytest.mark.long) for kind in KINDS]
CONDITIONED = ("qwen3_asr", "voxtral", "fun_asr_nano")  # which language is spoken
CLASSES = {
    "audioflamingo3": AutoModelForSeq2SeqLM,
    "qwen2_5_omni": Qwen2_5OmniThinkerForConditionalGeneration,
}
RATES = {"vibevoice_asr": 24000}
# Encoders that are not given the padding, or too late.
BLIND = ("granite_speech", "granite_speech_plus", "phi4_multimodal")


@pytest.fixture
def build(checkpoints):
    def built(kind, **settings):
        torch.manual_seed(0)
        config = tiny(pretrained=str(checkpoints(kind)), **settings)
        return registry.build(config, texts=TEXTS, sample_rate=RATES.get(kind, 16000), offline=True)

    return built


def examples(family, clips, *, language="en", context="", weights=None):
    return [
        Example(
            str(row), family.features(clip), family.labels(text),
            weights[row] if weights else 1.0, language, len(clip) / family.sample_rate, context,
        )
        for row, (clip, text) in enumerate(zip(clips, TEXTS, strict=False))
    ]  # fmt: skip


def still(family):
    """Without what is random in training."""
    for module in family.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in ("dropout", "attention_dropout", "activation_dropout", "layerdrop"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    if family.kind == "vibevoice_asr":  # noise that its encoder adds in training
        base = (
            family.model.get_base_model() if hasattr(family.model, "peft_config") else family.model
        )
        base.register_forward_pre_hook(
            lambda module, given, named: (given, {**named, "sample": False}), with_kwargs=True
        )
    return family


def plain_processor(kind, folder):
    return loading.audio_llm_processor(ARCHITECTURES.get(kind), hub.checkpoint(folder))


def plain_model(kind, folder):
    auto = CLASSES.get(kind, AutoModelForMultimodalLM)
    model = auto.from_pretrained(folder, dtype=torch.float32).eval()
    speech = Path(folder) / "speech-lora"  # Phi-4's own, which its model card loads by hand
    return (
        peft.PeftModel.from_pretrained(model, speech).merge_and_unload()
        if speech.exists()
        else model
    )


@pytest.mark.parametrize(
    ("kind", "lora"),
    fast_where(
        lambda kind, lora: (kind, lora) in ((FAST[0], True), (FAST[2], False)),
        itertools.product(KINDS, [False, True]),
    ),
)
def test_a_checkpoint_trains_decodes_and_comes_back(kind, lora, build, clips, tmp_path):
    family = still(build(kind, use_lora=lora))
    losses = train(family, family.collate(examples(family, clips)), rate=1e-3)
    assert losses[-1] < losses[0]
    together = transcribed(family, clips)
    assert any(together)
    assert together == [transcribed(family, [clip])[0] for clip in clips]
    assert together[::-1] == transcribed(family, clips[::-1])
    family.save(tmp_path)
    loaded = registry.load_family(tmp_path, offline=True)
    assert transcribed(loaded, clips) == together
    assert loaded.usage == family.usage
    assert loaded.labels(TEXTS[0]) == family.labels(TEXTS[0])
    weights = loaded.model.state_dict()
    for name, tensor in family.model.state_dict().items():
        assert torch.equal(tensor, weights[name]), name


@pytest.mark.parametrize("kind", SOME)
def test_inputs_and_transcripts_are_those_of_plain_transformers(kind, build, clips):
    family = build(kind)
    given = "en" if kind in CONDITIONED else ""
    for clip, context in zip(clips[:2], ("", "Anna, Paris"), strict=True):
        expected = plain.inputs(kind, family.processor, clip, given, context)
        prompt = family._requests.prompt(given, context, len(clip) / family.sample_rate)
        features = family.features(clip)
        tokens = family.output_length(len(clip))
        assert family._ids(prompt, tokens) == expected["input_ids"][0].tolist()
        ours = family.frontend.pad([features])
        for name, tensor in ours.items():
            torch.testing.assert_close(
                tensor.double(), expected[name].double(), rtol=1e-5, atol=1e-5, msg=name
            )
        said = plain.generate(kind, family.model, family.processor, expected, 8)
        assert transcribed(family, [clip], [given], [context]) == [said]


@pytest.mark.parametrize("kind", SOME)
def test_the_loss_is_the_models_own_over_the_transcripts_alone(kind, build, clips):
    family = still(build(kind))
    family.model.double()
    total, count = 0.0, 0
    for row, clip in enumerate(clips[:2]):
        made = plain.inputs(kind, family.processor, clip, "en")
        prompt = family._requests.prompt("en", "", len(clip) / family.sample_rate)
        learned = family.labels(TEXTS[row])
        ids = torch.tensor([[*made["input_ids"][0].tolist(), *prompt.given, *learned]])
        labels = torch.full_like(ids, -100)
        labels[0, -len(learned) :] = torch.tensor(learned)
        own = family.model(
            **doubled({**made, "input_ids": ids, "attention_mask": torch.ones_like(ids)}),
            labels=labels,
        ).loss
        total, count = total + own.item() * len(learned), count + len(learned)
    ours = family.loss(family.model, doubled(family.collate(examples(family, clips[:1]))))
    more = family.loss(family.model, doubled(family.collate(examples(family, clips[:2])[1:])))
    assert (ours.count + more.count).item() == count
    assert (ours.total + more.total).item() == pytest.approx(total, rel=1e-5)
    if kind not in BLIND:
        both = family.loss(family.model, doubled(family.collate(examples(family, clips[:2]))))
        assert both.total.item() == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("kind", SOME)
def test_any_split_of_a_batch_has_the_same_gradient(kind, build, clips):
    family = still(build(kind))
    family.model.double().train()
    for module in family.model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.eval()
    equal = [clip[: family.sample_rate * 5 // 4] for clip in [*clips[:2], *clips[3:]]]
    rows = examples(family, equal, weights=(1.0, 0.25, 0.0))
    entire = gradients(family, [doubled(family.collate(rows))])
    parts = gradients(family, [doubled(family.collate([row])) for row in rows])
    assert entire.keys() == parts.keys()
    for name, gradient in entire.items():
        torch.testing.assert_close(gradient, parts[name], rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize("kind", SOME)
def test_the_counted_tokens_are_those_of_processor_and_model(kind, build):
    family = build(kind)
    rate = family.sample_rate
    lengths = [*range(rate // 4, rate // 4 + 700, 53), rate, rate + 1, round(3.7 * rate)]
    for samples in lengths:
        clip = np.full(samples, 0.01, dtype=np.float32)
        batch = family.frontend.pad([family.features(clip)])
        assert len(family.features(clip)) == family.frontend.feature_length(samples)
        made = plain.inputs(kind, family.processor, clip)
        inserted = (made["input_ids"] == family._requests._audio_id).sum().item()
        assert family.output_length(samples) == inserted, samples
        if kind == "qwen2_audio":  # it refuses another number of tokens
            family.model(**made)
            continue
        with torch.no_grad():
            vectors = plain.vectors(kind, family.model, batch)
        if (mask := batch.get("input_features_mask")) is not None and vectors.ndim == 3:
            vectors = vectors[mask[:, : vectors.shape[1]].bool()]
        tokens = vectors.reshape(-1, vectors.shape[-1]).shape[0]
        assert inserted == tokens, samples


@pytest.mark.parametrize("kind", SOME)
def test_lora_trains_the_language_models_matrices_alone_and_merges(kind, build, clips):
    family = still(build(kind, use_lora=True))
    before = {name: tensor.clone() for name, tensor in family.model.state_dict().items()}
    batch = family.collate(examples(family, clips))
    train(family, batch, rate=1e-2)
    changed = {n for n, t in family.model.state_dict().items() if not torch.equal(t, before[n])}
    assert changed and all(".lora_" in name for name in changed)
    assert {family.part_of(name) for name in changed} == {"decoder"}
    transcripts = transcribed(family, clips)
    family.model.double().eval()
    with torch.no_grad():
        apart = family.loss(family.model, doubled(batch)).total
        merged = family.model.merge_and_unload()
        together = family.loss(merged, doubled(batch)).total
    assert together.item() == pytest.approx(apart.item(), rel=1e-9)
    family.model = merged.float()
    assert transcribed(family, clips) == transcripts


@pytest.mark.parametrize("kind", SOME)
def test_plain_transformers_and_peft_load_what_was_saved_and_say_the_same(
    kind, build, clips, tmp_path
):
    family = build(kind, use_lora=True)
    train(still(family), family.collate(examples(family, clips)), rate=1e-2)
    family.save(tmp_path / "adapter")
    said = transcribed(family, clips[:1])
    merged = family.model.merge_and_unload()
    family.model = merged
    family.save(tmp_path / "full")
    assert transcribed(family, clips[:1]) == said
    written = peft.PeftConfig.from_pretrained(tmp_path / "adapter")
    base = plain_model(kind, written.base_model_name_or_path)
    adapted = peft.PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    for model, folder in (
        (plain_model(kind, tmp_path / "full"), tmp_path / "full"),
        (adapted.get_base_model(), tmp_path / "adapter"),
    ):
        processor = plain_processor(kind, folder)
        made = plain.inputs(kind, processor, clips[0])
        assert [plain.generate(kind, model, processor, made, 8)] == said


@pytest.mark.parametrize("kind", SOME)
def test_prompt_and_audio_are_given_and_the_end_is_learned(kind, build, clips):
    family = build(kind)
    for context in ("", "Anna, Paris"):
        batch = family.collate(examples(family, clips, context=context))
        for row, text in enumerate(TEXTS[: len(clips)]):
            labels = batch["labels"][row]
            learned = labels[labels != -100].tolist()
            assert learned == family.labels(text) and learned[-1] == family._end
            first = int((labels != -100).int().argmax())
            assert (
                batch["input_ids"][row, first : first + len(learned)]
                == labels[first : first + len(learned)]
            ).all()
            assert (batch["input_ids"][row] == family._requests._audio_id)[first:].sum() == 0
    said = family.tokenizer.decode(
        family.labels('turn on the "kitchen" lights')[:-1], skip_special_tokens=True
    )
    assert (
        family._requests.transcript(
            family.tokenizer.decode(
                family._requests.prompt("", "", 1.0).given, skip_special_tokens=True
            )
            + said
        )
        == 'turn on the "kitchen" lights'
    )


@pytest.mark.parametrize("kind", SOME)
def test_names_and_terms_change_the_prompt_and_nothing_that_is_learned(kind, build, clips):
    family = build(kind)
    without = family.collate(examples(family, clips[:1]))
    given = family.collate(examples(family, clips[:1], context="Anna, Paris"))
    assert given["input_ids"].shape[1] > without["input_ids"].shape[1]
    text = family.tokenizer.decode(given["input_ids"][0])
    assert "Anna, Paris" in text and "Paris" not in family.tokenizer.decode(without["input_ids"][0])
    for name in without.keys() - {"input_ids", "attention_mask", "labels"}:
        assert torch.equal(without[name], given[name])
    learned = [batch["labels"][batch["labels"] != -100].tolist() for batch in (without, given)]
    assert learned[0] == learned[1]
    contexts = ["Anna, Paris", "", "Anna, Paris", ""]
    together = transcribed(family, clips, [""] * 4, contexts)
    assert together == [
        transcribed(family, [clip], [""], [context])[0]
        for clip, context in zip(clips, contexts, strict=True)
    ]
