"""All 13 architectures of AutoModelForCTC, pretrained: what holds for one holds for each."""

import copy
import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import standins_ctc
import torch
from conftest import TEXTS, doubled, examples, tiny, train
from transformers import AutoModelForCTC, AutoProcessor, AutoTokenizer

from mynah.models import ctc_models, hub, registry
from mynah.models.family import Example

KINDS = [kind for kinds in standins_ctc.BY_TYPE.values() for kind in kinds]
ONE_OF_EACH = [kinds[0] for kinds in standins_ctc.BY_TYPE.values()]
SHORT = ["call anna", "ten minutes", "nine", "next song"]

# Trained by the statistics of a batch.
WITH_BATCH_NORM = ["conformer_ctc", "parakeet_ctc", "lasr_ctc", "granite5_ctc"]


def build(folder, **settings):
    torch.manual_seed(0)
    config = tiny(pretrained=str(folder), **settings)
    return registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)


def head_of(family):
    model = family.model
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    head = base.get_submodule(ctc_models.head_of(base))
    return getattr(head, "modules_to_save", {"default": head})["default"]


def talk(family, clips):
    """Give the model a head whose transcripts of noise are long: no blank is ever the best."""
    head = head_of(family)
    batch = family.frontend.pad([family.features(clips[0])], len(family.features(clips[0])))
    with torch.no_grad():
        head.weight.copy_(torch.randn(head.weight.shape, generator=torch.manual_seed(1)))
        heard = family.model.eval()(**batch).logits[0]
        # Around what all frames have in common, which would else always be the same label.
        head.bias.sub_(heard.mean(0))
        for parameter in head.parameters():
            parameter.mul_(3 / heard.std(0).mean())
        head.bias[family.blank] = -1000.0


@pytest.fixture(scope="module")
def tuned(checkpoints, clips, tmp_path_factory):
    """Each kind trained for three steps, whole or with LoRA on all linear layers, and saved."""
    made = {}

    def of(kind, lora=False):
        if (kind, lora) in made:
            return made[kind, lora]
        targets = ["all-linear"] if lora else None
        family = build(checkpoints(kind), use_lora=lora, lora_target_modules=targets)
        rows = examples(family, clips, SHORT)
        before = {name: tensor.clone() for name, tensor in family.model.state_dict().items()}
        losses = train(family, family.collate(rows), rate=1e-3)
        after = {name: tensor.clone() for name, tensor in family.model.state_dict().items()}
        talk(family, clips)
        folder = tmp_path_factory.mktemp(kind)
        family.save(folder)
        made[kind, lora] = SimpleNamespace(
            family=family, losses=losses, before=before, after=after, folder=folder
        )
        if not lora:
            made[kind, lora].plain = AutoModelForCTC.from_pretrained(folder).eval()
        return made[kind, lora]

    return of


def test_each_class_of_transformers_has_a_stand_in():
    from transformers.models.auto.modeling_auto import MODEL_FOR_CTC_MAPPING_NAMES

    assert set(standins_ctc.BY_TYPE) == set(MODEL_FOR_CTC_MAPPING_NAMES)


@pytest.mark.parametrize("kind", KINDS)
def test_three_steps_lower_the_loss(kind, tuned):
    losses = tuned(kind).losses
    assert losses[-1] < losses[0] and np.isfinite(losses).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_says_what_its_clips_say_alone(kind, tuned, clips):
    family = tuned(kind).family
    together, alone = family.transcribe(clips), [family.transcribe([one])[0] for one in clips]
    assert together == alone
    assert min(map(len, together)) > 3
    posteriors = family.log_posteriors(clips)
    for clip, found in zip(clips, posteriors, strict=True):
        np.testing.assert_allclose(found, family.log_posteriors([clip])[0], atol=2e-3, rtol=1e-5)
        assert len(found) == family.output_length(len(clip))


@pytest.mark.parametrize("kind", KINDS)
def test_plain_transformers_loads_a_checkpoint_and_says_the_same(kind, tuned, clips):
    found = tuned(kind)
    if kind == "granite5_ctc":  # transformers' own extractor asks for torchaudio
        processor = AutoTokenizer.from_pretrained(found.folder)
        extractor = hub.feature_extractor(hub.Source(str(found.folder)))
    else:
        extractor = processor = AutoProcessor.from_pretrained(found.folder)
    for clip in clips[:2]:
        inputs = extractor(clip, sampling_rate=16000, return_tensors="pt")
        with torch.no_grad():
            best = found.plain(**inputs).logits.argmax(-1)
        theirs = processor.batch_decode(best, skip_special_tokens=True)
        assert [text.strip() for text in theirs] == found.family.transcribe([clip])


