"""The batches of a training: planned as the settings say, or as large as memory allows.

``training.per_device_train_batch_size=auto`` finds ``batch_seconds``: on CUDA the largest that
fits, by dry steps; elsewhere ``batch_seconds`` itself, or less where memory is short.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mynah import console, distributed
from mynah.data.batches import BatchPlan
from mynah.data.lengths import rounded_up
from mynah.errors import UserError, reading_checkpoint
from mynah.machine import is_out_of_memory
from mynah.training.resuming.resume import read_about
from mynah.training.sizing import memory
from mynah.training.sizing.dry_step import DrySteps

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.utterances import Utterances
    from mynah.models.family import Family

AUTO_BATCH_SIZE = "auto"

_SPARE = 0.1  # of a GPU's memory that is left free: other lengths cut it into other pieces
_STEPS_AN_EPOCH = 50  # at least: larger batches would leave a small corpus hardly any steps
_RUNG = 1.05  # budgets that are tried are this much apart
_SHARE = 0.5  # of what is free elsewhere, for activations: other programs need some too
_OVERHEAD = 2.0  # gradients of activations and workspace, beside the activations that are kept


def batch_plan(corpus: Utterances, config: Config) -> BatchPlan:
    """The batches of a corpus under the settings; with ``auto``, as for ``batch_seconds``."""
    training = config.training
    asked = training.per_device_train_batch_size
    size = asked if isinstance(asked, int) else None
    lengths = rounded_up(corpus.durations)
    corpus.release()  # of a large corpus the plan takes the most memory before training
    return BatchPlan(
        lengths,
        seed=training.seed,
        batch_seconds=training.batch_seconds if size is None else None,
        batch_size=size,
        world_size=distributed.planned_ranks(),
        rank=distributed.rank(),
        processes=distributed.world_size(),
        text_lengths=corpus.text_lengths,
        repeats=corpus.repeats,
        characters_a_second=training.batch_characters_a_second,
    )


def with_batch_size(
    config: Config, family: Family, corpus: Utterances, *, resume: Path | None
) -> Config:
    """The settings with ``auto`` replaced by what it comes to, the same on every rank.

    A training that resumes takes what it began with. What is found is said.

    Args:
        config: The settings; returned as they are where no ``auto`` is among them.
        family: The model, on its device; it is left as it was found.
        corpus: Training utterances.
        resume: The checkpoint that training resumes from.

    Raises:
        UserError: Not even one utterance fits the GPU.
    """
    if config.training.per_device_train_batch_size != AUTO_BATCH_SIZE:
        return config
    if resume is not None:
        chosen = _as_before(config, resume)
        how = "as the training that is resumed"
    else:
        steps = DrySteps(family, corpus, config)
        plan = batch_plan(corpus, config)
        with steps.prepared():
            if steps.device.type == "cuda":
                found = _largest_on_gpu(steps, plan, corpus)
                how = f"the largest that fits with {_SPARE:.0%} of the GPU's memory to spare"
            else:
                found = _within_free_memory(steps, plan, corpus, config.training.batch_seconds)
                how = "within training.batch_seconds and half of the free memory"
        found = min(distributed.from_first(distributed.gather_to_first(found)))
        chosen = {"per_device_train_batch_size": None, "batch_seconds": found}
    named = ", ".join(f"training.{name}={value:g}" for name, value in chosen.items() if value)
    console.say(f"Batch size: {named} ({how})")
    return dataclasses.replace(config, training=dataclasses.replace(config.training, **chosen))


def _as_before(config: Config, resume: Path) -> dict[str, Any]:
    with reading_checkpoint(resume):
        training = read_about(resume).get("training") or {}
        settings = training.get("settings") or {}
        size = settings.get("training.per_device_train_batch_size")
        seconds = settings.get("training.batch_seconds", config.training.batch_seconds)
    return {"per_device_train_batch_size": size, "batch_seconds": seconds}


def _largest_on_gpu(steps: DrySteps, plan: BatchPlan, corpus: Utterances) -> float:
    spare = int(_SPARE * torch.cuda.get_device_properties(steps.device).total_memory)

    def fits(rows: Sequence[int]) -> bool:
        try:
            steps.run_worst(rows, spare_bytes=spare)
            return True
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        # Here the error is gone, and with it its hold on the tensors of the step.
        memory.release_unused(steps.device)
        return False

    found = largest_budget(plan, corpus.durations, fits)
    memory.release_unused(steps.device)
    if found is None:
        worst = _single_rows(plan)[0][0]
        raise UserError(
            "The GPU's memory is too small for a training step on one utterance of "
            f"{corpus.durations[worst]:.1f} seconds.",
            where=f"utterance {corpus.ids[worst]}",
            fix="set data.max_audio_seconds lower, training.gradient_checkpointing=true or "
            "training.bf16=true, or take a smaller model",
        )
    return found


def largest_budget(
    plan: BatchPlan, durations: np.ndarray, fits: Callable[[Sequence[int]], bool]
) -> float | None:
    """The largest budget of padded seconds whose costliest batches fit, by bisection.

    Args:
        plan: The batches, of any budget.
        durations: Seconds of each row, [rows].
        fits: Whether a batch of these rows fits. It is taken for granted that a batch that
            is not larger than one that fits does too.

    Returns:
        Whole seconds, at most so many that an epoch has 50 steps; None where no row fits.
    """
    longest = max(float(durations[rows].max()) for rows in _single_rows(plan))
    lowest = max(math.ceil(longest), 1)
    highest = max(plan.padded_seconds() / (_STEPS_AN_EPOCH * plan.world_size), lowest)
    rungs = [float(lowest)]
    while rungs[-1] < highest:
        rungs.append(min(math.ceil(rungs[-1] * _RUNG), float(math.ceil(highest))))
    best = None
    low, high = 0, len(rungs) - 1
    while low <= high:
        middle = (low + high + 1) // 2
        if all(fits(rows) for rows in plan.resized(rungs[middle]).costliest_batches()):
            best, low = rungs[middle], middle + 1
        else:
            high = middle - 1
    return best


def _single_rows(plan: BatchPlan) -> list[list[int]]:
    """The costliest rows, each in a batch of its own."""
    return plan.resized(1e-6).costliest_batches()


def _within_free_memory(
    steps: DrySteps, plan: BatchPlan, corpus: Utterances, batch_seconds: float
) -> float:
    free = memory.free_bytes(steps.device)
    if free is None:
        return batch_seconds
    measured = []
    for budget in (batch_seconds / 4, batch_seconds / 2):
        rows = plan.resized(budget).costliest_batches()[0]
        seconds = len(rows) * float(corpus.durations[rows].max())
        measured.append((seconds, kept_bytes(steps.model, partial(steps.run_worst, rows))))
    return affordable_budget(
        measured, (free - steps.held_bytes) * _SHARE / _OVERHEAD, at_most=batch_seconds
    )


def affordable_budget(
    measured: Sequence[tuple[float, float]], bytes_: float, *, at_most: float
) -> float:
    """Padded seconds whose activations take no more than so many bytes.

    Args:
        measured: (padded seconds, bytes) of two steps, the smaller first.
        bytes_: What there is for activations.
        at_most: The largest budget wanted.

    Returns:
        Down to a hundredth of ``at_most``, not less: a step tells whether that fits.
    """
    (seconds, size), (more_seconds, more_size) = measured
    if more_seconds > seconds and more_size > size:
        rate = (more_size - size) / (more_seconds - seconds)
    else:  # the same batch: whatever it keeps, its audio is the reason
        rate = more_size / more_seconds
    fixed = max(more_size - rate * more_seconds, 0.0)
    affordable = (bytes_ - fixed) / rate if rate > 0 else at_most
    return max(min(at_most, affordable), at_most / 100)


def kept_bytes(model: torch.nn.Module, step: Callable[[], None]) -> int:
    """Bytes of the activations that a step keeps for its backward pass, weights left out."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    storages: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        step()
    return sum(size for place, size in storages.items() if place not in weights)
