"""LoRA matrices exported alone are what peft loads and what vLLM's rules allow."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from families import build, shifted
from peft import PeftModel
from safetensors import safe_open

from mynah.errors import UserError
from mynah.export.lora import CONFIG, WEIGHTS, Lora, with_files
from mynah.export.target import Sample
from mynah.models.transcript import Clip


def adapted(checkpoints, **settings):
    torch.manual_seed(0)
    return shifted(build("seq2seq", checkpoints, use_lora=True, **settings))


@pytest.mark.parametrize(
    "variant", [{}, {"lora_use_rslora": True, "lora_target_modules": ["q_proj"]}]
)
def test_peft_makes_the_same_model_of_the_files_and_so_does_the_formula(
    checkpoints, tmp_path, variant
):
    family = adapted(checkpoints, **variant)
    Lora().check(family)
    Lora().write(family, tmp_path, "float32")
    base = copy.deepcopy(family.model).unload()
    theirs = PeftModel.from_pretrained(copy.deepcopy(base), tmp_path).merge_and_unload()
    expected = copy.deepcopy(family.model).merge_and_unload().state_dict()
    formula = with_files(copy.deepcopy(base), tmp_path).state_dict()
    plain = base.state_dict()
    changed = 0
    for name, weight in theirs.state_dict().items():
        assert torch.equal(weight, expected[name]), name
        assert torch.allclose(formula[name], expected[name], atol=1e-6), name
        changed += not torch.equal(weight, plain[name])
    config = json.loads((tmp_path / CONFIG).read_text())
    assert changed == len(config["target_modules"]) > 2


def test_the_files_alone_say_what_the_model_says_in_its_window(checkpoints, tmp_path):
    family = adapted(checkpoints, generation_max_length=12)
    plain = Lora().plain(family)
    assert plain.usage.audio_window == "native"
    Lora().write(plain, tmp_path, "float32")
    audio = np.random.default_rng(3).normal(0, 0.1, 14_000).astype(np.float32)
    (said,) = plain.transcribe([Clip(audio)])
    assert Lora().graph(plain, tmp_path, [Sample("a", "a", audio, None, "", 0.9)]) == [said.text]
    assert hasattr(plain.model, "peft_config")  # it is adapted still


def test_the_files_pass_what_vllm_checks(checkpoints, tmp_path):
    Lora().write(adapted(checkpoints), tmp_path, "bfloat16")
    config = json.loads((tmp_path / CONFIG).read_text())
    # vllm/lora/peft_helper.py: what is needed, and what is refused.
    assert {"r", "lora_alpha", "target_modules"} <= set(config)
    assert not config["modules_to_save"] and not config["use_dora"] and config["bias"] == "none"
    layers = {}
    with safe_open(tmp_path / WEIGHTS, "pt") as file:
        for name in list(file.keys()):
            # vllm/lora/utils.py, parse_fine_tuned_lora_name
            parts = name.split(".")
            assert parts[:2] == ["base_model", "model"] and parts[-1] == "weight"
            assert parts[-2] in ("lora_A", "lora_B")
            tensor = file.get_tensor(name)
            assert tensor.dtype == torch.bfloat16
            layers.setdefault(".".join(parts[2:-2]), {})[parts[-2]] = tensor.shape
    assert sorted(layers) == config["target_modules"]
    for shapes in layers.values():
        assert shapes["lora_A"][0] == shapes["lora_B"][1] == config["r"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"lora_use_dora": True}, "DoRA"), (None, "this model has none")],
)
def test_what_vllm_cannot_serve_is_refused(checkpoints, settings, said):
    family = build("seq2seq", checkpoints) if settings is None else adapted(checkpoints, **settings)
    with pytest.raises(UserError) as refused:
        Lora().check(family)
    assert said in refused.value.what and "safetensors" in refused.value.fix
