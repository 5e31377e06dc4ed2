"""The exponential moving average of a training's weights, which is what is measured and saved.

Polyak averaging with a decay that warms up, ``min(decay, (1 + step) / (10 + step))``, so that a
short training is not held back by its first weights (tf.train.ExponentialMovingAverage).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn.modules.batchnorm import _NormBase

from mynah.training.sharding.tensors import joined, own_part, split

AVERAGE_FILE = "unaveraged.safetensors"
"""Of a checkpoint whose model is an average: the weights that the optimizer continues with."""


class MovingAverage:
    """An average of what a step changes: trained weights, and normalisation's running statistics.

    Statistics go with the weights: those of the last steps are not those of the average. Of sharded
    weights each rank averages its own parts.

    Args:
        model: The module that is trained, on its device.
        decay: What of the average a step keeps, once it has warmed up.
    """

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        self._model = model
        self._decay = decay
        self._average: dict[str, torch.Tensor] = {}

    def begin(self) -> None:
        """Average from the weights as they are on; where one was restored, from there."""
        restored, self._average = self._average, {}
        for name, tensor in self._followed():
            begun = split(restored[name], tensor) if name in restored else tensor.clone()
            self._average[name] = own_part(begun)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Add the weights after a step, counted from 1."""
        decay = min(self._decay, (1 + step) / (10 + step))
        followed = {name: own_part(tensor) for name, tensor in self._followed()}
        averages = [self._average[name] for name in followed]
        torch._foreach_lerp_(averages, list(followed.values()), 1.0 - decay)

    @contextmanager
    def in_model(self) -> Iterator[None]:
        """Let the model have the average for a while, and then its own weights again."""
        self.swap()
        try:
            yield
        finally:
            self.swap()

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the model's weights and the average, value by value: an optimizer, a wrapper
        and a recurrent layer's packed weights hold on to the tensors."""
        for name, tensor in self._followed():
            own = own_part(tensor)
            kept = own.clone()
            own.copy_(self._average[name])
            self._average[name].copy_(kept)

    def unaveraged(self) -> dict[str, torch.Tensor]:
        """What the average stands in place of, by name, in full and on the CPU.

        Called while the average is in the model, by all ranks together.
        """
        followed = self._followed()
        return {name: joined(self._average[name], like).cpu() for name, like in followed}

    @staticmethod
    def save_unaveraged(tensors: dict[str, torch.Tensor], directory: Path) -> None:
        """Write what :meth:`unaveraged` gave."""
        held = {name: one.contiguous() for name, one in tensors.items()}
        save_file(held, str(directory / AVERAGE_FILE))

    @torch.no_grad()
    def restore(self, directory: Path) -> None:
        """Continue from a checkpoint: the model has its average, and gets its own weights.

        Raises:
            OSError: The checkpoint has no such weights.
            ValueError: They are those of another model.
        """
        self._average = {name: tensor.clone() for name, tensor in self._followed()}
        held = load_file(str(directory / AVERAGE_FILE))
        if held.keys() != self._average.keys():
            raise ValueError(f"{AVERAGE_FILE} does not hold the weights that are trained")
        for name, tensor in self._followed():
            if held[name].shape != tensor.shape:
                raise ValueError(f"{AVERAGE_FILE} has {name} in another shape")
            tensor.copy_(held[name])

    def size_bytes(self) -> int:
        """What :meth:`save_unaveraged` writes."""
        return sum(tensor.numel() * tensor.element_size() for _, tensor in self._followed())

    def _followed(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Looked up again: moving a model gives it other tensors."""
        for name, parameter in self._model.named_parameters():
            if parameter.requires_grad and parameter.is_floating_point():
                yield name, parameter.detach()
        for path, module in self._model.named_modules():
            if isinstance(module, _NormBase) and module.track_running_stats:
                for name, buffer in module.named_buffers(prefix=path, recurse=False):
                    if buffer.is_floating_point():
                        yield name, buffer
