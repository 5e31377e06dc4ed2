"""What everybody may read of a training's command, and of its corpora."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mynah.publishing.command import public_command
from mynah.publishing.corpora import PRIVATE, PublicCorpora
from mynah.publishing.origin import read_origin


def shown(folder: Path, *typed: str, private: bool = True, **used: str) -> str:
    """The settings of a command as a card has them."""
    (folder / ".hydra").mkdir(exist_ok=True)
    (folder / ".hydra" / "overrides.yaml").write_text(json.dumps(typed))
    names = {name.replace("__", "."): value for name, value in used.items()}
    command = public_command(folder, names, private_corpus=private)
    assert command is not None
    return command.removeprefix("mynah train").strip()


@pytest.mark.parametrize(
    ("typed", "card"),
    [
        ("data.path=acme_calls", "data.path=…"),
        ("+data.path=acme_calls", "+data.path=…"),
        ("++training.output_dir=acme_out", "++training.output_dir=…"),
        ("data.dataset_name=acme", "data.dataset_name=…"),
        ("+data.dataset_name=acme", "+data.dataset_name=…"),
        ("data.mixture={acme:{dataset_name:acme,weight:1},b:{weight:2}}", "data.mixture=…"),
        ("+data.mixture.acme.weight=1", "data.mixture=…"),
        ("data={path:acme_calls}", "data=…"),
        ("data.augmentation.noise_folder=acme_noise", "data.augmentation.noise_folder=…"),
        ("data.audio_folders=[acme_audio]", "data.audio_folders=…"),
        ("model.pretrained=acme_model", "model.pretrained=…"),
        ("model.language_model=acme.arpa", "model.language_model=…"),
        ("evaluation.guard=[general,acme:test]", "evaluation.guard=…"),
        ("data.replay_from=acme:train", "data.replay_from=…"),
        ("training.run_name=acme-1", "training.run_name=…"),
        ("launch.account=acme", "launch.account=…"),
        ("resume_from_checkpoint=acme_out", "resume_from_checkpoint=…"),
        ("+experiments=acme", "+experiments=…"),
        ("data.columns={text:./x}", "data.columns=…"),
        ("hydra.run.dir=/home/acme", ""),
    ],
)
def test_what_is_private_is_hidden(tmp_path, typed, card):
    assert shown(tmp_path, typed) == card


@pytest.mark.parametrize(
    "typed",
    [
        "training.learning_rate=.001",
        "training.learning_rate=.5e-3",
        "data.augmentation.speed_factors=[.9,1.0,1.1]",
        "data.dataset_name=librispeech",
        "data.dataset_name=mozilla-foundation/common_voice_17_0",
        "model.pretrained=openai/whisper-tiny.en",
        "model.pretrained=null",
        "model.language_model=words",
        "evaluation.guard=[general,librispeech:test-clean]",
        "+experiments=production",
        "model=whisper_tiny_en",
        "training.max_steps=700",
        "data.train_splits=[train.100]",
        "offline=true",
    ],
)
def test_what_everybody_can_look_up_and_numbers_stay(tmp_path, typed):
    assert shown(tmp_path, typed, private=False).replace("'", "") == typed


def test_a_folder_that_is_called_as_a_dataset_of_the_hub_is_hidden(tmp_path):
    typed = "model.pretrained=acme/model"
    assert shown(tmp_path, typed, model__pretrained="/home/anna/acme/model").endswith("=…")
    assert shown(tmp_path, typed, model__pretrained="acme/model") == typed


def test_a_mixture_is_hidden_once(tmp_path):
    typed = ["+data.mixture.acme.weight=1", "+data.mixture.b.weight=2", "training.max_steps=1"]
    assert shown(tmp_path, *typed) == "data.mixture=… training.max_steps=1"


@pytest.mark.parametrize(
    ("settings", "format", "title"),
    [
        ({"dataset_name": "synthetic"}, None, "Mynah's embedded corpus, synthesized by espeak-ng"),
        ({"dataset_name": "synthetic", "path": "/home/acme"}, "folder", PRIVATE),
        ({"dataset_name": "synthetic", "path": "/home/acme"}, None, PRIVATE),
        ({"dataset_name": "/home/acme"}, "folder", PRIVATE),
        ({"dataset_name": "someone/calls"}, "hub", "someone/calls"),
    ],
)
def test_a_corpus_beside_a_path_is_private(settings, format, title):
    found = PublicCorpora.of(settings, format)
    assert found.titles == title and found.are_private == (title == PRIVATE)


def test_corpora_of_a_mixture_have_no_names_of_their_own():
    acme, hub = {"dataset_name": "/home/acme"}, {"dataset_name": "someone/calls"}
    found = PublicCorpora.of({"mixture": {"acme": acme, "calls": hub}}, "mixture")
    assert found.titles == "a private corpus and someone/calls"
    assert found.datasets == ("someone/calls",) and found.are_private
    corpus, split = found.of_split("acme.test")
    assert (corpus.title, split) == (PRIVATE, "corpus-1.test")
    corpus, split = found.of_split("calls.validation")
    assert (corpus.title, split) == ("someone/calls", "corpus-2.validation")
    assert found.of_split("train")[1] == "train"


def test_a_command_that_was_not_kept_is_not_known(tmp_path):
    assert public_command(tmp_path, {}, private_corpus=True) is None


@pytest.mark.parametrize(
    ("described", "card"),
    [
        ("greedy CTC: the best label of each frame", None),
        (
            "CTC beam search with word n-grams of the training transcripts (weight 0.5, beam 16)",
            None,
        ),
        (
            "CTC beam search with word n-grams of acme (2) and 1.arpa (weight 0.5, beam 16)",
            "CTC beam search with word n-grams of … (weight 0.5, beam 16)",
        ),
        (
            "TDT beam search with word n-grams of acme.arpa and 1,200 hot words (weight 0.5, "
            "internal 0.2, beam 16, 2 a letter of a hot word)",
            "TDT beam search with word n-grams of … and 1,200 hot words (weight 0.5, "
            "internal 0.2, beam 16, 2 a letter of a hot word)",
        ),
        ("some search with n-grams of acme.arpa, and more", "some search with n-grams of …"),
    ],
)
def test_a_card_does_not_name_the_file_of_ngrams(tmp_path, described, card):
    (tmp_path / "evaluation").mkdir()
    metric = {"value": 0.1, "label": "WER", "percent": True}
    results = {
        "about": {"checkpoint": str(tmp_path), "decoding": described},
        "evaluations": {"test": {"utterances": 3, "metrics": {"wer": metric}}},
    }
    (tmp_path / "evaluation" / "results.json").write_text(json.dumps(results))
    origin = read_origin(tmp_path, tmp_path, [tmp_path])
    assert [one.decoding for one in origin.measured] == [card or described]
