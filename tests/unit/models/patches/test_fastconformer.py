import copy

import pytest
import torch
from transformers import ParakeetEncoder, ParakeetEncoderConfig

from mynah.models.patches import fastconformer


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    config = ParakeetEncoderConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        subsampling_factor=4,
        subsampling_conv_channels=4,
        num_mel_bins=16,
        dropout=0.0,
        activation_dropout=0.0,
        attention_dropout=0.0,
        layerdrop=0.0,
    )
    encoder = ParakeetEncoder(config).double()
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return encoder


def padded(lengths, total):
    """Random features with zeros behind each row's length, and their mask."""
    torch.manual_seed(1)
    mask = torch.arange(total) < torch.tensor(lengths)[:, None]
    return torch.randn(len(lengths), total, 16).double() * mask[..., None], mask


def test_layers_compute_what_those_of_transformers_do(encoder):
    ours = copy.deepcopy(encoder)
    fastconformer.install_fastconformer(ours)
    features, mask = padded([80, 61, 44], 80)
    outputs = []
    for model in (encoder.eval(), ours.eval()):
        output = model(features, attention_mask=mask)
        real = output.attention_mask.bool()
        (output.last_hidden_state[real] ** 2).sum().backward()
        outputs.append(output.last_hidden_state[real])
    torch.testing.assert_close(outputs[0], outputs[1])
    for theirs, own in zip(encoder.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(theirs.grad, own.grad)


def test_batch_norm_in_training_does_not_see_padding(encoder):
    fastconformer.install_fastconformer(encoder)
    features, mask = padded([80, 80], 80)
    more = torch.nn.functional.pad(features, (0, 0, 0, 40))
    more_mask = torch.nn.functional.pad(mask, (0, 40))
    other = copy.deepcopy(encoder)
    tight = encoder.train()(features, attention_mask=mask).last_hidden_state
    loose = other.train()(more, attention_mask=more_mask).last_hidden_state
    torch.testing.assert_close(tight, loose[:, : tight.shape[1]])
    (tight**2).sum().backward()
    (loose[:, : tight.shape[1]] ** 2).sum().backward()
    for one, two in zip(encoder.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad)
    statistics = dict(other.named_buffers())
    for name, buffer in encoder.named_buffers():
        torch.testing.assert_close(buffer, statistics[name])


def test_dropout_drops_its_share_and_keeps_the_mean():
    torch.manual_seed(0)
    dropped = fastconformer.dropout(torch.ones(1000, 701), 0.1, True)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.1, abs=0.005)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.005)
    rows = (dropped == 0).float().mean(0)
    assert rows.min() > 0.05  # no column escapes: all bits of a word are sampled
    assert rows.max() < 0.16


def test_dropout_does_nothing_while_decoding():
    ones = torch.ones(10)
    assert fastconformer.dropout(ones, 0.5, False) is ones
