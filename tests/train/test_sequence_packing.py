"""Trainings whose language models compute several utterances in a row are those without."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import forked_commands
import numpy as np
import pytest
import soundfile
import torch
from forked_commands import environment
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import gradient_trainings as trainings
import standins

from mynah import distributed
from mynah.errors import UserError
from mynah.models.text import packing
from mynah.training.packing import pack_sequences

WAYS = (packing.MASK, packing.VARLEN)
NAMES = ("speech_llm, Whisper, LoRA", "speech_llm, Whisper, all trained", "audio_llm, Qwen3-ASR")
RANKS = ("2 ranks x 2 x 2", "2 ranks, one without rows")
EXACT = 1e-9  # in fp64
SCRIPT = """
import sys
from pathlib import Path
here = Path(sys.argv[1])
sys.path[:0] = [str(here), str(here.parent), str(here.parent / "helpers")]
import test_sequence_packing
test_sequence_packing.train_on_ranks(Path(sys.argv[2]))
"""


def packed(name, folder, how, dtype=torch.float64):
    family = trainings.build(name, folder, dtype)
    family.pack_sequences(how)
    return family


@pytest.mark.long
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_a_step_of_packed_rows_has_the_gradient_of_rows_of_their_own(name, how, tmp_path):
    asked = {"seconds": trainings.MIXED_SECONDS, "loss_normalization": "utterance"}
    full = trainings.outcome(packed(name, tmp_path, None), trainings.FULL, **asked)
    for split in ("uneven", "a filled tail"):
        found = trainings.outcome(packed(name, tmp_path, how), trainings.SPLITS[split], **asked)
        assert trainings.difference(found.gradients, full.gradients) < EXACT
        assert found.loss == pytest.approx(full.loss, rel=EXACT)


def train_on_ranks(folder: Path) -> None:
    """What each rank does: a step of packed rows in every way."""
    torch.set_num_threads(1)
    for number, name in enumerate(NAMES):
        for how in WAYS:
            for at, split in enumerate(RANKS):
                made = trainings.outcome(
                    packed(name, folder, how),
                    trainings.RANK_SPLITS[split],
                    seconds=trainings.MIXED_SECONDS,
                )
                if distributed.rank() == 0:
                    torch.save(made.gradients, folder / f"{number}-{how}-{at}.pt")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_two_ranks_learn_from_packed_rows_what_one_does_from_rows_of_their_own(tmp_path):
    asked = {"seconds": trainings.MIXED_SECONDS}
    full = [trainings.outcome(packed(one, tmp_path, None), trainings.FULL, **asked)
            for one in NAMES]  # fmt: skip
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = ["python", str(script), str(Path(__file__).parent), str(tmp_path)]
    for ended in forked_commands.run_ranks(command, tmp_path, environment()):
        assert ended.returncode == 0, ended.stdout + ended.stderr
    for number, one in enumerate(full):
        for how in WAYS:
            for at in range(len(RANKS)):
                found = torch.load(tmp_path / f"{number}-{how}-{at}.pt")
                assert trainings.difference(found, one.gradients) < EXACT


@pytest.mark.long
def test_a_model_that_looks_into_other_utterances_is_found_out(tmp_path, monkeypatch):
    family = trainings.build(NAMES[0], tmp_path, torch.float32)
    config = trainings.settings_of(1, sequence_packing="mask")
    pack_sequences(family, config)
    monkeypatch.setattr(
        packing,
        "attention_mask",
        lambda lengths, how: torch.ones(1, 1, *2 * [lengths.sum()]).bool().tril(),
    )
    with pytest.raises(UserError, match="in another way where others stand before it"):
        pack_sequences(family, config)


def typed(folder: Path, *arguments: str):
    return forked_commands.run(["mynah", "train", *arguments], folder, environment())


@pytest.mark.long
def test_the_command_trains_on_packed_rows_and_resumes_bit_for_bit(tmp_path):
    encoder, decoder = (standins.write(tmp_path / kind, kind) for kind in ("whisper", "chat_lm"))
    for split, count in (("train", 12), ("validation", 2)):
        (tmp_path / "corpus" / split).mkdir(parents=True)
        for row in range(count):
            path = tmp_path / "corpus" / split / f"{split}-{row}.wav"
            noise = np.random.default_rng(row).standard_normal(16000 + 1600 * row) / 10
            soundfile.write(path, noise, 16000)
            path.with_suffix(".txt").write_text(trainings.TEXTS[row % len(trainings.TEXTS)])
    asked = [
        "data.path=corpus", "data.eval_splits=[validation]", f"model.encoder_model_name={encoder}",
        f"model.decoder_model_name={decoder}", "model.use_lora=true", "offline=true",
        "training.sequence_packing=varlen", "training.max_steps=4", "training.save_steps=2",
        "training.per_device_train_batch_size=4", "training.gradient_accumulation_steps=2",
        "training.eval_strategy=no", "training.load_best_model_at_end=false", "evaluation.guard=[]",
        "training.use_cpu=true", "training.learning_rate=1e-3",
    ]  # fmt: skip
    done = typed(tmp_path, *asked, "training.output_dir=straight")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Rows of several utterances (varlen)" in done.stdout
    shutil.copytree(tmp_path / "straight" / "checkpoint-2", tmp_path / "resumed" / "checkpoint-2")
    resume = f"resume_from_checkpoint={tmp_path / 'resumed' / 'checkpoint-2'}"
    done = typed(tmp_path, *asked, "training.output_dir=resumed", resume)
    assert done.returncode == 0, done.stdout + done.stderr
    straight, resumed = (
        tmp_path / "straight" / "checkpoint-4",
        tmp_path / "resumed" / "checkpoint-4",
    )
    files = sorted(one.relative_to(straight) for one in straight.rglob("*.safetensors"))
    assert len(files) > 2
    for file in files:
        ours, theirs = load_file(straight / file), load_file(resumed / file)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours), file
    done = typed(tmp_path, *asked[:-1], "training.sequence_packing=null", resume)
    assert done.returncode == 2 and "training.sequence_packing" in done.stderr


def test_a_model_without_a_language_model_is_refused_by_name(tmp_path):
    done = typed(tmp_path, "model=small", "training.sequence_packing=mask")
    assert done.returncode == 2
    assert "The family ctc has no language model" in done.stderr
    assert "Traceback" not in done.stderr
