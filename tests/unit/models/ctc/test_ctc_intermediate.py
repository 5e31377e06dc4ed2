"""InterCTC (arXiv 2102.03216): a second loss halfway up the layers, of the same head."""

import copy

import pytest
import standins
import torch
from tiny_models import TEXTS, examples, tiny

from mynah.config.schema import EncoderConfig, ModelConfig
from mynah.errors import UserError
from mynah.models import registry


def build(weight, layers=4, **settings):
    torch.manual_seed(0)
    sizes = EncoderConfig(
        hidden_size=16, layers=layers, heads=2, feed_forward_size=32, subsampling_channels=8,
        dropout=0.0,
    )  # fmt: skip
    config = tiny(ctc_intermediate=weight, encoder=sizes, **settings)
    return registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)


def transformers_loss(model, batch):
    """The sum over the utterances as transformers computes it."""
    model.config.ctc_loss_reduction = "sum"
    return model(
        input_features=batch["input_features"],
        attention_mask=batch["attention_mask"],
        labels=batch["labels"],
    ).loss


@pytest.mark.parametrize(("layers", "half"), [(4, 2), (5, 3)])
def test_the_loss_is_that_of_the_model_and_of_its_lower_half(clips, layers, half):
    family = build(0.3, layers)
    for module in family.model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.eval()  # both models then normalize alike
    family.model.training = True
    lower = copy.deepcopy(family.model)
    lower.encoder.layers = lower.encoder.layers[:half]
    batch = family.collate(examples(family, clips))
    expected = 0.7 * transformers_loss(family.model, batch) + 0.3 * transformers_loss(lower, batch)
    torch.testing.assert_close(family.loss(family.model, batch).total, expected)


def test_an_evaluation_measures_the_last_layer_alone(clips):
    losses = []
    for weight in (0.0, 0.5):
        family = build(weight)
        batch = family.collate(examples(family, clips))
        losses.append(float(family.loss(family.model.eval(), batch).total.detach()))
    assert losses[0] == losses[1]


def test_a_checkpoint_is_an_ordinary_one(tmp_path, clips):
    with_it, without = build(0.3), build(0.0)
    assert with_it.model.config.to_dict() == without.model.config.to_dict()
    assert with_it.model.state_dict().keys() == without.model.state_dict().keys()


def test_another_encoder_refuses_it_before_anything_is_prepared(tmp_path):
    standin = standins.write(tmp_path / "wav2vec2", "wav2vec2_ctc")
    for model in ({"pretrained": str(standin)}, {"architecture": "wav2vec2"}):
        config = ModelConfig(ctc_intermediate=0.3, **model)
        with pytest.raises(UserError, match=r"alone, and this model is of the .* wav2vec2"):
            registry.check_model(config, sample_rate=16000, offline=True)
