"""``mynah eval`` of recognizers that Mynah did not train: folders of others, names of the hub."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from ctranslate2_models import convert
from transformers import AutoProcessor, WhisperForConditionalGeneration
from workspaces import assert_refused, clone, run

sys.path.insert(0, str(Path(__file__).parents[1]))

import standins

_FEW_TOKENS = 8
_SHORT = f"model.generation_max_length={_FEW_TOKENS} evaluation.bootstrap_samples=20 offline=true"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A Whisper in two layouts and in the cache of the hub, and recordings."""
    folder = clone(tmp_path_factory.mktemp("plain"))
    home = tmp_path_factory.mktemp("home")
    standins.write(folder / "whisper", "whisper_asr_english")
    standins.install(home / "hub", "somebody/whisper-own", "whisper_asr_english")
    convert(folder / "whisper", folder / "ct2")
    calls = folder / "calls"
    calls.mkdir()
    draw = np.random.default_rng(0)
    rows = [["file_name", "text"]]
    for number, seconds in enumerate((1.5, 2.25, 1.1)):
        audio = 0.1 * draw.standard_normal(int(16000 * seconds))
        soundfile.write(calls / f"{number}.wav", audio, 16000, subtype="FLOAT")
        rows.append([f"{number}.wav", "yes or no"])
    with (calls / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder, {
        "HF_HOME": str(home),
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_HUB_OFFLINE": "1",
    }


@pytest.fixture(scope="module")
def by_transformers(place):
    """What transformers' own generate writes of each recording, in the window."""
    folder, _ = place
    model = WhisperForConditionalGeneration.from_pretrained(folder / "whisper").eval()
    processor = AutoProcessor.from_pretrained(folder / "whisper")
    texts = {}
    for path in sorted((folder / "calls").glob("*.wav")):
        audio, _ = soundfile.read(path, dtype="float32")
        inputs = processor(audio, sampling_rate=16000, return_tensors="pt")
        with torch.no_grad():
            ids = model.generate(inputs.input_features, max_new_tokens=_FEW_TOKENS)
        texts[path.stem] = processor.decode(ids[0], skip_special_tokens=True).strip()
    return texts


@pytest.mark.parametrize(
    "name", [pytest.param("whisper", marks=pytest.mark.long), "ct2", "somebody/whisper-own"]
)
def test_a_recognizer_as_it_is_is_measured_on_a_folder(place, by_transformers, name):
    folder, environment = place
    before = set(folder.glob("outputs/*/*/run.json"))
    done = run(folder, f"mynah eval {name} calls {_SHORT}", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " as it is" in done.stdout and "in its window" in done.stdout
    (record,) = set(folder.glob("outputs/*/*/run.json")) - before
    written = (record.parent / "evaluation" / "utterances.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in written]
    found = {Path(row["id"]).stem: row["hypothesis"] for row in rows}
    assert len(found) == 3
    for stem, text in by_transformers.items():
        assert found[stem] == text
    assert len(set(found.values())) > 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "whisper calls model.audio_window=clip",
            ("repeats itself on them", "add model.audio_tail_seconds=5"),
        ),
        ("whisper calls model.lora_r=4", ("used as it is", "leave model.lora_r out")),
        ("nobody/knows-it calls", ("nobody/knows-it is not on this machine", "eval_checkpoint")),
        ("outputs/nothing calls", ("There is no checkpoint outputs/nothing",)),
        ("calls calls", ("calls holds no checkpoint",)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_measured_is_refused_in_a_few_lines(place, line, said):
    folder, environment = place
    assert_refused(run(folder, f"mynah eval {line} offline=true", **environment), *said)