@pytest.mark.parametrize("lora", [False, True], ids=["whole", "lora"])
@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_a_checkpoint_comes_back_whole(kind, lora, tuned, clips):
    found = tuned(kind, lora)
    loaded = registry.load(found.folder)
    assert loaded.transcribe(clips) == found.family.transcribe(clips)
    assert loaded.labels(TEXTS[0]) == found.family.labels(TEXTS[0])
    weights = loaded.model.state_dict()
    for name, tensor in found.family.model.state_dict().items():
        # peft keeps the head as it was before training: never used, never saved.
        if "original_module" not in name:
            assert torch.equal(tensor, weights[name]), name


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_lora_trains_its_matrices_and_the_whole_head_and_nothing_else(kind, tuned):
    found = tuned(kind, lora=True)
    assert found.losses[-1] < found.losses[0]
    head = ctc_models.head_of(found.family.model.get_base_model())
    changed = set()
    for name, tensor in found.after.items():
        learns = ".lora_" in name or f"{head}.modules_to_save" in name
        if not learns:
            assert torch.equal(tensor, found.before[name]), name  # running statistics too
        elif not torch.equal(tensor, found.before[name]):
            changed.add("lora" if ".lora_" in name else "head")
    assert changed == {"lora", "head"}
    assert not any(".lora_" in name and f"{head}." in name for name in found.after)


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_merged_says_the_same_as_unmerged(kind, tuned, clips):
    family = tuned(kind, lora=True).family
    merged = copy.deepcopy(family.model).merge_and_unload().eval()
    features = family.features(clips[0])
    batch = family.frontend.pad([features], len(features))
    with torch.no_grad():
        expected = family.model.eval()(**batch).logits
        torch.testing.assert_close(merged(**batch).logits, expected, rtol=1e-4, atol=5e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_as_many_as_the_model_puts_out(kind, tuned):
    family = tuned(kind).family
    draw = np.random.default_rng(0)
    for samples in [*range(4000, 4340, 37), 6399, 6401, 8000, 9599, 9601, 11111]:
        features = family.features(draw.standard_normal(samples).astype(np.float32))
        assert len(features) == family.frontend.feature_length(samples)
        with torch.no_grad():
            logits = family.model(**family.frontend.pad([features], len(features))).logits
        assert family.output_length(samples) == logits.shape[1], samples


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_neither_the_loss_of_a_clip_nor_what_is_heard(kind, tuned, clips):
    family, plain = tuned(kind).family, tuned(kind).plain
    family.model.eval()
    rows = examples(family, clips, SHORT)

    def loss(row, beside):
        beside = [dataclasses.replace(one, weight=0.0) for one in beside if one is not row]
        with torch.no_grad():
            return family.loss(family.model, family.collate([row, *beside])).total.item()

    moved = max(abs(loss(row, rows) / loss(row, []) - 1) for row in rows)
    assert moved < 1e-5
    for row, ours in zip(rows, family.log_posteriors(clips), strict=True):
        batch = family.frontend.pad([row.features], len(row.features))
        with torch.no_grad():
            theirs = plain(**batch).logits[0].log_softmax(-1).numpy()
        np.testing.assert_allclose(ours, theirs, atol=2e-3, rtol=1e-5)  # of a spread of 3


@pytest.mark.parametrize("kind", WITH_BATCH_NORM)
def test_padding_is_not_part_of_what_a_batch_norm_is_trained_on(kind, checkpoints, clips):
    family = build(checkpoints(kind))
    family.model.double()
    longest = max(len(family.features(clip)) for clip in clips)
    found = []
    for more in (0, 57 * (160 if family.feature_seconds is None else 1)):
        model = copy.deepcopy(family.model).eval()  # no dropout
        norms = [part for part in model.modules() if isinstance(part, torch.nn.BatchNorm1d)]
        assert norms
        for norm in norms:
            norm.train()
        batch = family.frontend.pad([family.features(clip) for clip in clips], longest + more)
        logits = model(**doubled(batch)).logits[:, : family.output_length(len(clips[2]))]
        logits.square().sum().backward()
        learned = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        found.append((logits, learned, dict(model.named_buffers())))
    for once, padded in zip(*found, strict=True):
        torch.testing.assert_close(once, padded)


@pytest.mark.parametrize("samples", [0, 1, 100, 399, 400, 719, 720, 1000])
@pytest.mark.parametrize("kind", ["granite5_ctc", "lasr_ctc", "sew_ctc", "w2v_bert_ctc"])
def test_a_clip_too_short_to_hear_is_said_to_be_and_is_no_error(kind, samples, tuned):
    family = tuned(kind).family
    clip = np.zeros(samples, dtype=np.float32)
    assert isinstance(family.transcribe([clip])[0], str)
    if not family.output_length(samples):
        assert family.transcribe([clip]) == [""]
        assert "more than 0 encoder frames" in family.impossible(samples, [1])
    else:
        row = Example("short", family.features(clip), [])
        assert torch.isfinite(family.loss(family.model, family.collate([row])).total)
