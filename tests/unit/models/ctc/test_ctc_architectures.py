"""All 13 architectures of AutoModelForCTC: what tests/matrix does not ask of every family."""

import copy
import dataclasses
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import standins_ctc
import torch
from tiers import fast_where
from tiny_models import TEXTS, doubled, examples, tiny, train
from transcripts import transcribed
from transformers import AutoModelForCTC, AutoProcessor, AutoTokenizer

from mynah.models import registry
from mynah.models.ctc import loading
from mynah.models.family import Example
from mynah.models.pretrained import hub

KINDS = [kind for kinds in standins_ctc.BY_TYPE.values() for kind in kinds]
ONE_OF_EACH = [kinds[0] for kinds in standins_ctc.BY_TYPE.values()]
# Of waves with and without group norm, of log-mel features, and what folds in its layers.
FAST = ("wav2vec2_ctc", "wav2vec2_ctc_layer_norm", "w2v_bert_ctc", "parakeet_ctc", "granite5_ctc")
SOME = fast_where(lambda kind: kind in FAST, KINDS)
SHORT = ["call anna", "ten minutes", "nine", "next song"]

# Trained by the statistics of a batch.
WITH_BATCH_NORM = [
    "hubert_batch_norm_ctc", "conformer_ctc", "parakeet_ctc", "lasr_ctc", "granite5_ctc",
]  # fmt: skip


def build(folder, **settings):
    torch.manual_seed(0)
    config = tiny(pretrained=str(folder), **settings)
    return registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)


def head_of(family):
    model = family.model
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    head = base.get_submodule(loading.head_of(base))
    return getattr(head, "modules_to_save", {"default": head})["default"]


def talk(family, clips):
    """Give the model a head whose transcripts of noise are long: no special token is the best."""
    head = head_of(family)
    batch = family.frontend.pad([family.features(clips[0])], len(family.features(clips[0])))
    with torch.no_grad():
        head.weight.copy_(torch.randn(head.weight.shape, generator=torch.manual_seed(1)))
        encoded = family.model.eval()(**batch).logits[0]
        # Around what all frames have in common, which would else always be the same label.
        head.bias.sub_(encoded.mean(0))
        for parameter in head.parameters():
            parameter.mul_(3 / encoded.std(0).mean())
        head.bias[family.tokenizer.all_special_ids] = -1000.0


@pytest.fixture(scope="module")
def talking(checkpoints, clips, tmp_path_factory):
    """Each kind with a talkative head, saved, and what plain transformers makes of the folder."""
    made = {}

    def of(kind):
        if kind not in made:
            family = build(checkpoints(kind))
            talk(family, clips)
            folder = tmp_path_factory.mktemp(kind)
            family.save(folder)
            plain = AutoModelForCTC.from_pretrained(folder).eval()
            made[kind] = SimpleNamespace(family=family, folder=folder, plain=plain)
        return made[kind]

    return of


def test_each_class_of_transformers_has_a_stand_in():
    from transformers.models.auto.modeling_auto import MODEL_FOR_CTC_MAPPING_NAMES

    assert set(standins_ctc.BY_TYPE) == set(MODEL_FOR_CTC_MAPPING_NAMES)


@pytest.mark.parametrize("kind", SOME)
def test_a_batch_says_what_its_clips_say_alone(kind, talking, clips):
    family = talking(kind).family
    together, alone = transcribed(family, clips), [transcribed(family, [one])[0] for one in clips]
    assert together == alone
    assert min(map(len, together)) > 1
    posteriors = family.log_posteriors(clips)
    for clip, found in zip(clips, posteriors, strict=True):
        np.testing.assert_allclose(found, family.log_posteriors([clip])[0], atol=2e-3, rtol=1e-5)
        assert len(found) == family.output_length(len(clip))


