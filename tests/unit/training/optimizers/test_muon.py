"""Muon: which parameters it moves, and that its directions are orthogonal."""

import pytest
import torch
from torch import nn

from mynah.training.optimizers import muon


class Recognizer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 32)
        self.wide = nn.Linear(32, 128)
        self.depthwise = nn.Conv1d(128, 128, 5, groups=128)
        self.pointwise = nn.Conv1d(128, 64, 1)
        self.norm = nn.LayerNorm(64)
        self.ctc_head = nn.Conv1d(64, 30, 1)


def test_matrices_between_input_and_output_are_muons_and_all_else_is_adamws():
    assert muon.matrix_parameters(Recognizer()) == {"wide.weight", "pointwise.weight"}


@pytest.mark.parametrize("shape", [(3, 24, 24), (2, 20, 30), (2, 16, 64)])
def test_orthogonalised_matrices_keep_their_singular_directions(shape):
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(shape, generator=generator, dtype=torch.float64)
    left, values, right = torch.linalg.svd(matrices, full_matrices=False)
    made = muon.orthogonalized(matrices)
    turned = left.mT @ made @ right.mT
    diagonal = torch.diagonal(turned, dim1=1, dim2=2)
    assert torch.allclose(turned, torch.diag_embed(diagonal), atol=1e-9)
    large = values > 0.1 * values.max(dim=1, keepdim=True).values
    assert diagonal[large].min() > 0.5 and diagonal[large].max() < 1.3


def test_the_small_square_gives_what_the_full_matrices_give():
    matrices = torch.randn(2, 16, 64, generator=torch.Generator().manual_seed(1)).double()
    matrices /= matrices.norm(dim=(1, 2), keepdim=True)
    a, b, c = muon._COEFFICIENTS
    expected = matrices
    for _ in range(muon._ITERATIONS):
        gram = expected @ expected.mT
        expected = a * expected + (b * gram + c * gram @ gram) @ expected
    assert torch.allclose(muon._through_gram(matrices), expected, atol=1e-9)


def test_the_other_parameters_move_as_torchs_adamw_moves_them():
    def train(made):
        torch.manual_seed(0)
        model = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 2)).double()
        optimizer = made(model)
        for step in range(5):
            inputs = torch.randn(4, 8, generator=torch.Generator().manual_seed(step)).double()
            optimizer.zero_grad()
            model(inputs).square().sum().backward()
            optimizer.step()
        return nn.utils.parameters_to_vector(model.parameters())

    def ours(model):
        decayed = {name for name, _ in model.named_parameters()}
        return muon.build_muon(
            model, decayed, lr=0.01, weight_decay=0.1, betas=(0.9, 0.98), eps=1e-8
        )

    def torchs(model):
        return torch.optim.AdamW(model.parameters(), 0.01, betas=(0.9, 0.98), weight_decay=0.1)

    assert torch.allclose(train(ours), train(torchs), atol=1e-9)


@pytest.mark.parametrize("shape", [(64, 64), (128, 32), (32, 128), (24, 40)])
def test_matrices_move_in_the_direction_that_torchs_muon_moves_them(shape):
    def moved(made):
        parameter = nn.Parameter(torch.zeros(shape))
        optimizer = made(parameter)
        for step in range(4):
            generator = torch.Generator().manual_seed(step)
            # As gradients are: some directions much stronger than others.
            left, right = (torch.randn(side, 8, generator=generator) for side in shape)
            parameter.grad = left @ right.T + 0.3 * torch.randn(shape, generator=generator)
            optimizer.step()
        return parameter.detach()

    ours = moved(
        lambda one: muon.Muon(
            [{"params": [one], "muon": True}], lr=0.01, betas=(0.9, 0.95), eps=1e-8
        )
    )
    torchs = moved(
        lambda one: torch.optim.Muon(
            [one], lr=0.01, weight_decay=0.0, momentum=0.95, nesterov=True, ns_steps=4
        )
    )
    assert torch.nn.functional.cosine_similarity(ours.ravel(), torchs.ravel(), dim=0) > 0.999
