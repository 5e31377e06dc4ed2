"""What a run will cost, measured on its largest and on typical batches before it is spent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mynah import distributed
from mynah.errors import UserError
from mynah.files import write_json
from mynah.machine import is_out_of_memory
from mynah.training.sizing import memory
from mynah.training.sizing.dry_step import DrySteps

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.batches import BatchPlan
    from mynah.data.utterances import Utterances
    from mynah.models.family import Family

BATCH_FILE = "batch_out_of_memory.json"
_TIMED_BATCHES = 2
_NAMED = 3  # utterances named in a message


@dataclass(frozen=True)
class Estimate:
    """Seconds an optimizer step takes and the most memory the process will hold."""

    seconds_per_step: float
    peak_bytes: float


def estimate(
    family: Family, corpus: Utterances, plan: BatchPlan, config: Config, *, directory: Path
) -> Estimate:
    """Run forward and backward on the batches that take the most memory, then on typical ones.

    The costliest come first, so that a batch that does not fit fails here, at once, and not
    hours later. Weights, buffers, gradients and random state are left as they were.

    Args:
        family: The model.
        corpus: Training utterances.
        plan: Their batches.
        config: The settings.
        directory: Where a batch that does not fit is written to, as ``batch_out_of_memory.json``.

    Raises:
        UserError: A batch does not fit; what it holds and what to set is said.
    """
    steps = DrySteps(family, corpus, config)
    if steps.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(steps.device)
    timings = []
    with steps.prepared():
        for rows in plan.costliest_batches():
            try:
                steps.run_worst(rows)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                raise _too_large(family, corpus, config, rows, directory, error) from error
        typical = plan.typical_batch()
        for _ in range(_TIMED_BATCHES):
            started = time.perf_counter()
            steps.run(typical)
            timings.append(time.perf_counter() - started)
        peak = memory.peak_bytes(steps.device)
    padded = len(typical) * max(corpus[row].duration_seconds for row in typical)
    batches = plan.batches_per_epoch * distributed.world_size()
    mean = plan.padded_seconds() / batches
    # The typical batch is of the median size; the mean may be another where sizes are fixed.
    seconds = min(timings) * (mean / padded if padded else 1.0)
    if steps.device.type != "cuda":
        peak += steps.held_bytes
    peak = max(peak - steps.spared_bytes, 0)
    return Estimate(seconds * config.training.gradient_accumulation_steps, peak)


def _too_large(
    family: Family,
    corpus: Utterances,
    config: Config,
    rows: Sequence[int],
    directory: Path,
    error: Exception,
) -> UserError:
    """The error for a batch that does not fit; the batch is written to the run's directory."""
    training = config.training
    utterances: list[dict[str, Any]] = [
        {
            "id": corpus.ids[row],
            "seconds": corpus[row].duration_seconds,
            "tokens": len(family.labels(corpus.texts[row])),
        }
        for row in rows
    ]
    seconds = max(one["seconds"] for one in utterances)
    tokens = max(one["tokens"] for one in utterances)
    content = {
        "utterances": utterances,
        "padded_seconds": round(len(rows) * seconds, 3),
        "padded_tokens": len(rows) * tokens,
        "speed_factors": list(config.data.augmentation.speed_factors),
        "training.batch_seconds": training.batch_seconds,
        "training.per_device_train_batch_size": training.per_device_train_batch_size,
        "error": str(error).splitlines()[0] if str(error) else type(error).__name__,
    }
    written = directory / BATCH_FILE
    try:
        write_json(written, content, indent=2)
        listed = f"; all of them are in {written}"
    except OSError:  # the disk is full too: the message is what counts
        listed = ""
    longest = sorted(utterances, key=lambda one: (-one["seconds"], one["id"]))[:_NAMED]
    named = ", ".join(f"{one['id']} ({one['seconds']:.1f} s)" for one in longest)
    return UserError(
        "The device's memory is too small for the largest batch of this training: "
        f"{len(rows):,} utterance(s), {len(rows) * seconds:,.0f} seconds of audio and "
        f"{len(rows) * tokens:,} label tokens with padding.",
        where=f"{named}{' and others' if len(rows) > _NAMED else ''}{listed}",
        fix=_ways_out(config, len(rows), seconds),
    )


def _ways_out(config: Config, rows: int, longest_seconds: float) -> str:
    training = config.training
    ways = []
    if rows > 1:
        if isinstance(training.per_device_train_batch_size, int):
            ways.append(f"training.per_device_train_batch_size={rows // 2}")
        else:
            ways.append(f"training.batch_seconds={training.batch_seconds / 2:g}")
        ways[-1] += (
            f" with training.gradient_accumulation_steps={2 * training.gradient_accumulation_steps}"
        )
        ways.append("training.per_device_train_batch_size=auto")
    else:
        ways.append(f"data.max_audio_seconds={max(int(longest_seconds / 2), 1)}")
    if not training.gradient_checkpointing:
        ways.append("training.gradient_checkpointing=true")
    return ", or ".join(ways)
