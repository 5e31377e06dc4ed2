"""Pretrained transducers of transformers: loaded, trained, adapted, saved and decoded."""

import dataclasses
import shutil

import pytest
import torch
from tiers import fast_where
from tiny_models import TEXTS, doubled, examples, gradients, make_talkative, tiny, train
from transcripts import transcribed
from transformers import AutoModelForRNNT, AutoModelForTDT, AutoProcessor

from mynah import console
from mynah.errors import UserError
from mynah.models import registry
from mynah.models.pretrained import weight_files

KINDS = ["parakeet_rnnt", "parakeet_tdt", "nemotron_streaming", "nemotron_multilingual"]
ADAPTED = {"q_proj", "k_proj", "v_proj", "o_proj", "relative_k_proj", "linear1", "linear2"}


def build(folder, **settings):
    torch.manual_seed(0)
    config = tiny(pretrained=str(folder), **settings)
    return registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)


@pytest.fixture(scope="module")
def talking(checkpoints, clips, tmp_path_factory):
    """A folder for each kind of stand-in, of a model that says this and that."""
    root = tmp_path_factory.mktemp("talking")

    def folder(kind):
        if not (root / kind).exists():
            make_talkative(build(checkpoints(kind)), clips).save(root / kind)
        return root / kind

    return folder


def plain(kind, folder, **options):
    """The model as plain transformers loads it."""
    auto = AutoModelForTDT if "tdt" in kind else AutoModelForRNNT
    return auto.from_pretrained(folder, **options)


