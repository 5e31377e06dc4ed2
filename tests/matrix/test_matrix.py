"""Every check on every architecture; what is declared to fail must fail."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES
from lengths import LENGTHS
from subjects import (
    Subject,
    halved,
    loss_of,
    merged,
    plainly_adapted,
    plainly_loaded,
    put_out,
    rows_of,
    state,
    train,
)
from tiny_models import doubled
from transcripts import transcribed

from mynah.models import registry


def lines(check, often=lambda one: one.often):
    """Every architecture; strictly an expected failure where its line says so."""
    cases = []
    for one in ARCHITECTURES:
        marks = [] if often(one) else [pytest.mark.long]
        if reason := one.fails.get(check):
            marks.append(pytest.mark.xfail(strict=True, raises=AssertionError, reason=reason))
        cases.append(pytest.param(one, id=one.id, marks=marks))
    return pytest.mark.parametrize("subject", cases, indirect=True)


def is_first_of_its_family(one):
    return one is next(other for other in ARCHITECTURES if other.family == one.family)


def is_sampled(one):
    """Of recognizers with CTC and of encoders before a language model some: their own tests try all
    kinds of these. Of the others all that are often tried."""
    if one.family not in ("ctc", "speech_llm") or is_first_of_its_family(one):
        return one.often
    return one.often and not ARCHITECTURES.index(one) % 4


@pytest.fixture(scope="module")
def sounds():
    """Tones that rise and fall, float32 [samples] each: no two clips sound alike."""
    draw = np.random.default_rng(0)
    clips = []
    for seconds, low, high in (
        (1.5, 200, 900),
        (1.82, 3000, 400),
        (1.24, 600, 600),
        (1.8, 1500, 6000),
    ):
        time = np.arange(int(16000 * seconds)) / 16000
        pitch = np.linspace(low, high, len(time))
        tone = np.sin(2 * np.pi * np.cumsum(pitch) / 16000) * np.sin(2 * np.pi * 4 * time) ** 2
        clips.append((0.3 * tone + 0.02 * draw.standard_normal(len(time))).astype(np.float32))
    return clips


@pytest.fixture(scope="module")
def subject(request, checkpoints, sounds):
    return Subject(request.param, checkpoints, sounds)


@lines("train", often=is_first_of_its_family)
def test_three_steps_lower_the_loss(subject):
    family, before, after = subject.trained
    assert type(family.model).__name__ == subject.architecture.model
    assert family.name == subject.architecture.family
    assert np.isfinite(before) and after < before


@lines("lora", often=is_first_of_its_family)
def test_lora_trains_what_the_table_says_and_merges(subject):
    family, before, after = subject.trained_lora
    assert after < before
    trainable = {n for n, p in family.model.named_parameters() if p.requires_grad}
    original = subject.adapted.model.state_dict()
    weights = family.model.state_dict()
    changed = {name for name, tensor in weights.items() if not torch.equal(tensor, original[name])}
    assert changed == trainable
    reported = sum(trained for _, _, trained in family.parameter_table())
    assert sum(weights[name].numel() for name in changed) == reported
    model = merged(family)
    assert not any("lora_" in name for name in model.state_dict())
    assert loss_of(family, subject.batch, model) == pytest.approx(after, rel=1e-5)


@lines("save", often=is_first_of_its_family)
def test_what_is_saved_comes_back_and_plain_libraries_load_it(subject, tmp_path):
    family = subject.talking
    family.save(tmp_path / "full")
    loaded = registry.load_family(tmp_path / "full", offline=True)
    said = transcribed(family, subject.clips)
    assert transcribed(loaded, subject.clips) == said
    assert loaded.labels("call anna") == family.labels("call anna")
    assert loss_of(loaded, subject.batch) == loss_of(family, subject.batch)
    assert_equal(state(loaded.model), state(family.model))
    assert_equal(state(plainly_loaded(family, tmp_path / "full")), state(family.model))

    family, _, loss = subject.trained_lora
    family.save(tmp_path / "adapter")
    loaded = registry.load_family(tmp_path / "adapter", offline=True)
    assert loss_of(loaded, subject.batch) == loss
    assert transcribed(loaded, subject.clips[:1]) == transcribed(family, subject.clips[:1])
    assert loaded.parameter_table() == family.parameter_table()
    assert loaded.base_revisions() == family.base_revisions()
    plain = plainly_adapted(family, subject.folders[0], tmp_path / "adapter")
    assert_equal(state(plain), state(family.model))


@lines("transcripts", often=is_sampled)
def test_a_transcript_does_not_depend_on_its_batch(subject):
    family = subject.talking
    together = transcribed(family, subject.clips)
    assert len(set(together)) > 1
    assert together == [transcribed(family, [clip])[0] for clip in subject.clips]
    assert together[::-1] == transcribed(family, subject.clips[::-1])


@lines("loss", often=is_sampled)
def test_the_loss_of_an_utterance_does_not_depend_on_its_batch(subject):
    family = subject.full
    model = copy.deepcopy(family.model).double().eval()
    batches = [family.collate([row]) for row in rows_of(family, subject.clips)]
    with torch.no_grad():
        losses = [family.loss(model, doubled(batch)).total.item() for batch in batches]
        together = family.loss(model, doubled(subject.batch)).total.item()
    assert together == pytest.approx(sum(losses), rel=1e-5)


@lines("length", often=is_sampled)
def test_the_length_is_that_of_what_the_model_puts_out(subject):
    family = subject.full
    family.model.eval()
    noise = np.random.default_rng(0).standard_normal(max(LENGTHS)).astype(np.float32)
    reported, made = {}, {}
    for samples in LENGTHS:
        reported[samples] = family.output_length(samples)
        # Where there is no frame there is nothing to encode, and the model is never asked.
        made[samples] = put_out(family, noise[:samples]) if reported[samples] else 0
    assert reported == made
    too_short = [samples for samples, frames in reported.items() if not frames]
    assert all(family.impossible(samples, family.labels("a")) for samples in too_short)
    assert transcribed(family, [noise[:samples] for samples in too_short]) == [""] * len(too_short)


@lines("half", often=is_first_of_its_family)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["fp16", "bf16"])
def test_a_file_in_half_precision_is_trained_as_master_weights_in_full(subject, dtype, tmp_path):
    folders = [halved(one, tmp_path / str(i), dtype) for i, one in enumerate(subject.folders)]
    family = subject.build(folders)
    assert {p.dtype for p in family.model.parameters()} == {torch.float32}
    assert {b.dtype for b in family.model.buffers() if b.is_floating_point()} <= {torch.float32}
    before = loss_of(family, subject.batch)
    train(family, subject.batch)
    assert loss_of(family, subject.batch) < before


def assert_equal(ours, theirs):
    """To the bit, name by name."""
    assert ours.keys() == theirs.keys()
    different = [name for name, tensor in ours.items() if not torch.equal(tensor, theirs[name])]
    assert not different
