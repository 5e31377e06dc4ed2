"""A model of which each rank holds a part: torch's ``fully_shard``, block by block.

https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html; Zhao et al. 2023, arXiv
2304.11277. Not through Accelerate's plugin, which turns itself off on CPUs without a word.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from mynah import console, distributed
from mynah.errors import UserError
from mynah.models.lora import quantization
from mynah.training.sharding.blocks import blocks
from mynah.training.sharding.placement import Replicated, root_of_sum
from mynah.training.sharding.tensors import split_state, tree_in_full

# What transformers' classes call the share of layers that they leave out of a step at random.
_LAYER_DROPS = ("layerdrop", "encoder_layerdrop", "decoder_layerdrop")
_MANAGED = "_is_fsdp_managed_module"  # by which transformers knows that the ranks keep in step


class Sharded(Replicated):
    """A model of which each rank holds a part of each weight, gradient and optimizer state.

    Args:
        model: The module that is trained; in full, the same on every rank.
        may_leave_out: Whether a step may leave weights without a gradient, on some ranks alone.
    """

    def __init__(self, model: nn.Module, *, may_leave_out: bool) -> None:
        self._model = model
        self._may_leave_out = may_leave_out
        self._modules: list[Any] = []  # that fully_shard was applied to, the model last
        self._layer_drops: list[tuple[Any, str, float]] = []
        self._kept: Any = None  # what holds the full weights once they stay

    @property
    def shards(self) -> bool:
        """Whether it is asked for that each rank holds a part."""
        return True

    def shard(self) -> None:
        """Let each rank hold a part of each weight from here on; all ranks together.

        Raises:
            UserError: The model has weights that cannot be sharded.
        """
        if self._modules:
            return
        check(self._model)
        _take_from_first(self._model)
        self._layer_drops = list(_layer_drops(self._model))
        if self._layer_drops and distributed.rank() == 0:
            most = max(share for _, _, share in self._layer_drops)
            console.notice(
                f"training.fsdp trains every layer at every step (layerdrop, {most:g} here, is "
                "off): of sharded weights all processes have to compute the same layers."
            )
        self._drop_layers(False)
        device = next(self._model.parameters()).device
        mesh = init_device_mesh(device.type, (distributed.world_size(),))
        self._modules = [*blocks(self._model), self._model]
        # Families compute their losses of what a model gives without writing into it.
        warnings.filterwarnings("ignore", message=r"FSDP2-wrapped module .* returned a view tensor")
        numbers = {one for one in self._model.parameters() if one.dim() == 0}  # and frozen
        for module in self._modules:
            fully_shard(module, mesh=mesh, ignored_params=numbers)
        self._modules[-1].set_reduce_scatter_unused_params(self._may_leave_out)

    def _drop_layers(self, dropped: bool) -> None:
        for holder, name, share in self._layer_drops:
            setattr(holder, name, share if dropped else 0.0)

    @contextmanager
    def in_full(self) -> Iterator[None]:
        """For a while, let every rank have the model as it would be without sharding.

        All ranks enter together, and may do different things with it: nothing is exchanged in
        its forward pass. What is done to its weights is lost.
        """
        with self._swapped(True, next(self._model.parameters()).device):
            yield

    @contextmanager
    def in_full_on_first(self) -> Iterator[None]:
        """The same, on the CPU, for the first rank alone; the others only help it."""
        with self._swapped(distributed.rank() == 0, torch.device("cpu")):
            yield

    def keep_in_full(self) -> None:
        """Let every rank have the model in full for good; all ranks together."""
        if self._modules:
            self._kept = self.in_full()
            self._kept.__enter__()
            self._modules = []

    def state_in_full(self, state: dict[str, Any]) -> dict[str, Any]:
        """An optimizer's state as the first rank writes it; all ranks together."""
        full: dict[str, Any] = tree_in_full(state, keep=distributed.rank() == 0)
        return full

    def own_state(self, state: dict[str, Any], optimizer: Any) -> dict[str, Any]:
        """What :meth:`state_in_full` gave, as this rank's optimizer takes it."""
        return split_state(state, optimizer)

    def norm(self, gradients: Sequence[torch.Tensor]) -> float:
        """The norm of a gradient of which this rank holds these parts; all ranks together."""
        device = next(self._model.parameters()).device
        own = super().norm(gradients)
        (squares,) = distributed.sum_over_ranks([own**2], device)
        return root_of_sum(squares)

    @contextmanager
    def _swapped(self, here: bool, device: torch.device) -> Iterator[None]:
        """With full weights in the places of the sharded ones, where ``here`` is true."""
        for module in self._modules:
            module.reshard()
        with ExitStack() as back:
            full: dict[int, nn.Parameter] = {}
            for owner, name, parameter in list(_places(self._model)):
                if id(parameter) not in full:  # tied weights are one
                    with torch.no_grad():
                        whole = parameter.full_tensor()
                    held = whole.to(device) if here else torch.empty(0)
                    full[id(parameter)] = nn.Parameter(held, requires_grad=parameter.requires_grad)
                if here:
                    setattr(owner, name, full[id(parameter)])
                    back.callback(setattr, owner, name, parameter)
            if here:
                back.enter_context(self._plain())
            yield

    @contextmanager
    def _plain(self) -> Iterator[None]:
        """The modules without what ``fully_shard`` added: classes, marks, and hooks that gather."""
        with ExitStack() as back:
            self._drop_layers(True)
            back.callback(self._drop_layers, False)
            for module in self._model.modules():
                if getattr(module, _MANAGED, False):
                    setattr(module, _MANAGED, False)
                    back.callback(setattr, module, _MANAGED, True)
            for module in self._modules:
                state = fully_shard.state(module)  # type: ignore[attr-defined]
                for name in ("_forward_pre_hooks", "_forward_hooks"):
                    hooks = getattr(module, name)
                    setattr(module, name, _hooks_of_others(hooks, state))
                    back.callback(setattr, module, name, hooks)
                sharded_class = type(module)
                module.__class__ = _own_class(sharded_class)
                back.callback(setattr, module, "__class__", sharded_class)
            yield