@pytest.mark.parametrize("kind", SOME)
def test_plain_transformers_loads_a_checkpoint_and_says_the_same(kind, talking, clips):
    found = talking(kind)
    if kind == "granite5_ctc":  # transformers' own extractor asks for torchaudio
        processor = AutoTokenizer.from_pretrained(found.folder)
        extractor = hub.feature_extractor(hub.checkpoint(found.folder))
    else:
        extractor = processor = AutoProcessor.from_pretrained(found.folder)
    for clip in clips[:2]:
        inputs = extractor(clip, sampling_rate=16000, return_tensors="pt")
        with torch.no_grad():
            best = found.plain(**inputs).logits.argmax(-1)
        theirs = processor.batch_decode(best)  # as transformers' pipeline does
        assert [text.strip() for text in theirs] == transcribed(found.family, [clip])


@pytest.mark.parametrize("kind", fast_where(lambda kind: kind in ONE_OF_EACH[::4], ONE_OF_EACH))
def test_all_linear_layers_get_lora_but_the_head_which_is_trained_in_full(kind, checkpoints, clips):
    family = build(checkpoints(kind), use_lora=True, lora_target_modules=["all-linear"])
    before = {name: tensor.clone() for name, tensor in family.model.state_dict().items()}
    rows = examples(family, clips, SHORT)
    losses = train(family, family.collate(rows), steps=2, rate=1e-3)
    assert losses[-1] < losses[0]
    head = loading.head_of(family.model.get_base_model())
    changed = set()
    for name, tensor in family.model.state_dict().items():
        learns = ".lora_" in name or f"{head}.modules_to_save" in name
        if not learns:
            assert torch.equal(tensor, before[name]), name  # running statistics too
        elif not torch.equal(tensor, before[name]):
            changed.add("lora" if ".lora_" in name else "head")
    assert changed == {"lora", "head"}
    assert not any(".lora_" in name and f"{head}." in name for name in before)


@pytest.mark.parametrize("kind", SOME)
def test_padding_changes_neither_the_loss_of_a_clip_nor_what_is_recognized(kind, talking, clips):
    family, plain = talking(kind).family, talking(kind).plain
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
@pytest.mark.parametrize(
    "kind",
    fast_where(
        lambda kind: kind == "granite5_ctc", ["granite5_ctc", "lasr_ctc", "sew_ctc", "w2v_bert_ctc"]
    ),
)
def test_a_clip_too_short_to_encode_is_said_to_be_and_is_not_an_error(kind, samples, talking):
    family = talking(kind).family
    clip = np.zeros(samples, dtype=np.float32)
    assert isinstance(transcribed(family, [clip])[0], str)
    if not family.output_length(samples):
        assert transcribed(family, [clip]) == [""]
        assert "more than 0 encoder frames" in family.impossible(samples, [1])
    else:
        row = Example("short", family.features(clip), [])
        assert torch.isfinite(family.loss(family.model, family.collate([row])).total)


def test_an_architecture_that_transformers_maps_needs_no_line_here(
    checkpoints, clips, tmp_path, monkeypatch
):
    from transformers import AutoConfig, Wav2Vec2Config, Wav2Vec2ForCTC
    from transformers.models.auto import modeling_auto

    class LyreConfig(Wav2Vec2Config):
        model_type = "lyre_ctc"

    class LyreForCTC(Wav2Vec2ForCTC):
        config_class = LyreConfig

    AutoConfig.register("lyre_ctc", LyreConfig, exist_ok=True)
    AutoModelForCTC.register(LyreConfig, LyreForCTC, exist_ok=True)
    monkeypatch.setitem(modeling_auto.MODEL_FOR_CTC_MAPPING_NAMES, "lyre_ctc", "LyreForCTC")
    folder = shutil.copytree(checkpoints("wav2vec2_ctc"), tmp_path / "lyre")
    written = json.loads((folder / "config.json").read_text())
    written |= {"model_type": "lyre_ctc", "architectures": ["LyreForCTC"]}
    (folder / "config.json").write_text(json.dumps(written))
    family = build(folder)
    losses = train(family, family.collate(examples(family, clips, SHORT)), steps=2, rate=1e-3)
    assert losses[-1] < losses[0]
    family.save(tmp_path / "saved")
    loaded = registry.load_family(tmp_path / "saved", offline=True)
    assert type(loaded.model) is LyreForCTC
