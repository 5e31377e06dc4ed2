import shutil

import peft
import pytest
import torch
from tiny_models import TEXTS, examples, tiny, train
from transcripts import transcribed
from transformers import AutoModelForCTC

from mynah import console
from mynah.errors import UserError
from mynah.models import registry
from mynah.models.ctc import loading

WITHOUT_HEAD = ["wav2vec2_base", "w2v_bert"]


SHORT = ["call anna", "ten minutes", "nine", "next song"]


def rows(family, clips):
    """Few enough labels for a model that folds eight frames into one."""
    return examples(family, clips, SHORT)


def build(folder, **settings):
    torch.manual_seed(0)
    config = tiny(pretrained=str(folder), **settings)
    return registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("kind", WITHOUT_HEAD)
def test_a_checkpoint_trains_decodes_and_comes_back(kind, lora, checkpoints, clips, tmp_path):
    family = build(checkpoints(kind), use_lora=lora)
    losses = train(family, family.collate(rows(family, clips)), rate=1e-3)
    assert losses[-1] < losses[0]
    together = transcribed(family, clips)
    assert together == [transcribed(family, [clip])[0] for clip in clips]
    family.save(tmp_path)
    loaded = registry.load_family(tmp_path)
    assert transcribed(loaded, clips) == together
    assert loaded.labels(TEXTS[0]) == family.labels(TEXTS[0])
    weights = loaded.model.state_dict()
    for name, tensor in family.model.state_dict().items():
        # peft keeps the head as it was before training: random, never used, never saved.
        if "original_module" not in name:
            assert torch.equal(tensor, weights[name]), name


def test_lora_trains_its_matrices_and_a_new_head_alone(checkpoints, clips):
    family = build(checkpoints("wav2vec2_base"), use_lora=True)
    before = {name: tensor.clone() for name, tensor in family.model.state_dict().items()}
    train(family, family.collate(rows(family, clips)))
    head = loading.head_of(family.model.get_base_model())
    changed = set()
    for name, tensor in family.model.state_dict().items():
        learns = ".lora_" in name or f"{head}.modules_to_save" in name
        if not learns:
            assert torch.equal(tensor, before[name]), name  # running statistics too
        elif not torch.equal(tensor, before[name]):
            changed.add("lora" if ".lora_" in name else "head")
    assert changed == {"lora", "head"}


def test_plain_peft_loads_an_adapter(checkpoints, clips, tmp_path):
    family = build(checkpoints("hubert_ctc"), use_lora=True)
    batch = family.collate(rows(family, clips))
    train(family, batch)
    family.save(tmp_path)
    base = AutoModelForCTC.from_pretrained(checkpoints("hubert_ctc"))
    plain = peft.PeftModel.from_pretrained(base, str(tmp_path)).eval()
    with torch.no_grad():
        ours, theirs = (family.loss(model, batch).total for model in (family.model, plain))
    torch.testing.assert_close(ours, theirs)


def test_lora_is_on_the_layers_of_the_encoder_and_not_on_the_head(checkpoints):
    family = build(checkpoints("wav2vec2_ctc"), use_lora=True)
    adapted = [n for n, m in family.model.named_modules() if hasattr(m, "lora_A")]
    assert len(adapted) == 2 * 6  # four of attention, two of feed-forward, in each layer
    assert not any("lm_head" in name for name in adapted)


def test_named_targets_alone_get_lora(checkpoints):
    family = build(
        checkpoints("wav2vec2_ctc"),
        use_lora=True,
        lora_target_modules=["layers.0.attention.q_proj"],
    )
    adapted = [n for n, m in family.model.named_modules() if hasattr(m, "lora_A")]
    assert [name.split("encoder.")[-1] for name in adapted] == ["layers.0.attention.q_proj"]


def test_a_target_that_matches_nothing_is_an_error_that_lists_what_could(checkpoints):
    with pytest.raises(UserError) as caught:
        build(checkpoints("wav2vec2_ctc"), use_lora=True, lora_target_modules=["q_prj"])
    assert "Did you mean q_proj?" in str(caught.value)
    assert "out_proj" in str(caught.value)


