"""A pretrained CTC model that gets a new tokenizer, and one that needs it."""

import copy

import pytest
import torch
from tiers import fast_where
from tiny_models import TEXTS, examples, gradients, tiny, train
from transcripts import transcribed
from transformers import AutoModelForCTC, AutoProcessor, AutoTokenizer

from mynah import console
from mynah.errors import UserError
from mynah.models import registry
from mynah.models.ctc import loading

RUSSIAN = ["один два три", "четыре пять шесть", "семь восемь", "девять"]
KINDS = ["hubert_ctc", "w2v_bert_ctc", "parakeet_ctc", "lasr_ctc", "granite5_ctc"]


@pytest.fixture
def said(monkeypatch):
    notices = []
    monkeypatch.setattr(console, "notice", notices.append)
    return notices


def build(folder, texts=RUSSIAN, **settings):
    torch.manual_seed(0)
    config = tiny(pretrained=str(folder), **settings)
    return registry.build(config, texts=texts, sample_rate=16000, offline=True)


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("kind", fast_where(lambda kind: kind in KINDS[:2], KINDS))
def test_it_writes_the_corpus_learns_and_is_what_plain_transformers_loads(
    kind, lora, checkpoints, clips, said, tmp_path
):
    family = build(checkpoints(kind), new_tokenizer="character", use_lora=lora)
    letters = set("".join(RUSSIAN)) - {" "}
    assert len(family.tokenizer) == len(letters) + 3
    old = len(AutoTokenizer.from_pretrained(checkpoints(kind)))
    notice = next(one for one in said if "newly initialized" in one)
    assert f"of {len(family.tokenizer)} character" in notice and f"own of {old}," in notice

    rows = examples(family, clips, ["один", "два", "три", "семь"])
    assert family.tokenizer.decode(rows[3].labels, group_tokens=False) == "семь"
    base = family.model.get_base_model() if lora else family.model
    sampled = {
        name: parameter.clone()
        for path in loading.label_layers(base)
        for name, parameter in base.named_parameters()
        if name.startswith(f"{path}.") and "original_module" not in name
    }
    losses = train(family, family.collate(rows), rate=1e-3)
    assert losses[-1] < losses[0]
    assert sampled
    for name, tensor in sampled.items():
        learned = dict(base.named_parameters())[name]
        assert learned.shape == tensor.shape and not torch.equal(learned, tensor), name

    family.save(tmp_path / "ours")
    together = transcribed(family, clips)
    assert transcribed(registry.load_family(tmp_path / "ours"), clips) == together
    plain = copy.deepcopy(family.model).merge_and_unload() if lora else family.model
    plain.save_pretrained(tmp_path / "plain")
    model = AutoModelForCTC.from_pretrained(tmp_path / "plain").eval()
    batch = family.frontend.pad([row.features for row in rows[:1]], len(rows[0].features))
    with torch.no_grad():
        torch.testing.assert_close(
            model(**batch).logits, family.model.eval()(**batch).logits, rtol=1e-4, atol=1e-5
        )
    if kind != "granite5_ctc":  # transformers' own extractor asks for torchaudio
        processor = AutoProcessor.from_pretrained(tmp_path / "ours")
        assert processor.batch_decode([rows[3].labels], group_tokens=False) == ["семь"]


def test_bpe_has_as_many_pieces_as_asked_for(checkpoints, said):
    family = build(checkpoints("hubert_ctc"), TEXTS, new_tokenizer="bpe", vocab_size=44)
    assert len(family.tokenizer) == family.model.lm_head.out_features == 44
    assert "44 bpe pieces" in said[0]


def test_a_head_of_the_same_size_by_chance_is_initialized_too(checkpoints):
    folder = checkpoints("hubert_ctc")
    texts = [" ".join("абвгдежзийклмнопрстуфхцчшщъыь")]  # 29 letters, blank, unknown, space
    family = build(folder, texts, new_tokenizer="character")
    old = AutoModelForCTC.from_pretrained(folder).lm_head
    assert family.model.lm_head.weight.shape == old.weight.shape
    assert not torch.equal(family.model.lm_head.weight, old.weight)
    assert not family.model.lm_head.bias.any()


def test_the_encoder_keeps_its_weights(checkpoints):
    family = build(checkpoints("granite5_ctc"), new_tokenizer="character")
    old = AutoModelForCTC.from_pretrained(checkpoints("granite5_ctc")).state_dict()
    labels = ("ctc_head.", "encoder.out.", "encoder.out_mid.")
    for name, tensor in family.model.state_dict().items():
        assert name.startswith(labels) or torch.equal(tensor, old[name]), name
    assert family.model.ctc_head.weight is family.model.encoder.out.weight


def test_a_frozen_encoder_leaves_all_layers_of_labels_to_learn(checkpoints, clips):
    family = build(checkpoints("granite5_ctc"), TEXTS, encoder_tuning="frozen")
    rows = examples(family, clips, ["call anna", "ten minutes", "nine", "next song"])
    learned = gradients(family, [family.collate(rows)])
    assert {name.rsplit(".", 1)[0] for name in learned} == {"encoder.out", "encoder.out_mid"}


def test_a_corpus_of_which_nothing_can_be_written_is_an_error_that_says_how_to(checkpoints):
    with pytest.raises(UserError) as caught:
        build(checkpoints("hubert_ctc"))
    assert "can write none" in str(caught.value) and "А В Д" in str(caught.value)
    assert "model.new_tokenizer=character" in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_mostly_lost_is_counted_and_a_new_tokenizer_named(kind, checkpoints, said):
    build(checkpoints(kind), ["next song", "ПЯТЬ", "пять"])
    assert "(50.0% of all)" in said[0]
    coarse = kind in ("parakeet_ctc", "granite5_ctc")  # more letters than frames in a second
    assert f"model.new_tokenizer={'bpe' if coarse else 'character'}" in said[1]


def test_a_rare_character_is_named_and_nothing_more(checkpoints, said):
    build(checkpoints("hubert_ctc"), [*TEXTS * 5, "café"])
    assert len(said) == 1 and said[0].endswith("É")


def test_a_model_that_is_not_a_ctc_model_keeps_its_tokenizer(checkpoints):
    with pytest.raises(UserError, match=r"does not support model\.new_tokenizer"):
        build(checkpoints("parakeet_tdt"), new_tokenizer="character")


def test_a_new_head_cannot_be_frozen(checkpoints):
    with pytest.raises(UserError, match="has to learn"):
        build(checkpoints("hubert_ctc"), new_tokenizer="character", decoder_tuning="frozen")


def test_an_adapter_keeps_its_tokenizer_until_it_is_merged(checkpoints, tmp_path):
    build(checkpoints("hubert_ctc"), TEXTS, use_lora=True).save(tmp_path)
    with pytest.raises(UserError, match="mynah merge"):
        build(tmp_path, new_tokenizer="character")
