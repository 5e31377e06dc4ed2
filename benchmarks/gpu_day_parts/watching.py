"""What a training does, seen from within its process, and what befalls it there.

The loop, the loss and the loader are the product's; here they are looked at from outside, and a
fault is put in: a kill, memory that is taken away.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SQUEEZED_SHARE = 0.7  # of what a step takes above what lies there between steps


@contextmanager
def watch(
    file: Path,
    *,
    kill_at: int | None = None,
    squeeze_at: int | None = None,
    most_rows: int | None = None,
    count_flops_at: int | None = None,
    leave: bool = False,
) -> Iterator[None]:
    """Write what happens to a file, and let a fault happen.

    Args:
        file: JSON, an event a line.
        kill_at: The step, from 1, before whose gradient the process is sent SIGKILL.
        squeeze_at: The step after which a GPU's memory no longer holds a step in one piece.
        most_rows: Rows of a batch, from that step on, for which memory runs out (for a CPU).
        count_flops_at: The step whose floating point operations are counted as they are run.
        leave: End the process with the training, before the model is loaded again and measured.
    """
    import torch

    def note(kind: str, **said: Any) -> None:
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"kind": kind, "at": time.perf_counter(), **said}) + "\n")

    faults = _Faults(kill_at, squeeze_at, most_rows)
    _watch_gradient(note, faults, count_flops_at)
    _watch_logs(note)
    _watch_generation(note)
    slots = _count_slots()

    def end() -> None:
        note("end", **slots, **(_memory() if torch.cuda.is_initialized() else {}), **_compiled())

    if leave:
        _leave_after_training(end)
    try:
        yield
    finally:
        end()


class _Faults:
    """What befalls a training, by the step that it stands at."""

    def __init__(self, kill_at: int | None, squeeze_at: int | None, most_rows: int | None) -> None:
        self._kill_at, self._squeeze_at, self._most_rows = kill_at, squeeze_at, most_rows

    def before(self, step: int) -> None:
        """Before a step's gradient, steps counted from 1."""
        import torch

        if step == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if step == self._squeeze_at and torch.cuda.is_initialized():
            torch.cuda.reset_peak_memory_stats()  # which has been that of the trial before

    def piece(self, step: int, rows: int) -> None:
        """Before a piece of a batch."""
        import torch

        after = self._squeeze_at is not None and step > self._squeeze_at
        if after and self._most_rows is not None and rows > self._most_rows:
            raise torch.OutOfMemoryError("CUDA out of memory (as a test of what is done then)")

    def after(self, step: int) -> None:
        """After a step's gradient: take away what a step needs in one piece."""
        import torch

        if step != self._squeeze_at or self._most_rows is not None:
            return
        peak = torch.cuda.max_memory_allocated()
        torch.cuda.empty_cache()
        held = torch.cuda.memory_reserved()
        total = torch.cuda.get_device_properties(0).total_memory
        left = held + _SQUEEZED_SHARE * (peak - torch.cuda.memory_allocated())
        torch.cuda.set_per_process_memory_fraction(left / total)


def _watch_gradient(note: Callable[..., None], faults: _Faults, count_flops_at: int | None) -> None:
    from mynah.training.gradient import StepGradient

    add, learn, finish = StepGradient.add, StepGradient._learn_piece, StepGradient.finish

    def step_of(gradient: Any) -> int:
        return int(gradient._trainer.state.global_step) + 1

    def added(gradient: Any, model: Any, inputs: dict[str, Any]) -> None:
        step, tensors = step_of(gradient), inputs["tensors"]
        faults.before(step)
        note(
            "batch", step=step, ids=inputs["ids"], seconds=inputs["seconds"],
            pinned=all(tensor.is_pinned() for tensor in tensors.values()),
            shapes={name: list(tensor.shape) for name, tensor in tensors.items()},
            bf16=bool(gradient._trainer.args.bf16), scored=_scored(tensors.get("labels")),
        )  # fmt: skip
        add(gradient, model, inputs)

    def learned(gradient: Any, model: Any, tensors: dict[str, Any]) -> Any:
        step = step_of(gradient)
        faults.piece(step, len(next(iter(tensors.values()))))
        if step != count_flops_at:
            return learn(gradient, model, tensors)
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            found = learn(gradient, model, tensors)
        note("flops", step=step, counted=counter.get_total_flops())
        return found

    def finished(gradient: Any, model: Any) -> None:
        step = step_of(gradient)
        finish(gradient, model)
        note("step", step=step)
        faults.after(step)

    StepGradient.add = added  # type: ignore[assignment, method-assign]
    StepGradient._learn_piece = learned  # type: ignore[assignment, method-assign]
    StepGradient.finish = finished  # type: ignore[assignment, method-assign]


