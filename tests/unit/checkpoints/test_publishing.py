"""What of a checkpoint may be given away: enough to use the model, and nothing of its data."""

from __future__ import annotations

import itertools
import json
import shutil

import pytest
from families import FAMILIES, build, shifted
from tiers import fast_where
from transcripts import transcribed

from mynah.checkpoints.publishing import README, private_note, publishable, write_note
from mynah.models import registry


def names(folder):
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("family", "lora"),
    fast_where(
        lambda family, lora: lora == (family != FAMILIES[0]),
        itertools.product(FAMILIES, [False, True]),
    ),
)
def test_what_may_be_published_is_the_complete_model(family, lora, checkpoints, clips, tmp_path):
    made = build(family, checkpoints, use_lora=lora)
    made = shifted(made) if lora else made
    made.save(tmp_path)
    (tmp_path / "mynah.json").write_text(json.dumps({"family": family}))
    given = tmp_path / "given"
    public = publishable(names(tmp_path))
    for name in public:
        (given / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tmp_path / name, given / name)
    assert set(names(given)) == set(public)
    assert transcribed(registry.load_family(given, offline=True), clips) == transcribed(made, clips)


PRIVATE = [
    "language_model.arpa", "language_model.json", "mynah.json", "config.yaml", "SHA256SUMS",
    "optimizer.json", "optimizer.safetensors", "scheduler.json", "scaler.json",
    "rng_state_0.json", "rng_state_0.safetensors", "trainer_state.json", "data.json", "README.md",
    "checkpoint-4/model.safetensors", "../model.safetensors", "notes/config.json", "train.log",
    "utterances.jsonl", "model.bin", "modeling_mine.py", "model.safetensors.bak", "audio.wav",
]  # fmt: skip


@pytest.mark.parametrize("name", PRIVATE)
def test_what_is_not_known_to_be_the_model_is_not_published(name):
    assert publishable([name, "config.json"]) == ["config.json"]


def test_the_word_ngrams_of_a_checkpoint_are_marked_private(checkpoints, tmp_path):
    words = build("ctc", checkpoints, language_model="words")
    words.save(tmp_path)
    (tmp_path / "config.yaml").write_text("data: {}\n")
    write_note(tmp_path)
    assert (tmp_path / "language_model.arpa").is_file()
    assert "language_model.arpa" not in publishable(names(tmp_path))
    private, _, public = (tmp_path / README).read_text().partition("The model itself is")
    assert "`language_model.arpa`" in private and "word sequences" in private
    assert "`config.yaml`" in private and "`model.safetensors`" not in private
    assert "`model.safetensors`" in public and "language_model" not in public


def test_a_note_names_only_what_is_there():
    assert "language_model" not in private_note(["config.json", "model.safetensors"])
