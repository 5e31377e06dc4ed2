"""Weights and code of a model that cannot be used are reported before data is prepared."""

from __future__ import annotations

import dataclasses
import json

import pytest
from model_edits import edit
from safetensors.torch import load_file, save_file
from tiny_models import TEXTS, tiny

from mynah.errors import UserError
from mynah.models import registry


def test_pickled_weights_are_refused_with_how_to_convert_them(refused, mine):
    folder = mine("hubert_ctc")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refused(f"model.pretrained={folder}", "pickle files alone", "save_file")


def test_a_folder_without_weights_says_so(refused, mine):
    folder = mine("hubert_ctc")
    (folder / "model.safetensors").unlink()
    refused(f"model.pretrained={folder}", "has no model.safetensors")


@pytest.mark.parametrize("kept", [10, 3000, -1], ids=["header", "middle", "last byte"])
def test_weights_that_are_cut_short_are_refused(kept, refused, mine):
    folder = mine("hubert_ctc")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    refused(f"model.pretrained={folder}", "are not intact: model.safetensors is")


def shards(folder):
    """Spread the weights of a folder over two files."""
    held = load_file(folder / "model.safetensors")
    names = sorted(held)
    files = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(names)}
    for file in set(files.values()):
        part = {name: held[name] for name in names if files[name] == file}
        save_file(part, folder / file, metadata={"format": "pt"})
    (folder / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": files}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def test_a_shard_that_is_missing_is_named(refused, mine):
    folder = shards(mine("hubert_ctc"))
    (folder / "model-00002-of-00002.safetensors").unlink()
    refused(f"model.pretrained={folder}", "model-00002-of-00002.safetensors of 2 files")


def test_an_index_that_is_not_json_is_refused(refused, mine):
    folder = shards(mine("hubert_ctc"))
    (folder / "model.safetensors.index.json").write_text("{")
    refused(f"model.pretrained={folder}", "model.safetensors.index.json is not a list of weights")


def late(models, folder):
    """What a model says that can only be known of it when its weights are read."""
    config = tiny(pretrained=str(folder))
    with pytest.raises(UserError) as caught:
        registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    return str(caught.value)


@pytest.mark.parametrize(
    "kind, wrong",
    [
        ("hubert_ctc", "missing"),
        ("hubert_ctc", "left over"),
        ("hubert_ctc", "shape"),
        ("parakeet_tdt", "missing"),
        ("whisper_asr", "shape"),
        ("qwen3_asr", "left over"),
    ],
)
def test_weights_that_do_not_fit_are_named(wrong, kind, mine, models, place):
    folder = mine(kind)
    file = folder / "model.safetensors"
    held = load_file(file)
    name = next(one for one in sorted(held) if "q_proj.weight" in one)
    if wrong == "missing":
        held.pop(name)
    elif wrong == "left over":
        held["stranger.weight"] = held[name].clone()
    else:
        held[name] = held[name][:, :-1].contiguous()
    save_file(held, file, metadata={"format": "pt"})
    message = late(models, folder)
    assert len(message.splitlines()) == 3
    assert {"missing": "1 weights missing", "left over": "stranger.weight", "shape": "is [32, 31]"}[
        wrong
    ] in message


@pytest.mark.parametrize(
    "file, named",
    [
        ("config.json", {"model_type": "evil", "auto_map": {"AutoModelForCTC": "evil.Model"}}),
        (
            "preprocessor_config.json",
            {"feature_extractor_type": "Evil", "auto_map": {"AutoFeatureExtractor": "evil.Evil"}},
        ),
        ("tokenizer_config.json", {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": []}}),
    ],
    ids=["model", "features", "tokenizer"],
)
def test_code_of_a_models_own_is_not_run_unasked(file, named, refused, mine):
    folder = edit(mine("hubert_ctc"), file, **named)
    (folder / "evil.py").write_text("raise SystemExit('it ran')")
    refused(
        f"model.pretrained={folder}",
        "brings its own code, which is not run unasked",
        "model.trust_remote_code=true",
    )


def test_code_is_run_when_it_is_asked_for(mine, place, monkeypatch):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(place / "code"))
    folder = mine("hubert_ctc")
    (folder / "kind.py").write_text(
        "from transformers import HubertConfig, HubertForCTC\n"
        "class KindConfig(HubertConfig):\n    model_type = 'kind'\n"
        "class KindForCTC(HubertForCTC):\n    config_class = KindConfig\n"
    )
    auto_map = {"AutoConfig": "kind.KindConfig", "AutoModelForCTC": "kind.KindForCTC"}
    edit(folder, model_type="kind", architectures=["KindForCTC"], auto_map=auto_map)
    config = tiny(pretrained=str(folder))
    trusted = dataclasses.replace(config, trust_remote_code=True)
    family = registry.build(trusted, texts=TEXTS, sample_rate=16000, offline=True)
    assert (family.name, type(family.model).__name__) == ("ctc", "KindForCTC")