def test_a_frozen_encoder_leaves_the_head_alone_to_learn(checkpoints, clips):
    family = build(checkpoints("parakeet_ctc"), encoder_tuning="frozen")
    before = {name: tensor.clone() for name, tensor in family.model.state_dict().items()}
    train(family, family.collate(rows(family, clips)))
    changed = {n for n, t in family.model.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == {"ctc_head.weight", "ctc_head.bias"}


@pytest.mark.parametrize("kind", ["wav2vec2_ctc", "w2v_bert_ctc"])
def test_clips_shorter_than_the_spans_that_are_masked_can_be_trained_on(kind, checkpoints, clips):
    family = build(checkpoints(kind))
    family.model.config.apply_spec_augment = True
    family.model.config.mask_time_prob = 0.5
    base = getattr(family.model, family.model.base_model_prefix)
    base.masked_spec_embed = torch.nn.Parameter(torch.zeros(base.config.hidden_size))
    rows = examples(family, [clip[:2000] for clip in clips], ["a", "b", "c", "d"])
    assert family.output_length(2000) < family.model.config.mask_time_length
    family.model.train()
    assert torch.isfinite(family.loss(family.model, family.collate(rows)).total)


def test_the_convolutions_over_samples_stay_as_they_are(checkpoints):
    family = build(checkpoints("wav2vec2_ctc"))
    frozen = {n for n, p in family.model.named_parameters() if not p.requires_grad}
    assert frozen and all("feature_extractor" in name for name in frozen)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["hubert_ctc", "granite5_ctc"])
def test_weights_kept_in_half_precision_are_trained_and_saved_in_full(
    kind, dtype, checkpoints, tmp_path
):
    shutil.copytree(checkpoints(kind), tmp_path / "half")
    half = AutoModelForCTC.from_pretrained(checkpoints(kind), dtype=dtype)
    half.save_pretrained(tmp_path / "half")
    family = build(tmp_path / "half")
    assert {p.dtype for p in family.model.parameters()} == {torch.float32}
    family.save(tmp_path / "full")
    again = AutoModelForCTC.from_pretrained(tmp_path / "full")
    assert {p.dtype for p in again.parameters()} == {torch.float32}


def test_a_model_without_a_head_gets_a_tokenizer_of_the_corpus_and_says_so(
    checkpoints, monkeypatch
):
    said = []
    monkeypatch.setattr(console, "notice", said.append)
    family = build(checkpoints("wav2vec2_base"))
    assert family.model.lm_head.out_features == len(family.tokenizer) == 40
    assert family.tokenizer.decode(family.labels(TEXTS[3]), group_tokens=False) == TEXTS[3]
    assert len(said) == 1 and "new one" in said[0]


def test_the_letters_that_a_tokenizer_does_not_have_are_named(checkpoints, monkeypatch):
    said = []
    monkeypatch.setattr(console, "notice", said.append)
    config = tiny(pretrained=str(checkpoints("wav2vec2_ctc")))
    family = registry.build(config, texts=["call 7 & über"], sample_rate=16000, offline=True)
    assert "(30.0% of all)" in said[0] and said[0].endswith("& 7 Ü")
    assert "model.new_tokenizer=character" in said[1]
    assert family.tokenizer.decode(family.labels("call 7 now"), group_tokens=False) == "CALL  NOW"


def test_training_continues_from_an_adapter_of_ours(checkpoints, clips, tmp_path):
    first = build(checkpoints("hubert_ctc"), use_lora=True)
    train(first, first.collate(rows(first, clips)))
    first.save(tmp_path)
    again = build(tmp_path, use_lora=True)
    assert transcribed(again, clips) == transcribed(first, clips)
    assert again.parameter_table() == first.parameter_table()
    merged = build(tmp_path)
    assert not hasattr(merged.model, "peft_config")
    assert transcribed(merged, clips) == transcribed(first, clips)
    losses = train(merged, merged.collate(rows(merged, clips)), rate=1e-4)
    assert losses[-1] < losses[0]


def test_an_adapter_with_a_weight_missing_is_refused(checkpoints, tmp_path):
    from safetensors.torch import load_file, save_file

    build(checkpoints("hubert_ctc"), use_lora=True).save(tmp_path)
    weights = load_file(tmp_path / "adapter_model.safetensors")
    weights.pop(next(name for name in weights if "lora_B" in name))
    save_file(weights, tmp_path / "adapter_model.safetensors")
    with pytest.raises(UserError, match="1 weights missing"):
        registry.load_family(tmp_path)