def _scored(labels: Any) -> int | None:
    """Positions of a language model from the one before the first target on."""
    if labels is None or not (targets := (labels >= 0).any(0)).any():
        return None
    return int(labels.shape[1]) - int(targets.int().argmax()) + 1


def _watch_logs(note: Callable[..., None]) -> None:
    from mynah.training.callbacks import Progress

    say = Progress.on_log

    def said(progress: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        logs = {k: v for k, v in kwargs["logs"].items() if isinstance(v, int | float)}
        note("log", step=state.global_step, logs=logs)
        say(progress, args, state, control, **kwargs)

    Progress.on_log = said  # type: ignore[assignment, method-assign]


def _watch_generation(note: Callable[..., None]) -> None:
    """What a decoder writes: rows, and the positions of each with its prompt."""
    from transformers import GenerationMixin

    generate = GenerationMixin.generate

    def generated(model: Any, *arguments: Any, **options: Any) -> Any:
        found: Any = generate(model, *arguments, **options)
        rows, length = getattr(found, "sequences", found).shape
        prompt = options.get("decoder_input_ids")
        note("generated", rows=rows, tokens=length - (0 if prompt is None else prompt.shape[1]))
        return found

    GenerationMixin.generate = generated  # type: ignore[assignment, method-assign]


def _leave_after_training(end: Callable[[], None]) -> None:
    from mynah.training import trainer

    train = trainer.train

    def trained(*arguments: Any, **options: Any) -> None:
        train(*arguments, **options)
        end()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    trainer.train = trained  # type: ignore[assignment]


def _count_slots() -> dict[str, int]:
    """Batches that came through the shared slots, counted as they come."""
    from mynah.training.loading.batch_memory import BatchMemory

    counts = {"slots": 0, "through_slots": 0}
    make, fetch = BatchMemory.__init__, BatchMemory.fetch

    def made(memory: Any, slots: int, *arguments: Any, **options: Any) -> None:
        counts["slots"] = slots
        make(memory, slots, *arguments, **options)

    def fetched(memory: Any, *arguments: Any) -> Any:
        counts["through_slots"] += 1
        return fetch(memory, *arguments)

    BatchMemory.__init__ = made  # type: ignore[assignment, method-assign]
    BatchMemory.fetch = fetched  # type: ignore[assignment, method-assign]
    return counts


def _memory() -> dict[str, Any]:
    import torch

    found = torch.cuda.memory_stats()
    return {
        "peak_bytes": torch.cuda.max_memory_allocated(),
        "reserved_bytes": torch.cuda.max_memory_reserved(),
        "total_bytes": torch.cuda.get_device_properties(0).total_memory,
        "out_of_memory": found.get("num_ooms", 0),
    }


def _compiled() -> dict[str, Any]:
    dynamo = sys.modules.get("torch._dynamo.utils")
    if dynamo is None:
        return {}
    counters = dynamo.counters
    return {
        "graphs": int(counters["stats"].get("unique_graphs", 0)),
        "graph_breaks": int(sum(counters["graph_break"].values())),
    }
