"""``mynah adapt-scale``: the same matrices, counting less."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers
from families import build, shifted
from safetensors.torch import load_file

from mynah.checkpoints.commit import commit, find_damage
from mynah.cli.main import main
from mynah.models import registry
from mynah.models.pretrained import weights


def checkpoint(family, directory: Path) -> Path:
    """Commit a checkpoint as a training does."""
    with commit(directory) as staging:
        family.save(staging)
        (staging / "config.yaml").write_text("model:\n  use_lora: true\n")
        (staging / "optimizer.safetensors").write_bytes(b"state")
        (staging / "confidence.json").write_text("{}")
        written = {"family": family.name, "step": 7, "training": {}, "scores": {"eval_wer": 0.1}}
        (staging / "mynah.json").write_text(json.dumps(written))
    return directory


def scaled(*arguments) -> int:
    return main(["adapt-scale", *map(str, arguments)])


@pytest.fixture
def adapter(checkpoints, tmp_path):
    return checkpoint(shifted(build("seq2seq", checkpoints, use_lora=True)), tmp_path / "tuned")


def test_an_adapter_of_dora_is_refused(checkpoints, tmp_path, capsys):
    family = build("seq2seq", checkpoints, use_lora=True, lora_use_dora=True)
    adapter = checkpoint(family, tmp_path / "tuned")
    assert scaled(adapter, "--scale", 0.5, "--to", tmp_path / "scaled") == 2
    assert "no scale goes back to the base" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "scaled").exists()


@pytest.mark.parametrize("scale", [0.5, 0.3, 1.5])
def test_peft_s_merged_weights_are_the_base_and_so_much_of_the_change(
    adapter, checkpoints, tmp_path, scale
):
    from peft import PeftModel

    target = tmp_path / "scaled"
    assert scaled(adapter, "--scale", scale, "--to", target) == 0
    plain = transformers.AutoModelForSpeechSeq2Seq.from_pretrained(checkpoints("whisper_asr"))
    before = {name: tensor.clone() for name, tensor in plain.state_dict().items()}
    merged = PeftModel.from_pretrained(plain, target).merge_and_unload().state_dict()
    config = json.loads((adapter / "adapter_config.json").read_text())
    matrices = load_file(adapter / "adapter_model.safetensors")
    downs = [name for name in matrices if name.endswith("lora_A.weight")]
    assert downs
    for name in downs:
        change = matrices[name.replace("lora_A", "lora_B")] @ matrices[name]
        path = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight") + ".weight"
        expected = before[path] + scale * config["lora_alpha"] / config["r"] * change
        torch.testing.assert_close(merged[path], expected, rtol=1e-5, atol=1e-6)


def test_the_matrices_stay_and_the_checkpoint_says_what_it_is(adapter, tmp_path, capsys):
    target = tmp_path / "half"
    assert (adapter / "confidence.json").is_file()
    assert scaled(adapter, "--scale", "0.5", "--to", target) == 0
    assert f"mynah eval {target}" in capsys.readouterr().out
    weights_file = "adapter_model.safetensors"
    assert (target / weights_file).read_bytes() == (adapter / weights_file).read_bytes()
    alphas = [
        json.loads((folder / "adapter_config.json").read_text())["lora_alpha"]
        for folder in (adapter, target)
    ]
    assert alphas[1] * 2 == alphas[0] and isinstance(alphas[1], int)
    assert find_damage(target) is None
    assert not (target / "optimizer.safetensors").exists()
    assert not (target / "confidence.json").exists()  # fitted to the adapter at its full scale
    about = json.loads((target / "mynah.json").read_text())
    assert about["adapter_scale"] == {"checkpoint": str(adapter), "scale": 0.5}
    assert "scores" not in about and about["step"] == 7
    # Half of a half is a quarter.
    assert scaled(target, "--scale", "0.5", "--to", tmp_path / "quarter") == 0
    about = json.loads((tmp_path / "quarter" / "mynah.json").read_text())
    assert about["adapter_scale"]["scale"] == 0.25


def test_it_is_loaded_and_merged_as_any_checkpoint(adapter, tmp_path):
    assert scaled(adapter, "--scale", "0.5", "--to", tmp_path / "half") == 0
    loaded = registry.load_family(tmp_path / "half", offline=True)
    (scaling,) = {
        module.scaling["default"] for module in loaded.model.modules() if hasattr(module, "scaling")
        and isinstance(module.scaling, dict)
    }  # fmt: skip
    config = loaded.model.active_peft_config
    assert scaling == config.lora_alpha / config.r
    assert main(["merge", str(tmp_path / "half"), "--to", str(tmp_path / "merged")]) == 0
    assert weights.own(registry.load_family(tmp_path / "merged").model) is not None


def test_every_adapter_of_a_checkpoint_is_scaled(checkpoints, tmp_path):
    made = build("speech_llm", checkpoints, use_lora=True, encoder_tuning="lora")
    source = checkpoint(made, tmp_path / "tuned")
    assert scaled(source, "--scale", "0.25", "--to", tmp_path / "scaled") == 0
    files = sorted(path.relative_to(source) for path in source.rglob("adapter_config.json"))
    assert len(files) == 2
    for file in files:
        old, new = (json.loads((f / file).read_text()) for f in (source, tmp_path / "scaled"))
        assert new["lora_alpha"] == old["lora_alpha"] / 4


def test_what_was_trained_in_full_is_named(checkpoints, tmp_path, capsys):
    source = checkpoint(shifted(build("ctc", checkpoints, use_lora=True)), tmp_path / "tuned")
    assert scaled(source, "--scale", "0.5", "--to", tmp_path / "scaled") == 0
    assert "lm_head was trained in full" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--scale", "0"], "--scale 0.5"),
        (["--scale", "-1"], "--scale 0.5"),
        (["--scale", "nan"], "--scale 0.5"),
        (["--scale", "9"], "--scale 0.5"),
        (["--scale", "0.5", "--taken"], "nothing is overwritten"),
    ],
)
def test_what_cannot_be_scaled_is_one_message(adapter, tmp_path, capsys, arguments, says):
    target = tmp_path / "scaled"
    if "--taken" in arguments:
        arguments = arguments[:-1]
        target.mkdir()
        (target / "mine").write_text("mine")
    assert scaled(adapter, *arguments, "--to", target) == 2
    message = capsys.readouterr().err
    assert says in message and "Traceback" not in message


def test_a_model_without_matrices_has_nothing_to_scale(checkpoints, tmp_path, capsys):
    source = checkpoint(build("seq2seq", checkpoints), tmp_path / "full")
    assert scaled(source, "--scale", "0.5", "--to", tmp_path / "scaled") == 2
    assert "nothing to scale" in capsys.readouterr().err
    assert not (tmp_path / "scaled").exists()


def test_what_was_set_aside_beside_the_adapter_stays_behind(adapter, checkpoints, tmp_path):
    family = shifted(build("seq2seq", checkpoints, use_lora=True))
    checkpoint(family, adapter / "set_aside-1" / "checkpoint-8")
    assert scaled(adapter, "--scale", 0.5, "--to", tmp_path / "scaled") == 0
    assert not list((tmp_path / "scaled").rglob("*set_aside*"))
    assert "set_aside" not in (tmp_path / "scaled" / "SHA256SUMS").read_text()