@pytest.mark.parametrize("kind", fast_where(lambda kind: kind in KINDS[:3], KINDS))
def test_transcripts_are_those_of_transformers(kind, talking, clips):
    folder = talking(kind)
    family = build(folder)
    processor = AutoProcessor.from_pretrained(folder)
    model = plain(kind, folder).eval()
    ours = transcribed(family, clips)
    assert any(len(set(text)) > 2 for text in ours)
    for clip, text in zip(clips, ours, strict=True):
        inputs = processor([clip], sampling_rate=16000)
        said = processor.batch_decode(model.generate(**inputs).sequences, skip_special_tokens=True)
        assert said[0].strip() == text


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_does_not_depend_on_how_a_batch_is_split(kind, checkpoints, clips):
    family = build(checkpoints(kind))
    family.model.double().eval()
    rows = examples(family, clips)
    full = gradients(family, [doubled(family.collate(rows))])
    split = gradients(family, [doubled(family.collate(part)) for part in (rows[:1], rows[1:])])
    for name, gradient in full.items():
        torch.testing.assert_close(gradient, split[name], atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_lora_is_on_the_encoder_and_on_what_joins(kind, checkpoints):
    family = build(checkpoints(kind), use_lora=True)
    adapted = {n for n, m in family.model.named_modules() if hasattr(m, "lora_A")}
    names = {name.removeprefix("base_model.model.") for name in adapted}
    outside = {name for name in names if not name.startswith("encoder.layers.")}
    assert outside == {"encoder_projector", "decoder.decoder_projector"}
    assert {name.rsplit(".", 1)[-1] for name in names - outside} == ADAPTED
    trainable = {n for n, p in family.model.named_parameters() if p.requires_grad}
    full = {name for name in trainable if ".lora_" not in name}
    assert full and all("joint.head.modules_to_save" in name for name in full)


def test_named_targets_alone_get_lora(checkpoints):
    family = build(
        checkpoints("parakeet_rnnt"), use_lora=True, lora_target_modules=["layers.0.*.q_proj"]
    )
    adapted = [n for n, m in family.model.named_modules() if hasattr(m, "lora_A")]
    assert adapted == ["base_model.model.encoder.layers.0.self_attn.q_proj"]


def test_a_target_that_matches_nothing_is_an_error_that_lists_what_could(checkpoints):
    with pytest.raises(UserError, match="Did you mean q_proj") as caught:
        build(checkpoints("parakeet_rnnt"), use_lora=True, lora_target_modules=["q_prj"])
    assert "decoder_projector" in str(caught.value)


def test_training_continues_from_an_adapter_of_ours(talking, clips, tmp_path):
    first = build(talking("parakeet_rnnt"), use_lora=True)
    train(first, first.collate(examples(first, clips)))
    first.save(tmp_path)
    again = build(tmp_path, use_lora=True)
    assert transcribed(again, clips) == transcribed(first, clips)
    assert again.parameter_table() == first.parameter_table()
    folder = talking("parakeet_rnnt")
    assert again.base_revisions() == {str(folder): weight_files.digest(folder)}
    merged = build(tmp_path)
    assert not hasattr(merged.model, "peft_config")
    assert transcribed(merged, clips) == transcribed(first, clips)
    losses = train(merged, merged.collate(examples(merged, clips)), rate=1e-4)
    assert losses[-1] < losses[0]


def test_a_frozen_encoder_stays_as_it_is_and_what_follows_learns(checkpoints, clips):
    family = build(checkpoints("parakeet_rnnt"), encoder_tuning="frozen")
    before = {name: tensor.clone() for name, tensor in family.model.state_dict().items()}
    train(family, family.collate(examples(family, clips)))
    changed = {n for n, t in family.model.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == {name for name in before if not name.startswith("encoder.")}


def test_a_model_that_takes_a_language_is_given_each_rows_own(talking, clips):
    family = build(talking("nemotron_multilingual"))
    rows = [dataclasses.replace(one, language="de") for one in examples(family, clips)]
    assert family.collate(rows)["prompt_ids"].tolist() == [1, 1, 1, 1]
    assert family.collate(examples(family, clips))["prompt_ids"].tolist() == [2, 2, 2, 2]
    german = transcribed(family, clips, ["de"] * 4)
    assert german != transcribed(family, clips, ["en"] * 4)
    mixed = transcribed(family, clips, ["de", "", "de", "en"])
    assert mixed[0] == german[0] and mixed[2] == german[2]
    assert mixed[1] == transcribed(family, clips)[1]


def test_a_language_that_the_model_does_not_know_is_an_error(checkpoints):
    family = build(checkpoints("nemotron_multilingual"))
    family.check_languages({"de", "en", ""})
    with pytest.raises(UserError, match="does not know fi") as caught:
        family.check_languages({"de", "fi"})
    assert "auto, de, en" in str(caught.value)
    build(checkpoints("parakeet_rnnt")).check_languages({"fi"})  # is given none


def test_the_language_of_the_settings_is_that_of_rows_without_one(checkpoints, clips):
    family = build(checkpoints("nemotron_multilingual"), language="de")
    rows = [dataclasses.replace(examples(family, clips)[0], language=one) for one in ("", "en")]
    assert family.collate(rows)["prompt_ids"].tolist() == [1, 0]
    with pytest.raises(UserError, match="does not know fi"):
        build(checkpoints("nemotron_multilingual"), language="fi")


@pytest.mark.parametrize("given", [{"language": "de"}, {"task": "translate"}])
def test_a_transducer_that_takes_no_language_or_task_is_given_none(given, checkpoints):
    with pytest.raises(UserError, match="does not support model"):
        build(checkpoints("parakeet_tdt"), **given)


def test_a_checkpoint_without_a_tokenizer_is_refused(checkpoints, tmp_path):
    folder = shutil.copytree(checkpoints("parakeet_tdt"), tmp_path / "mute")
    for file in folder.glob("*token*"):
        file.unlink()
    with pytest.raises(UserError, match="no tokenizer"):
        build(folder)


def test_a_model_of_another_rate_is_refused(checkpoints):
    config = tiny(pretrained=str(checkpoints("parakeet_tdt")))
    with pytest.raises(UserError, match="16000 Hz") as caught:
        registry.build(config, texts=TEXTS, sample_rate=8000, offline=True)
    assert "data.sample_rate=16000" in str(caught.value)


def test_a_family_that_the_name_does_not_lead_to_is_refused(checkpoints):
    with pytest.raises(UserError, match="lead to the family transducer"):
        build(checkpoints("parakeet_tdt"), family="ctc")


def test_words_of_the_corpus_have_no_effect_and_that_is_said(checkpoints, monkeypatch):
    said = []
    monkeypatch.setattr(console, "notice", said.append)
    build(checkpoints("parakeet_rnnt"), language_model="words")
    assert len(said) == 1 and "no effect" in said[0]


def test_words_of_a_file_join_and_the_untuned_base_stays_greedy(checkpoints, tmp_path):
    (tmp_path / "domain.txt").write_text("\n".join(TEXTS))
    family = build(checkpoints("parakeet_rnnt"), language_model=str(tmp_path / "domain.txt"))
    assert "with word n-grams of domain.txt" in family.describe_decoding()
    assert "greedy" in family.untuned().describe_decoding()
    assert "with word n-grams" in family.describe_decoding()
