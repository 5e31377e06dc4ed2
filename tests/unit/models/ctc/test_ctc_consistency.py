"""CR-CTC (arXiv 2410.05101) against its formulas, written out in NumPy."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from tiny_models import TEXTS, examples, tiny

from mynah.config.schema import AugmentationConfig, SpecAugmentConfig
from mynah.data.augmentation.chain import Augmentation
from mynah.errors import UserError
from mynah.models import registry
from mynah.models.ctc.consistency import divergence
from mynah.training.loading.dataset import TrainingRows


def build(weight, **settings):
    torch.manual_seed(0)
    config = tiny(ctc_consistency=weight, **settings)
    return registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)


def in_two_copies(family, clips, shift=0.5):
    """Examples whose second copies are louder, as masks would make them differ."""
    return [
        dataclasses.replace(one, second=(one.features + np.float32(shift)))
        for one in examples(family, clips)
    ]


def kl(towards, learns):
    return sum(math.exp(b) * (b - a) for b, a in zip(towards, learns, strict=True))


def test_the_divergence_is_both_ways_over_an_utterances_own_frames():
    scores = np.random.default_rng(0).normal(size=(4, 5, 3))
    rows = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    frames = [5, 3]
    expected = [
        sum(
            (kl(rows[2 + one, at], rows[one, at]) + kl(rows[one, at], rows[2 + one, at])) / 2
            for at in range(frames[one])
        )
        for one in range(2)
    ]
    found = divergence(torch.from_numpy(rows), torch.tensor(frames))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_each_copy_is_pulled_towards_the_other_and_padding_is_not():
    """Of softmax and KL(b || a) the gradient by a's scores is a - b."""
    scores = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 4, 3))).requires_grad_()
    divergence(scores.log_softmax(-1), torch.tensor([3])).sum().backward()
    shares = np.exp(scores.detach().numpy())
    shares /= shares.sum(-1, keepdims=True)
    expected = np.stack([shares[0] - shares[1], shares[1] - shares[0]]) / 2
    expected[:, 3] = 0
    np.testing.assert_allclose(scores.grad.numpy(), expected, atol=1e-12)


def test_the_loss_is_the_mean_of_both_copies_and_the_weighted_divergence(clips):
    family = build(0.3)
    family.model.eval()
    weights = [0.5 + number for number in range(len(clips))]
    copies = [
        dataclasses.replace(one, weight=weight)
        for one, weight in zip(in_two_copies(family, clips), weights, strict=True)
    ]
    batch = family.collate(copies)
    assert len(batch["input_features"]) == 2 * len(clips)
    with torch.no_grad():
        logits = family.model(
            input_features=batch["input_features"], attention_mask=batch["attention_mask"]
        ).logits
        own = family.loss(family.model, batch)
    rows = logits.double().log_softmax(-1)
    total = 0.0
    for number in range(len(clips)):
        length = int(batch["frames"][number])
        labels = batch["labels"][number][: batch["label_lengths"][number]].tolist()
        first, second = (rows[number + half, :length].numpy() for half in (0, len(clips)))
        by_copy = [all_paths(one, labels, family.blank) for one in (first, second)]
        apart = sum((kl(b, a) + kl(a, b)) / 2 for a, b in zip(first, second, strict=True))
        total += weights[number] * (sum(by_copy) / 2 + 0.3 * apart)
    assert float(own.total) == pytest.approx(total, rel=1e-4)
    assert float(own.count) == sum(
        weight * len(family.labels(text)) for weight, text in zip(weights, TEXTS, strict=False)
    )


def all_paths(log_probabilities, labels, blank):
    """-log of the sum over all alignments: Graves et al. 2006, equations 6 to 8."""
    extended = [blank, *itertools.chain.from_iterable((label, blank) for label in labels)]
    alpha = np.full(len(extended), -np.inf)
    alpha[:2] = log_probabilities[0, extended[0]], log_probabilities[0, extended[1]]
    for frame in log_probabilities[1:]:
        before = alpha.copy()
        for at, label in enumerate(extended):
            ways = [before[at]]
            if at:
                ways.append(before[at - 1])
            if at > 1 and label != blank and label != extended[at - 2]:
                ways.append(before[at - 2])
            alpha[at] = np.logaddexp.reduce(ways) + frame[label]
    return -np.logaddexp(alpha[-1], alpha[-2])


def test_one_copy_is_measured_by_ctc_alone(clips):
    """An evaluation has no second copy."""
    with_it, without = build(0.3), build(0.0)
    losses = [
        float(one.loss(one.model.eval(), one.collate(examples(one, clips))).total.detach())
        for one in (with_it, without)
    ]
    assert losses[0] == losses[1]


class Rows:
    """Two rows of noise."""

    name, sample_rate, fingerprint, size = "train", 16000, "", 2
    tokenizer_texts = TEXTS

    def __init__(self, utterances):
        self.utterances = utterances

    def __getitem__(self, row):
        return self.utterances[row]

    def read_audio(self, row):
        return np.random.default_rng(row).standard_normal(32000).astype(np.float32)


def masked(features, plain):
    """Which (frame, bin) pairs a copy has lost."""
    return features != plain


def test_both_copies_are_masked_each_in_its_own_way_and_again_the_same():
    from mynah.data.utterances import Utterance

    utterances = [Utterance(f"u{row}", TEXTS[row], 2.0, "", "", "") for row in range(2)]
    settings = AugmentationConfig(
        spec_augment=SpecAugmentConfig(time_masks=2, time_mask_fraction=0.2, frequency_masks=2)
    )
    family = build(0.2)

    def load(twice, epoch):
        augmentation = Augmentation.open(settings, sample_rate=16000, seed=3)
        rows = TrainingRows(family, Rows(utterances), augmentation, twice=twice)
        return rows[(epoch, 0, 1.0)].example

    first, again, other = load(True, 0), load(True, 0), load(True, 1)
    plain = family.features(Rows(utterances).read_audio(0))
    assert masked(first.features, plain).any()
    assert masked(first.second, plain).any()
    assert not np.array_equal(masked(first.features, plain), masked(first.second, plain))
    np.testing.assert_array_equal(first.second, again.second)
    assert not np.array_equal(first.second, other.second)
    # The first copy is what a training without the second has.
    np.testing.assert_array_equal(first.features, load(False, 0).features)
    assert load(False, 0).second is None


def test_a_model_without_ctc_refuses_it():
    with pytest.raises(UserError, match=r"does not support model\.ctc_consistency"):
        build(0.2, family="transducer")
