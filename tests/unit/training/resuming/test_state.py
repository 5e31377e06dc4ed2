"""Optimizer and random state come back bit for bit."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch

from mynah.training.resuming.state import load_tree, random_state, save_tree, set_random_state


def round_trip(tree, directory):
    save_tree(tree, directory, "tree")
    return load_tree(directory, "tree")


def test_a_tree_keeps_its_kinds_keys_and_exact_numbers(tmp_path):
    tree = {
        "pairs": (1, (2.5, None)),
        3: [True, "text", 0.1 + 0.2, -0.0],
        "infinite": [math.inf, -math.inf],
        "empty": {},
    }
    back = round_trip(tree, tmp_path)
    assert back == tree
    assert math.copysign(1, back[3][3]) == -1
    assert isinstance(back["pairs"], tuple) and isinstance(back[3], list)


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool]
)
def test_tensors_come_back_bit_for_bit(tmp_path, dtype):
    tensor = (torch.randn(3, 4) * 100).to(dtype)
    back = round_trip({"a": tensor, "b": tensor[1], "scalar": tensor[0, 0]}, tmp_path)
    assert back["a"].dtype == dtype
    assert torch.equal(back["a"].view(torch.uint8), tensor.view(torch.uint8))
    assert torch.equal(back["b"], tensor[1]) and back["scalar"].shape == ()


def test_not_a_number_keeps_its_bits(tmp_path):
    odd = torch.tensor([0x7FC01234, 0x7F800001], dtype=torch.int32).view(torch.float32)
    assert torch.equal(round_trip([odd], tmp_path)[0].view(torch.int32), odd.view(torch.int32))


@pytest.mark.parametrize("kind", ["AdamW", "SGD", "Adafactor", "RMSprop"])
def test_an_optimizer_continues_exactly(tmp_path, kind):
    def made():
        torch.manual_seed(0)
        model = torch.nn.Linear(4, 3)
        extra = {"momentum": 0.9} if kind == "SGD" else {}
        return model, getattr(torch.optim, kind)(model.parameters(), lr=0.01, **extra)

    def step(model, optimizer, seed):
        torch.manual_seed(seed)
        model(torch.randn(5, 4)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    straight = made()
    for seed in range(6):
        step(*straight, seed)
    first = made()
    for seed in range(3):
        step(*first, seed)
    second = made()
    second[0].load_state_dict(first[0].state_dict())
    second[1].load_state_dict(round_trip(first[1].state_dict(), tmp_path))
    for seed in range(3, 6):
        step(*second, seed)
    for left, right in zip(straight[0].parameters(), second[0].parameters(), strict=True):
        assert torch.equal(left, right)


def test_every_generator_continues_where_it_was(tmp_path):
    def draw():
        gauss = np.random.normal()  # leaves a second value cached in the generator
        return random.random(), gauss, np.random.normal(), torch.rand(3).tolist()

    random.gauss(0, 1)
    np.random.normal()
    saved = round_trip(random_state(torch.device("cpu")), tmp_path)
    expected = draw()
    draw()
    set_random_state(saved, torch.device("cpu"))
    assert draw() == expected


def test_what_would_need_pickle_is_refused_by_its_place(tmp_path):
    with pytest.raises(TypeError, match=r"tree\.hook cannot be saved without pickle"):
        save_tree({"hook": print}, tmp_path, "tree")
