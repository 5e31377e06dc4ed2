"""LoRA on the base, all the way: trained, killed, resumed, merged, and loaded by others."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import forked_commands
import pytest
import torch
from peft import PeftModel
from real_whisper import NAME, whisper
from safetensors.torch import load_file
from transcripts import transcribed
from transformers import WhisperForConditionalGeneration

from mynah.cli.main import main
from mynah.config.hydra.compose import compose
from mynah.models import registry

_STEPS = 4
_COMMAND = (
    "train model=whisper_tiny_en data=small offline=true evaluation.bootstrap_samples=20 "
    "evaluation.baseline=none evaluation.guard=[] "
    "data.synthesis.train_sentences=24 data.max_train_samples=16 data.max_eval_samples=2 "
    f"training.max_steps={_STEPS} training.save_steps=2 training.eval_strategy=no "
    "training.load_best_model_at_end=false training.batch_seconds=8 training.report_to=[] "
    "training.dataloader_num_workers=0 training.logging_steps=1"
).split()


def start(folder, *more):
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "mynah.cli", *_COMMAND, *more],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(folder, *more):
    folder.mkdir(exist_ok=True)
    environment = forked_commands.environment()
    done = forked_commands.run(["mynah", *_COMMAND, *more], folder, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def checkpoint(folder, step):
    (found,) = folder.glob(f"outputs/*/*/model/checkpoint-{step}")
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory, cache):
    return tmp_path_factory.mktemp("trainings")


@pytest.fixture(scope="module")
def straight(root):
    """A training that nothing stopped."""
    finished(root / "straight")
    return checkpoint(root / "straight", _STEPS)


@pytest.mark.long  # of a small model fast in test_training_kill.py
def test_a_killed_training_resumes_and_ends_bit_for_bit_as_one_that_nothing_stopped(root, straight):
    folder = root / "killed"
    process = start(folder)
    deadline = time.monotonic() + 300
    while not list(folder.glob("outputs/*/*/model/checkpoint-2")):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not list(folder.glob(f"outputs/*/*/model/checkpoint-{_STEPS}"))
    assert "Resuming from" in finished(folder, "resume_from_checkpoint=last")
    resumed = checkpoint(folder, _STEPS)
    for name in ("adapter_model.safetensors", "optimizer.safetensors"):
        found, expected = load_file(resumed / name), load_file(straight / name)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected), name
    trained = load_file(straight / "adapter_model.safetensors")
    assert any(tensor.abs().max() > 0 for key, tensor in trained.items() if "lora_B" in key)


def names_its_base_and_usage(adapter):
    written = (adapter / "adapter_config.json").read_text()
    assert f'"base_model_name_or_path": "{NAME}"' in written
    assert '"revision": null' in written
    usage = registry.load_family(adapter, offline=True).usage
    assert (usage.audio_window, usage.audio_tail_seconds) == ("clip", 5.0)


def test_an_adapter_names_its_base_and_how_it_is_trained(cache, tmp_path):
    settings = compose(["model=whisper_tiny_en"]).config.model
    assert settings.use_lora and settings.pretrained == NAME
    registry.build(settings, texts=[], sample_rate=16000, offline=True).save(tmp_path)
    names_its_base_and_usage(tmp_path)


@pytest.mark.long  # a training; what the adapter says is fast above
def test_an_adapter_that_was_trained_names_its_base_and_how_it_was_trained(straight):
    names_its_base_and_usage(straight)


@pytest.mark.long  # of stand-ins fast in tests/matrix, as what is saved
def test_plain_peft_and_merged_plain_transformers_say_what_the_adapter_says(
    straight, converted, utterances, tmp_path
):
    clips = sorted(utterances, key=len)[-3:]
    assert main(["merge", str(straight), "--to", str(tmp_path / "merged")]) == 0
    ours = whisper(pretrained=str(tmp_path / "merged"), audio_window="native")
    expected = transcribed(ours, clips)
    base = WhisperForConditionalGeneration.from_pretrained(converted, dtype="float32")
    for plain in (
        PeftModel.from_pretrained(base, str(straight)),
        WhisperForConditionalGeneration.from_pretrained(tmp_path / "merged"),
    ):
        plain.eval()
        texts = []
        for clip in clips:
            inputs = ours.processor(clip, sampling_rate=16000, return_tensors="pt")
            ids = plain.generate(input_features=inputs.input_features, return_timestamps=False)
            texts.append(ours.tokenizer.decode(ids[0], skip_special_tokens=True).strip())
        assert texts == expected
    shutil.rmtree(tmp_path / "merged")
