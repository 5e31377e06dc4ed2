"""What a run will cost, measured on one batch before anything is spent."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from mynah.models.family import Example

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.batches import BatchPlan
    from mynah.data.corpus import Corpus
    from mynah.models.family import Family

_TIMED_BATCHES = 2
_ADAM_BYTES = 8  # two fp32 moments a trained parameter


@dataclass(frozen=True)
class Estimate:
    """Seconds an optimizer step takes and the most memory the process will hold."""

    seconds_per_step: float
    peak_bytes: float


def estimate(family: Family, corpus: Corpus, plan: BatchPlan, config: Config) -> Estimate:
    """Run forward and backward on typical batches and on the largest one.

    The largest comes last, so that a batch that does not fit fails here, at once, and not
    hours later. Weights, buffers, gradients and random state are left as they were.
    """
    model = family.model
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    cpu_state = torch.get_rng_state()
    cuda_state = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None
    was_training = model.training
    model.train()
    sizes = _batch_seconds(plan, corpus)
    order = sorted(range(len(sizes)), key=sizes.__getitem__)
    typical = order[len(order) // 2]
    timings = []
    for index in [typical] * (1 + _TIMED_BATCHES) + [order[-1]]:
        started = time.perf_counter()
        _forward_backward(family, corpus, plan, index)
        timings.append(time.perf_counter() - started)
    model.zero_grad(set_to_none=True)
    with torch.no_grad():
        for name, value in model.named_buffers():
            value.copy_(buffers[name])
    torch.set_rng_state(cpu_state)
    if cuda_state is not None:
        torch.cuda.set_rng_state_all(cuda_state)
    model.train(was_training)
    step = min(timings[1:-1]) * config.training.gradient_accumulation_steps
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return Estimate(step, _peak_bytes(model) + _ADAM_BYTES * trained)


def _batch_seconds(plan: BatchPlan, corpus: Corpus) -> list[float]:
    """Padded seconds of every batch of epoch 0."""
    sizes = []
    for index in range(plan.batches_per_epoch):
        rows = [row for row, _ in plan.batch(0, index)]
        sizes.append(float(corpus.durations[rows].max()) * len(rows) if rows else 0.0)
    return sizes


def _forward_backward(family: Family, corpus: Corpus, plan: BatchPlan, index: int) -> None:
    from mynah.data.audio import AudioError

    examples = []
    for row, weight in plan.batch(0, index):
        try:
            audio = corpus.read_audio(row)
        except AudioError:
            continue  # the training loop counts and names it
        utterance = corpus[row]
        examples.append(
            Example(utterance.id, family.features(audio), family.labels(utterance.text), weight)
        )
    if not examples:
        return
    device = next(family.model.parameters()).device
    batch = {name: tensor.to(device) for name, tensor in family.collate(examples).items()}
    loss = family.loss(family.model, batch)
    (loss.total / loss.count).backward()
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak_bytes(model: Any) -> float:
    device = next(model.parameters()).device
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) * (1 if sys.platform == "darwin" else 1024)  # macOS counts bytes
