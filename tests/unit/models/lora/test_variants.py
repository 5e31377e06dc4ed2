"""rsLoRA, DoRA and what the matrices begin as: the weights that the papers' formulas give."""

from __future__ import annotations

import math

import pytest
import torch
from families import batch_of, build, loss_of, shifted
from safetensors.torch import load_file
from tiers import fast_where

from mynah.models import registry
from mynah.models.lora import adapters

RSLORA, DORA = {"lora_use_rslora": True}, {"lora_use_dora": True}
RANK, ALPHA = 4, 8
VARIANTS = pytest.mark.parametrize(
    "variant",
    fast_where(lambda one: one in (DORA, {"lora_init_weights": "orthogonal"}),
               [RSLORA, DORA, RSLORA | DORA, {"lora_init_weights": "gaussian"},
                {"lora_init_weights": "orthogonal"}]),
    ids=lambda variant: "-".join(map(str, variant)),
)  # fmt: skip


def made(family, checkpoints, variant):
    return build(family, checkpoints, use_lora=True, lora_r=RANK, lora_alpha=ALPHA, **variant)


def bases(model):
    """The adapted matrices as they were loaded, by the path of their module."""
    return {
        name.removeprefix("base_model.model."): module.base_layer.weight.detach().clone()
        for name, module in model.named_modules()
        if hasattr(module, "lora_A")
    }


def by_the_papers(base, matrices, path, variant):
    """W + s B A, with s = alpha / r or alpha / sqrt(r); of DoRA each row m times its direction."""
    prefix = f"base_model.model.{path}"
    scale = ALPHA / (math.sqrt(RANK) if variant.get("lora_use_rslora") else RANK)
    down, up = matrices[f"{prefix}.lora_A.weight"], matrices[f"{prefix}.lora_B.weight"]
    changed = base.double() + scale * (up.double() @ down.double())
    if not variant.get("lora_use_dora"):
        return changed
    lengths = matrices[f"{prefix}.lora_magnitude_vector"].double()
    return lengths[:, None] * changed / changed.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("variant", [{}, RSLORA, DORA, RSLORA | DORA], ids=str)
@pytest.mark.parametrize("family", fast_where(lambda one: one == "ctc", ["ctc", "seq2seq"]))
def test_merged_weights_are_those_of_the_paper(family, variant, checkpoints, clips, tmp_path):
    tuned = shifted(made(family, checkpoints, variant), scale=0.3)
    with torch.no_grad():
        for name, parameter in tuned.model.named_parameters():
            if "magnitude" in name:
                parameter.mul_(1.25)
    before, batch = bases(tuned.model), batch_of(tuned, clips)
    tuned.save(tmp_path)
    loss = loss_of(tuned, batch)
    matrices = load_file(tmp_path / "adapter_model.safetensors")
    merged = dict(adapters.merged(tuned.model).named_modules())
    assert len(before) > 4
    for path, base in before.items():
        expected = by_the_papers(base, matrices, path, variant)
        torch.testing.assert_close(merged[path].weight.double(), expected, rtol=1e-4, atol=1e-5)
    loaded = registry.load_family(tmp_path)
    torch.testing.assert_close(loss_of(loaded, batch), loss)
    assert loaded.model.active_peft_config.use_dora == bool(variant.get("lora_use_dora"))


@VARIANTS
def test_before_the_first_step_it_is_the_pretrained_model(variant, checkpoints, clips):
    adapted, plain = made("seq2seq", checkpoints, variant), build("seq2seq", checkpoints)
    batch = batch_of(plain, clips)
    torch.testing.assert_close(loss_of(adapted, batch), loss_of(plain, batch), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("family", ["ctc", "speech_llm", "audio_llm"])
def test_dora_learns_every_length_and_every_matrix(family, checkpoints, clips):
    tuned = made(family, checkpoints, DORA)
    tuned.loss(tuned.model, batch_of(tuned, clips)).total.backward()
    grown = {
        name: parameter.grad
        for name, parameter in tuned.model.named_parameters()
        if "lora_B" in name or "lora_magnitude" in name
    }
    assert sum("magnitude" in name for name in grown) == len(grown) / 2 > 4
    assert all(grad is not None and bool(grad.any()) for grad in grown.values())


def test_orthogonal_matrices_are_orthogonal_to_each_other_and_not_zero(checkpoints):
    tuned = made("ctc", checkpoints, {"lora_init_weights": "orthogonal"})
    layers = [module for module in tuned.model.modules() if hasattr(module, "lora_A")]
    assert layers
    for layer in layers:
        down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
        assert float(up.detach().abs().max()) > 0.0
        torch.testing.assert_close(up @ down, torch.zeros(len(up), down.shape[1]))


def test_gaussian_matrices_are_spread_by_one_over_the_rank(checkpoints):
    tuned = made("seq2seq", checkpoints, {"lora_init_weights": "gaussian"})
    values = torch.cat([
        module.lora_A["default"].weight.detach().flatten()
        for module in tuned.model.modules()
        if hasattr(module, "lora_A")
    ])  # fmt: skip
    assert float(values.std()) == pytest.approx(1 / RANK, rel=0.1)
    assert float(values.abs().max()) > 2.5 / RANK  # no uniform one reaches so far