def check(model: nn.Module) -> None:
    """See that a model can be sharded.

    Raises:
        UserError: It holds weights in four bits, or trains one that is a single number.
    """
    if quantization.holds_four_bits(model):
        raise UserError(
            "Weights in four bits are packed, and cannot be sharded.",
            where="training.fsdp",
            fix="leave training.fsdp out; each process then holds all weights",
        )
    for name, parameter in model.named_parameters():
        if parameter.dim() == 0 and parameter.requires_grad:
            raise UserError(
                f"A weight of this model is a single number ({name}), and torch's fully_shard "
                "takes none.",
                where="training.fsdp",
                fix="leave training.fsdp out; each process then holds all weights",
            )


def _take_from_first(model: nn.Module) -> None:
    """Take over rank 0's weights and buffers, as DDP does: each rank keeps another part."""
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            sent = tensor.detach().contiguous()
            dist.broadcast(sent, 0)
            tensor.copy_(sent)


def _layer_drops(model: nn.Module) -> Iterator[tuple[Any, str, float]]:
    """What leaves layers out at random: its holder, the name there, and the share."""
    seen = set()
    for module in model.modules():
        if not any(parameter.requires_grad for parameter in module.parameters()):
            continue  # it stays as it decodes, with every layer
        for holder in (module, getattr(module, "config", None)):
            for name in _LAYER_DROPS:
                share = vars(holder).get(name) if holder is not None else None
                if isinstance(share, float) and share > 0 and (id(holder), name) not in seen:
                    seen.add((id(holder), name))
                    yield holder, name, share


def _places(model: nn.Module) -> Iterator[tuple[nn.Module, str, Any]]:
    """Each place of a sharded weight: its module, its name there, and the weight."""
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            if isinstance(parameter, DTensor):
                yield module, name, parameter


def _own_class(sharded_class: type) -> type:
    """The class that ``fully_shard`` made a class of its own of."""
    return next(one for one in sharded_class.__mro__[1:] if not issubclass(one, FSDPModule))


def _hooks_of_others(hooks: Any, state: Any) -> Any:
    kept = [(number, hook) for number, hook in hooks.items() if _owner(hook) is not state]
    return OrderedDict(kept)


def _owner(hook: Any) -> Any:
    return getattr(hook, "__self__", None)
