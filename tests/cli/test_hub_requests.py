"""What a run asks the hub for: the files of its model, each once, and nothing twice."""

from __future__ import annotations

from collections import Counter

import hub_server
import pytest
import standins
from machines import Machine
from workspaces import SMALL

_WHISPER = "openai/whisper-small"
_LANGUAGE_MODEL = "HuggingFaceTB/SmolLM2-1.7B-Instruct"
_RECOGNIZERS = {
    _WHISPER: "whisper_asr",
    "facebook/hubert-large-ls960-ft": "hubert_ctc",
    "nvidia/parakeet-tdt-0.6b-v3": "parakeet_tdt",
    "Qwen/Qwen3-ASR-0.6B-hf": "qwen3_asr",
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    cache = tmp_path_factory.mktemp("served")
    for name, kind in (_RECOGNIZERS | {_LANGUAGE_MODEL: "chat_lm"}).items():
        standins.install(cache, name, kind)
    with hub_server.serving(cache) as served:
        yield served


def train(machine: Machine, *model: str) -> Counter[tuple[str, str]]:
    """How often each file of a model was asked for, by method, in a training from end to end."""
    done = machine.mynah("train", "data=small", *model, *SMALL.split())
    assert done.returncode == 0, done.stdout + done.stderr
    return Counter(one for one in machine.hub.asked if "/resolve/" in one[1])


def names(asked: Counter[tuple[str, str]]) -> set[str]:
    return {path.rpartition("/")[2] for _, path in asked}


@pytest.mark.long
@pytest.mark.parametrize("name", _RECOGNIZERS)
def test_a_training_asks_for_each_file_of_its_model_once_and_the_next_for_its_commit(
    name, hub, tmp_path
):
    machine = Machine(tmp_path, hub)
    model = f"model.pretrained={name}", "model.use_lora=true"
    asked = train(machine, *model)
    assert {"config.json", "model.safetensors", "tokenizer_config.json"} <= names(asked)
    assert {one: count for one, count in asked.items() if count > 1} == {}
    # What is there ("/") and the model: nothing that says or asks who is asking.
    assert {path for _, path in machine.hub.asked if name not in path} == {"/"}
    assert names(train(machine, *model)) == {"config.json"}


@pytest.mark.long
def test_two_parts_are_asked_for_once_each(hub, tmp_path):
    asked = train(
        Machine(tmp_path, hub),
        f"model.encoder_model_name={_WHISPER}",
        f"model.decoder_model_name={_LANGUAGE_MODEL}",
        "model.pretrained=null",
        "model.use_lora=true",
    )
    for name in (_WHISPER, _LANGUAGE_MODEL):
        assert any(name in path and "model.safetensors" in path for _, path in asked)
    assert {one: count for one, count in asked.items() if count > 1} == {}
