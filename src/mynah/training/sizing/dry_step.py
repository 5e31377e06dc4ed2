"""One step of a training that changes nothing: to see that it fits, and how long it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mynah import distributed
from mynah.errors import UserError
from mynah.models.family import Example
from mynah.training.arguments import mixed_precision
from mynah.training.resuming import state
from mynah.training.sizing import memory

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.utterances import Utterances
    from mynah.models.family import Family

_AMPLITUDE = 0.1  # of the noise that stands in for speech


class DrySteps:
    """Forward and backward passes over batches of a corpus, as a training will do them.

    Args:
        family: The model; it is left as it was found.
        corpus: The utterances.
        config: Mixed precision, checkpointed activations, the optimizer and the speeds that
            audio is played at are taken from it.

    Attributes:
        model: The model.
        device: Where it is.
        held_bytes: What a training holds beside what a step shows: the optimizer's state.
        spared_bytes: What a step shows of weights and gradients that other processes will hold
            (``training.fsdp``): steps are of the model in full.
    """

    def __init__(self, family: Family, corpus: Utterances, config: Config) -> None:
        self._family = family
        self.model: torch.nn.Module = family.model
        self._corpus = corpus
        self._config = config
        self.device: torch.device = next(family.model.parameters()).device
        ranks = distributed.world_size()
        sharded = bool(config.training.fsdp) and ranks > 1
        self.held_bytes = memory.training_bytes(
            family.model, config.training.optim, ranks, sharded=sharded
        )
        self.spared_bytes = memory.bytes_of_others(family.model, ranks) if sharded else 0

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Around steps: weights, buffers, gradients, modes and random state stay as they were."""
        model = self.model
        buffers = {name: value.clone() for name, value in model.named_buffers()}
        modes = {name: module.training for name, module in model.named_modules()}
        random_state = state.random_state(self.device)
        model.train()
        checkpointed = self._checkpoint_activations()
        try:
            yield
        finally:
            model.zero_grad(set_to_none=True)
            if checkpointed:
                self._family.model.activation_checkpointing_disable()
            with torch.no_grad():
                for name, value in model.named_buffers():
                    value.copy_(buffers[name])
            for name, module in model.named_modules():
                module.training = modes[name]
            state.set_random_state(random_state, self.device)

    def run(self, rows: Sequence[int]) -> None:
        """One step on what is recorded; a file that cannot be read is left to the training."""
        examples = []
        for row in rows:
            try:
                audio = self._corpus.read_audio(row)
            except UserError:
                audio = self._noise(row, 1.0)
            examples.append(self._example(row, self._corpus.texts[row], audio))
        self._step(examples)

    def run_worst(self, rows: Sequence[int], *, spare_bytes: int = 0) -> None:
        """One step on the most that a batch of these rows can be, beside an optimizer's state.

        Every row is as long as the longest at the slowest speed of the augmentation, with the
        longest transcript: what a batch is padded to.

        Args:
            rows: The rows.
            spare_bytes: Memory of a GPU to leave free.
        """
        longest, wordiest = self.worst_of(rows)
        text = self._corpus.texts[wordiest]
        slowest = min([1.0, *self._config.data.augmentation.speed_factors])
        example = self._example(longest, text, self._noise(longest, slowest))
        if slowest < 1 and self._family.impossible(
            round(self._seconds(longest) / slowest * self._corpus.sample_rate), example.labels
        ):
            example = self._example(longest, text, self._noise(longest, 1.0))
        held = memory.hold(self.device, self.held_bytes + spare_bytes)
        try:
            self._step([example] * len(rows))
        finally:
            del held

    def worst_of(self, rows: Sequence[int]) -> tuple[int, int]:
        """The row with the longest recording, and the one with the longest transcript."""
        # One by one: a column of all rows is gone from memory by now.
        found = {row: self._corpus[row] for row in rows}
        longest = max(found, key=lambda row: found[row].duration_seconds)
        return longest, max(found, key=lambda row: len(found[row].text))

    def _seconds(self, row: int) -> float:
        return self._corpus[row].duration_seconds

    def _noise(self, row: int, speed: float) -> np.ndarray:
        samples = max(round(self._seconds(row) / speed * self._corpus.sample_rate), 1)
        return _AMPLITUDE * np.random.default_rng(0).standard_normal(samples, dtype=np.float32)

    def _example(self, row: int, text: str, audio: np.ndarray) -> Example:
        labels = self._family.labels(text)
        if self._family.impossible(len(audio), labels) is not None:
            labels = []
        features = self._family.features(audio)
        second = features if self._config.model.ctc_consistency else None
        return Example(self._corpus.ids[row], features, labels, second=second)

    def _step(self, examples: Sequence[Example]) -> None:
        family = self._family
        tensors = {
            name: tensor.to(self.device) for name, tensor in family.collate(examples).items()
        }
        with self._precision():
            loss = family.loss(family.model, tensors)
        (loss.total / loss.count.clamp(min=1)).backward()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _precision(self) -> AbstractContextManager[Any]:
        bf16, fp16 = mixed_precision(self._config, say=False)
        if not (bf16 or fp16):
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16 if bf16 else torch.float16)

    def _checkpoint_activations(self) -> bool:
        """Compute activations again where the training will; whether that was switched on."""
        model: Any = self.model
        training = self._config.training
        wanted = training.gradient_checkpointing and hasattr(
            model, "activation_checkpointing_enable"
        )
        if not wanted or getattr(model, "is_activation_checkpointing", False):
            return False
        options = getattr(training, "gradient_checkpointing_kwargs", None)
        model.activation_checkpointing_enable(activation_checkpointing_kwargs=options or None)
        return True
