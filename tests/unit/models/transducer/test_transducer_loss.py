"""The transducer losses against enumeration, upstream's own and numerical gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.loss.loss_tdt import tdt_loss

from mynah.models.transducer import loss as losses

BLANK = 0


def enumerated(logits, labels, durations=None):
    """Negative log of the summed probability of every path, one path after another.

    Args:
        logits: [time, labels + 1, vocabulary + durations]
        labels: Token ids.
        durations: None for an RNN-T.
    """
    frames = len(logits)
    vocabulary = logits.shape[-1] - len(durations or ())
    tokens = logits[..., :vocabulary].double().softmax(-1).tolist()
    lasting = logits[..., vocabulary:].double().softmax(-1).tolist() if durations else None

    def total(time, said):
        """Probability of all that can follow, from a frame with some labels said."""
        if time >= frames:
            return 0.0
        probability = 0.0
        steps = enumerate(durations) if durations else [(None, 1)]
        for i, duration in steps:
            if duration == 0:
                continue
            here = tokens[time][said][BLANK] * (lasting[time][said][i] if durations else 1.0)
            at_the_end = time + duration == frames and said == len(labels)
            probability += here * (1.0 if at_the_end else total(time + duration, said))
        if said < len(labels):
            steps = enumerate(durations) if durations else [(None, 0)]
            for i, duration in steps:
                here = tokens[time][said][labels[said]]
                here *= lasting[time][said][i] if durations else 1.0
                probability += here * total(time + duration, said + 1)
        return probability

    found = total(0, 0)
    return -math.log(found) if found else math.inf


def lattices(sizes, seed, durations=(), vocabulary=5, scale=2.0, dtype=torch.float64):
    """Logits padded with noise, labels padded with anything, and the lengths."""
    draw = torch.Generator().manual_seed(seed)
    frames = torch.tensor([time for time, _ in sizes])
    lengths = torch.tensor([labels for _, labels in sizes])
    shape = (len(sizes), int(frames.max()) + 1, int(lengths.max()) + 2)
    width = vocabulary + len(durations)
    logits = scale * torch.randn(*shape, width, generator=draw, dtype=dtype)
    labels = torch.randint(1, vocabulary, (len(sizes), shape[2] - 1), generator=draw)
    return logits, labels, frames, lengths


SIZES = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), min_size=1, max_size=3)
DURATIONS = st.sampled_from([(), (0, 1), (0, 1, 2, 3, 4), (1, 2), (0, 2, 3), (1,)])


@settings(max_examples=60, deadline=None)
@given(sizes=SIZES, durations=DURATIONS, seed=st.integers(0, 2**16))
def test_the_loss_is_that_of_all_paths_enumerated(sizes, durations, seed):
    logits, labels, frames, lengths = lattices(sizes, seed, durations)
    found = losses.transducer_loss(
        logits, labels, frames, lengths, blank=BLANK, durations=durations
    )
    for row, (time, said) in enumerate(sizes):
        expected = enumerated(
            logits[row, :time, : said + 1], labels[row, :said].tolist(), durations or None
        )
        if math.isinf(expected):
            assert found[row] > 1e29
        else:
            assert found[row].item() == pytest.approx(expected, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 12)), min_size=1, max_size=4),
    seed=st.integers(0, 2**16),
)
def test_the_tdt_loss_and_its_gradient_are_those_of_transformers(sizes, seed):
    durations = (0, 1, 2, 3, 4)
    logits, labels, frames, lengths = lattices(sizes, seed, durations, dtype=torch.float32)
    frames[0] = logits.shape[1]
    logits = logits[:, :, : int(lengths.max()) + 1].clone().requires_grad_()
    labels = labels[:, : int(lengths.max())]
    found = losses.transducer_loss(
        logits, labels, frames, lengths, blank=BLANK, durations=durations
    )
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    reference = tdt_loss(
        logits[..., :-5], logits[..., -5:], labels, frames, lengths, BLANK, list(durations),
        reduction="none",
    )  # fmt: skip
    torch.testing.assert_close(found, reference, rtol=1e-4, atol=1e-4)
    (upstream,) = torch.autograd.grad(reference.sum(), logits)
    torch.testing.assert_close(gradient, upstream, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("durations", [(), (0, 1, 2)], ids=["rnnt", "tdt"])
def test_the_gradient_is_the_numerical_one(durations):
    logits, labels, frames, lengths = lattices([(3, 2), (4, 0), (2, 1)], 0, durations)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: losses.transducer_loss(
            x, labels, frames, lengths, blank=BLANK, durations=durations
        ),
        logits,
    )


@pytest.mark.parametrize("durations", [(), (0, 1, 2)], ids=["rnnt", "tdt"])
def test_what_lies_behind_a_row_changes_neither_loss_nor_gradient(durations):
    logits, labels, frames, lengths = lattices([(6, 2), (4, 3)], 1, durations)
    spoiled, other = logits.clone(), labels.clone()
    for row, (time, said) in enumerate(zip(frames.tolist(), lengths.tolist(), strict=True)):
        spoiled[row, time:] = 1e4
        spoiled[row, :, said + 1 :] = -1e4
        other[row, said:] = 1
    results = []
    for x, y in ((logits, labels), (spoiled, other)):
        x = x.clone().requires_grad_()
        loss = losses.transducer_loss(x, y, frames, lengths, blank=BLANK, durations=durations)
        (gradient,) = torch.autograd.grad(loss.sum(), x)
        for row, (time, said) in enumerate(zip(frames.tolist(), lengths.tolist(), strict=True)):
            assert not gradient[row, time:].any() and not gradient[row, :, said + 1 :].any()
            gradient[row, time:] = gradient[row, :, said + 1 :] = 0
        results.append((loss, gradient))
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_logits_of_half_precision_are_summed_in_full(dtype):
    logits, labels, frames, lengths = lattices([(60, 20)], 2, dtype=torch.float32)
    half = logits.to(dtype).requires_grad_()
    found = losses.transducer_loss(half, labels, frames, lengths, blank=BLANK)
    exact = losses.transducer_loss(half.float(), labels, frames, lengths, blank=BLANK)
    assert found.dtype == torch.float32 and found.item() > 50
    torch.testing.assert_close(found, exact)
    found.sum().backward()
    assert half.grad.dtype == dtype and torch.isfinite(half.grad).all()


def test_a_long_unlikely_transcript_has_a_finite_loss_and_gradient():
    logits, labels, frames, lengths = lattices([(400, 120)], 3, scale=60.0, dtype=torch.float32)
    logits.requires_grad_()
    loss = losses.transducer_loss(logits, labels, frames, lengths, blank=BLANK)
    loss.sum().backward()
    assert 1e3 < loss.item() < 1e6
    assert torch.isfinite(logits.grad).all() and logits.grad.abs().max() > 0.1
