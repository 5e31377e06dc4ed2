"""Learning rates by part: an encoder, a projector and a language model that learn at their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from mynah.config.schema import TrainingConfig

_WRAPPERS = ("module.", "_fsdp_wrapped_module.", "_orig_mod.")


def part_rates(training: TrainingConfig) -> dict[str, float]:
    """The learning rates that were given to parts, by part."""
    rates = {
        "encoder": training.encoder_learning_rate,
        "projector": training.projector_learning_rate,
        "decoder": training.decoder_learning_rate,
    }
    return {part: rate for part, rate in rates.items() if rate is not None}


def split_by_part(
    optimizer: Any, model: nn.Module, part_of: Callable[[str], str], rates: dict[str, float]
) -> None:
    """Give each part's parameters a group of the optimizer with its own learning rate.

    The schedule scales every group's rate alike. Groups keep all else that they had, and those
    of the plain rate come first, for theirs is the rate that is logged. The order follows from
    the model alone, so that a resumed training finds its groups again.

    Args:
        optimizer: Freshly made, of any kind; changed in place.
        model: Whose parameters it has.
        part_of: Names the part of a parameter, :meth:`Family.part_of`.
        rates: Learning rate by part; a part without one keeps its group's.
    """
    if not rates:
        return
    part_by_id = {id(p): part_of(_plain(name)) for name, p in model.named_parameters()}
    plain: list[dict[str, Any]] = []
    own: list[dict[str, Any]] = []
    for group in optimizer.param_groups:
        members: dict[str, list[Any]] = {}
        for parameter in group["params"]:
            members.setdefault(part_by_id[id(parameter)], []).append(parameter)
        for part in sorted(members):
            split = {**group, "params": members[part]}
            if part in rates:
                own.append({**split, "lr": rates[part]})
            else:
                plain.append(split)
    optimizer.param_groups[:] = [*plain, *own]


def _plain(name: str) -> str:
    for wrapper in _WRAPPERS:
        name = name.replace(wrapper, "")
    return name
