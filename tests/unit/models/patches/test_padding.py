"""Each class of transformers has its own rule for padding; a class made from one has it too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch
import transformers
from transformers import Wav2Vec2Config, Wav2Vec2Model

from mynah.models.patches import padding

MODELS = Path(transformers.__file__).parent / "models"


def normed_first() -> list[str]:
    """Speech models of transformers whose source has a group norm in its first convolution."""
    found = []
    for file in sorted(MODELS.glob("*/modeling_*.py")):
        text = file.read_text(encoding="utf-8")
        if "GroupNormConvLayer(config, layer_id=0)" in text:
            for node in ast.parse(text).body:
                body = ast.unparse(node)
                if isinstance(node, ast.ClassDef) and "FeatureEncoder(config)" in body:
                    found.append(node.name)
    return [name for name in found if name.endswith("Model")]


def test_every_class_with_a_norm_over_samples_has_a_rule():
    assert normed_first() and set(normed_first()) <= set(padding._HOOKS)


class Own(Wav2Vec2Model):
    """Somebody's own class."""


@pytest.mark.parametrize("kind", [Wav2Vec2Model, Own])
def test_what_is_computed_of_a_clip_does_not_depend_on_the_padding_behind_it(kind):
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        conv_dim=(8, 8), conv_stride=(5, 2), conv_kernel=(10, 3), num_feat_extract_layers=2,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, feat_extract_norm="group",
    )  # fmt: skip
    model = kind(config).eval()
    padding.install_padding(model)
    clip = torch.randn(1, 4000)
    padded = torch.nn.functional.pad(clip, (0, 2000))
    mask = torch.arange(6000)[None] < 4000
    with torch.no_grad():
        alone = model(clip, attention_mask=torch.ones(1, 4000, dtype=torch.long)).last_hidden_state
        beside = model(padded, attention_mask=mask.long()).last_hidden_state
    frames = alone.shape[1]
    torch.testing.assert_close(beside[:, : frames - 1], alone[:, : frames - 1], atol=1e-5, rtol=0)
