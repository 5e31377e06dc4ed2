"""Each preset trains: its model is found by name in the hub's cache, built, and takes a step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import standins
from workspaces import REPOSITORY

from mynah.config.hydra.compose import compose
from mynah.config.mistakes.yaml_file import load_yaml
from mynah.models.catalog.entries import ENTRIES

# Stand-ins of the classes that the presets' checkpoints are of.
_KINDS = {
    "facebook/wav2vec2-base": "wav2vec2_base",
    "facebook/w2v-bert-2.0": "w2v_bert",
    "nvidia/parakeet-ctc-0.6b": "parakeet_ctc",
    "nvidia/parakeet-tdt-0.6b-v3": "parakeet_tdt",
    "openai/whisper-tiny.en": "whisper_asr_english",
    "openai/whisper-small": "whisper_asr",
    "openai/whisper-large-v3-turbo": "whisper_asr",
    "nvidia/canary-1b-v2": "canary",
    "UsefulSensors/moonshine-base": "moonshine",
    "Qwen/Qwen3-ASR-0.6B-hf": "qwen3_asr",
    "ibm-granite/granite-speech-3.3-2b": "granite_speech_lora",
    "mistralai/Voxtral-Mini-3B-2507": "voxtral",
    "HuggingFaceTB/SmolLM2-135M-Instruct": "chat_lm",
    "HuggingFaceTB/SmolLM2-360M-Instruct": "chat_lm",
    "HuggingFaceTB/SmolLM2-1.7B-Instruct": "chat_lm",
    "Qwen/Qwen3-0.6B": "qwen3_lm",
}
_ONE_STEP = (
    "data=small", "data.max_train_samples=8", "data.max_eval_samples=2",
    "data.synthesis.train_sentences=24", "training.max_steps=1", "training.batch_seconds=8",
    "training.eval_steps=1", "training.report_to=[]", "training.dataloader_num_workers=0",
    "evaluation.bootstrap_samples=20", "model.generation_max_length=8", "offline=true",
)  # fmt: skip
_FAST = ("w2v_bert", "whisper_smollm2_135m")  # the others are in the long tests


@pytest.fixture(scope="module")
def hub_cache(tmp_path_factory):
    """The hub's cache of a machine without a network, in which all presets' models are."""
    return tmp_path_factory.mktemp("hub")


@pytest.fixture
def offline_hub(hub_cache, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub_cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return hub_cache


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(
            entry, id=entry.preset, marks=() if entry.preset in _FAST else pytest.mark.long
        )
        for entry in ENTRIES
    ],
)
def test_a_preset_trains_by_its_name_as_the_catalogue_says(entry, offline_hub, tmp_path):
    from mynah.run import run

    for one in entry.checkpoints:
        snapshot = standins.install(offline_hub, one.name, _KINDS[one.name])
        _note_revision(snapshot, _revision(entry.preset))
    rank = ["model.lora_r=4"] if entry.adapts else []
    language = ["model.language=en"] if entry.preset == "canary" else []
    composed = compose([f"model={entry.preset}", *_ONE_STEP, *rank, *language])
    directory = tmp_path / "run"
    directory.mkdir()
    result = run(
        composed.config,
        origins=composed.origins,
        run_directory=directory,
        working_directory=tmp_path,
    )
    assert set(result.evaluations) == {"validation"}
    model = directory / "model"
    assert _is_adapted(model) == entry.adapts
    assert json.loads((directory / "run.json").read_text())["status"] == "done"


def _revision(preset: str) -> str | None:
    written = (REPOSITORY / "configs/hydra/model" / f"{preset}.yaml").read_text()
    return load_yaml(written).get("revision")


def _note_revision(snapshot: Path, revision: str | None) -> None:
    """A revision beside main, as the hub's library notes it."""
    if revision is not None:
        note = snapshot.parents[1] / "refs" / revision
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(snapshot.name)


def _is_adapted(model: Path) -> bool:
    return any(model.rglob("adapter_config.json"))
