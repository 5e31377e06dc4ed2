"""Weights of which a rank holds a part: what is sharded, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.tensor import DTensor

from mynah.errors import UserError
from mynah.training.sharding.blocks import blocks, full_bytes, largest_held_bytes
from mynah.training.sharding.choice import placement_of
from mynah.training.sharding.placement import Replicated
from mynah.training.sharding.sharded import Sharded, check
from mynah.training.sharding.tensors import joined, own_part, split, split_state, tree_in_full


class Layer(nn.Module):
    """A layer with a stack of its own inside."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return sum(expert(hidden) for expert in self.experts)


class Network(nn.Module):
    """An encoder with a recurrent part, two layers and a tied head."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(layerdrop=0.25)
        self.embedding = nn.Embedding(4, 4)
        self.recurrent = nn.GRU(4, 4, batch_first=True)
        self.layers = nn.ModuleList([Layer(), Layer()])
        self.empty = nn.ModuleList([nn.GELU()])
        self.head = nn.Linear(4, 4, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.recurrent(self.embedding(tokens))
        for layer in self.layers:
            hidden = hidden + layer(hidden)
        return self.head(self.empty[0](hidden))


def job(model: nn.Module, *, fsdp: bool | None) -> Any:
    training = SimpleNamespace(fsdp=fsdp)
    family = SimpleNamespace(model=model, pretrained=False)
    return SimpleNamespace(config=SimpleNamespace(training=training), family=family)


@pytest.fixture
def one_rank():
    """A process group of one."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_layers_of_the_outermost_stacks_are_gathered_one_by_one():
    model = Network()
    nested = nn.Sequential(nn.ModuleList([nn.ModuleList([nn.Linear(2, 2)]), nn.Linear(2, 2)]))
    assert list(blocks(model)) == list(model.layers)
    assert list(blocks(nested)) == [nested[0][0][0], nested[0][1]]


def test_a_rank_holds_its_part_what_is_in_no_layer_and_two_layers():
    model = Network()
    model.layers[1].requires_grad_(False)
    layer = 2 * (16 + 4) * 4  # bytes of its weights
    outside = (16 + 2 * 3 * (16 + 4)) * 4  # embedding and head are one; three gates of a GRU, twice
    assert full_bytes(model) == 2 * outside + 2 * layer + layer
    expected = full_bytes(model) // 4 + 2 * outside + 2 * (2 * layer)
    assert largest_held_bytes(model, 4) == expected


def test_a_single_number_can_be_frozen_and_not_trained():
    model = Network()
    model.scale = nn.Parameter(torch.ones(()), requires_grad=False)
    check(model)
    model.scale.requires_grad_(True)
    with pytest.raises(UserError, match="single number") as caught:
        check(model)
    assert "(scale)" in caught.value.what and "training.fsdp" in (caught.value.fix or "")


def test_weights_in_four_bits_are_refused():
    class Linear4bit(nn.Linear):
        """As bitsandbytes calls its own."""

    with pytest.raises(UserError, match="four bits"):
        check(nn.Sequential(Linear4bit(2, 2)))


def test_one_process_holds_all_and_says_so(capsys):
    assert type(placement_of(job(Network(), fsdp=True))) is Replicated
    assert "training.fsdp has no effect" in capsys.readouterr().out
    for off in (None, False):
        assert type(placement_of(job(Network(), fsdp=off))) is Replicated
    assert capsys.readouterr().out == ""


def test_several_processes_shard(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert placement_of(job(Network(), fsdp=True)).shards


@pytest.mark.long
def test_the_model_in_full_is_the_model_that_was_sharded(one_rank, capsys):
    torch.manual_seed(0)
    model, tokens = Network(), torch.tensor([[0, 1, 2], [3, 2, 1]])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    expected, hooks = model(tokens), dict(model._forward_pre_hooks)
    placement = Sharded(model, may_leave_out=False)
    placement.shard()
    assert "layerdrop, 0.25 here, is off" in capsys.readouterr().out
    assert model.config.layerdrop == 0.0
    assert all(isinstance(one, DTensor) for one in model.parameters())
    for look in (placement.in_full, placement.in_full_on_first):
        with look(), torch.no_grad():
            assert type(model) is Network and type(model.layers[0]) is Layer
            assert model.config.layerdrop == 0.25
            assert not any(vars(one).get("_is_fsdp_managed_module") for one in model.modules())
            assert dict(model._forward_pre_hooks) == hooks
            assert model.head.weight is model.embedding.weight
            state = model.state_dict()
            assert all(torch.equal(state[name], value) for name, value in before.items())
            assert torch.equal(model(tokens), expected)
        assert type(model) is not Network and model.config.layerdrop == 0.0
        assert all(isinstance(one, DTensor) for one in model.parameters())
        model(tokens).sum().backward()
        assert all(isinstance(one.grad, DTensor) for one in model.parameters())
    placement.keep_in_full()
    assert type(model) is Network and not isinstance(model.head.weight, DTensor)


@pytest.mark.long
def test_an_optimizers_state_goes_to_pieces_and_comes_back(one_rank):
    model = Network()
    tokens = torch.tensor([[0, 1, 2]])
    placement = Sharded(model, may_leave_out=False)
    placement.shard()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(tokens).sum().backward()
    optimizer.step()
    held = tree_in_full(optimizer.state_dict(), keep=True)
    moments = [value for one in held["state"].values() for value in one.values()]
    assert not any(isinstance(value, DTensor) for value in moments)
    assert tree_in_full(optimizer.state_dict(), keep=False)["state"][0]["exp_avg"] is None
    again = torch.optim.AdamW(model.parameters(), lr=0.5)
    again.load_state_dict(split_state(held, again))
    assert again.param_groups[0]["lr"] == 0.1
    for parameter, state in again.state.items():
        assert isinstance(state["exp_avg"], DTensor) and state["step"] == 1
        for name in ("exp_avg", "exp_avg_sq"):
            whole = optimizer.state[parameter][name].full_tensor()
            assert torch.equal(state[name].full_tensor(), whole)


def test_what_is_not_sharded_is_left_as_it_is():
    tensor = torch.arange(6.0).reshape(2, 3)
    assert own_part(tensor) is tensor and split(tensor, tensor) is tensor
    assert joined(tensor, tensor) is tensor
    assert tree_in_full({"a": [tensor, (1, tensor)]}, keep=False) == {"a": [tensor, (1, tensor)]}
    assert Replicated().norm([tensor, 2 * tensor]) == pytest.approx((5 * 55) ** 0.5)
