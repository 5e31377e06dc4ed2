"""What means harm in a run that is resumed or measured by a command: chat templates without an end,
and files that claim a terabyte and take no disk.

Each is right where the command ends within seconds, with exit status 2 and a short message that
names what is wrong, and leaves the checkpoint as it was.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import time

import forked_commands
import pytest
import standins
from data_helpers import write_folder
from families import build
from workspaces import assert_refused, environment

from mynah.checkpoints.commit import write_sums
from mynah.config.effective import effective_yaml
from mynah.config.schema import Config

_SECONDS = 300  # of any time, however busy the machine: each takes ten of a processor's
_TERABYTE = 2**40
TEMPLATES = {
    "loops in loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}"
    "{% endfor %}",
    "a text that no memory holds": "{{ 'x' * 10 ** 11 }}",
}
ENDLESS = "The model's chat template takes more time or memory than any text needs."
TRAINING = (
    "train model.encoder_model_name=./encoder model.decoder_model_name=./decoder "
    "data.dataset_name=./calls data.eval_splits=[] training.max_steps=2 training.save_steps=1 "
    "training.eval_strategy=no training.load_best_model_at_end=false training.output_dir=out/model"
)


def mynah(place, words):
    """A command, and the seconds that it took."""
    own = environment(MYNAH_CACHE=str(place / "cache"), HF_HUB_OFFLINE="1")
    began = time.monotonic()
    done = forked_commands.run(["mynah", *words.split()], place, own, timeout=_SECONDS)
    return done, time.monotonic() - began


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which a speech LLM was trained for two steps, each with a checkpoint."""
    place = tmp_path_factory.mktemp("trained")
    standins.write(place / "encoder", "wav2vec2_base")
    standins.write(place / "decoder", "chat_lm")
    write_folder(place / "calls", [(f"{n}.wav", "call anna", f"s{n % 3}") for n in range(6)])
    done, _ = mynah(place, TRAINING)
    assert done.returncode == 0, done.stdout + done.stderr
    return place


@pytest.fixture
def interrupted(trained, tmp_path):
    """A copy of it that was ended after its first step."""
    place = tmp_path / "place"
    shutil.copytree(trained, place, symlinks=True)
    shutil.rmtree(place / "out/model/checkpoint-2")
    return place


def refused(place, words, checkpoint, *said):
    held = {path: path.stat().st_mtime_ns for path in checkpoint.rglob("*")}
    done, seconds = mynah(place, words)
    assert_refused(done, *said, lines=6)
    assert seconds < _SECONDS
    assert {path: path.stat().st_mtime_ns for path in checkpoint.rglob("*")} == held
    return done


def with_template(checkpoint, template):
    """Write a chat template into a checkpoint, as somebody who edits its list of sums too."""
    (checkpoint / "chat_template.jinja").write_text(template)
    write_sums(checkpoint)


@pytest.mark.parametrize(
    "template",
    ["loops in loops", "a text that no memory holds"],
)
@pytest.mark.long  # that a template is refused in seconds is fast in test_chat_templates.py
def test_an_evaluation_ends_in_seconds_on_a_template_without_an_end(template, interrupted):
    checkpoint = interrupted / "out/model/checkpoint-1"
    with_template(checkpoint, TEMPLATES[template])
    words = f"eval {checkpoint} data.dataset_name=./calls evaluation.bootstrap_samples=20"
    refused(interrupted, words, checkpoint, ENDLESS, TEMPLATES[template][:40])


@pytest.mark.long
@pytest.mark.parametrize("template", TEMPLATES)
def test_so_does_one_of_an_audio_llm(template, checkpoints, trained, tmp_path):
    checkpoint = tmp_path / "checkpoint-1"
    build("audio_llm", checkpoints, use_lora=True).save(checkpoint)
    (checkpoint / "mynah.json").write_text(json.dumps({"family": "audio_llm", "step": 1}))
    (checkpoint / "config.yaml").write_text(effective_yaml(Config()))
    words = f"eval {checkpoint} data.dataset_name=./calls evaluation.bootstrap_samples=20"
    write_sums(checkpoint)
    done, _ = mynah(trained, words)
    assert done.returncode == 0, done.stdout + done.stderr  # as it was saved it is measured
    with_template(checkpoint, TEMPLATES[template])
    refused(trained, words, checkpoint, ENDLESS, TEMPLATES[template][:40])


@pytest.mark.parametrize(
    "template",
    [pytest.param("loops in loops", marks=pytest.mark.long), "a text that no memory holds"],
)
def test_a_training_is_not_resumed_with_a_template_without_an_end(template, interrupted):
    checkpoint = interrupted / "out/model/checkpoint-1"
    with_template(checkpoint, TEMPLATES[template])
    words = f"{TRAINING} resume_from_checkpoint=out/model/checkpoint-1"
    done = refused(interrupted, words, checkpoint, ENDLESS, TEMPLATES[template][:30])
    assert "Resuming from" not in done.stdout  # nor has anything been prepared


def claims_a_terabyte(path):
    """A file whose list of weights and size agree, and which takes a few kilobytes of the disk."""
    entry = {"dtype": "F32", "shape": [_TERABYTE // 4], "data_offsets": [0, _TERABYTE]}
    header = json.dumps({"weight": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    os.truncate(path, 8 + len(header) + _TERABYTE)


@pytest.mark.parametrize(
    "name",
    [
        "optimizer.safetensors",
        *(
            pytest.param(one, marks=pytest.mark.long)
            for one in ("projector.safetensors", "trainer_state.json", "tokenizer.json")
        ),
    ],
)
def test_a_training_is_not_resumed_from_a_terabyte_that_takes_no_disk(name, interrupted):
    checkpoint = interrupted / "out/model/checkpoint-1"
    claims_a_terabyte(checkpoint / name)
    words = f"{TRAINING} resume_from_checkpoint=out/model/checkpoint-1"
    refused(interrupted, words, checkpoint, name, "has 1,099,511,", str(checkpoint))


@pytest.mark.long
def test_the_last_checkpoint_that_holds_no_terabyte_is_resumed_from(trained, tmp_path):
    place = tmp_path / "place"
    shutil.copytree(trained, place, symlinks=True)
    claims_a_terabyte(place / "out/model/checkpoint-2/optimizer.safetensors")
    done, _ = mynah(place, f"{TRAINING} resume_from_checkpoint=last")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Resuming from {place / 'out/model/checkpoint-1'}" in done.stdout
    assert "checkpoint-2" in done.stdout + done.stderr
    assert (place / "out/model/checkpoint-2/optimizer.safetensors").stat().st_size < 2**30


def test_what_was_not_changed_is_resumed_and_measured(interrupted):
    """Without this, a message for everything would pass all tests above."""
    done, _ = mynah(interrupted, f"{TRAINING} resume_from_checkpoint=last")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (interrupted / "out/model/checkpoint-2/SHA256SUMS").is_file()
    words = "eval out/model/checkpoint-1 data.dataset_name=./calls evaluation.bootstrap_samples=20"
    done, _ = mynah(interrupted, words)
    assert done.returncode == 0, done.stdout + done.stderr
