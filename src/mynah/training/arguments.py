"""Our training settings as ``transformers.TrainingArguments``, and how many steps they mean."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah import console
from mynah.config.best_metric import best_metric, greater_is_better
from mynah.config.trainer_fields.disposition import UPSTREAM_DISPOSITION
from mynah.errors import UserError

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from mynah.config.schema import Config, TrainingConfig
    from mynah.data.positions import Epoch

_WORKERS_BESIDE_A_CPU = 1
_WORKERS_BESIDE_A_GPU = 8  # at most, a rank
_SHARDED = ("fsdp_config", "deepspeed")
# Fields whose meaning is carried out in this package; Trainer gets what keeps it out of the way.
_OURS = {
    "output_dir",
    "per_device_train_batch_size",
    "per_device_eval_batch_size",
    "save_strategy",
    "save_steps",
    "save_total_limit",
    "load_best_model_at_end",
    "metric_for_best_model",
    "greater_is_better",
    "report_to",
    "disable_tqdm",
    "gradient_checkpointing",
    "gradient_checkpointing_kwargs",
    "bf16",
    "fp16",
    "eval_steps",
    "eval_on_start",
    "dataloader_multiprocessing_context",
    "dataloader_pin_memory",
    "fsdp",
    *_SHARDED,
}


def steps_per_epoch(plan: Epoch, config: Config) -> int:
    """Optimizer steps of one epoch; the last one may have fewer batches."""
    return math.ceil(plan.batches_per_epoch / config.training.gradient_accumulation_steps)


def steps_total(plan: Epoch, config: Config) -> int:
    """Optimizer steps of the full training: ``max_steps``, or what the epochs come to."""
    if config.training.max_steps is not None and config.training.max_steps > 0:
        return config.training.max_steps
    return max(1, math.ceil(config.training.num_train_epochs * steps_per_epoch(plan, config)))


def interval(steps: float | None, total: int) -> int | None:
    """An interval in steps; below 1 it is a share of all steps; 0 and None are never."""
    if not steps:
        return None
    return max(1, math.ceil(steps * total) if steps < 1 else int(steps))


def training_arguments(
    config: Config,
    plan: Epoch,
    *,
    output_directory: Path,
    resuming: bool,
    rows: int,
    pretrained: bool = True,
) -> TrainingArguments:
    """Every setting of ``training`` that transformers knows, by its name.

    Args:
        config: The settings.
        plan: The batches; their mean size is what trackers record.
        output_directory: Where checkpoints go.
        resuming: Whether training resumes from a checkpoint.
        rows: Training utterances.
        pretrained: Whether any weights were loaded. Such a model may leave weights out of a
            step (dropped layers, a vector for masks), and the processes must look for them.

    Raises:
        UserError: transformers refuses a value, or a setting cannot be honoured.
    """
    from transformers import TrainingArguments

    training = config.training
    for name in _SHARDED:
        if getattr(training, name, None):
            raise UserError(
                f"training.{name} is not supported: {UPSTREAM_DISPOSITION[name].reason}.",
                fix=f"leave training.{name} out; training.fsdp=true shards what is trained",
            )
    values = _translated(config)
    values |= {
        "output_dir": str(output_directory),
        "per_device_train_batch_size": max(1, round(rows / max(1, plan.batches_per_epoch))),
        "eval_on_start": bool(getattr(training, "eval_on_start", False)) and not resuming,
        "ddp_find_unused_parameters": _finds_unused(training, pretrained=pretrained),
    }
    try:
        return TrainingArguments(**values)
    except (ValueError, TypeError, ImportError) as error:
        raise UserError(
            f"transformers refuses these training settings: {error}", where="training"
        ) from error


def _translated(config: Config) -> dict[str, Any]:
    """The settings that depend on no data: those of transformers as they are, and ours."""
    from mynah.machine import device_for

    training, device = config.training, device_for(config).type
    bf16, fp16 = mixed_precision(config)
    values: dict[str, Any] = {
        name: value
        for name, disposition in UPSTREAM_DISPOSITION.items()
        if disposition.kind != "refused"
        and name not in _OURS
        and (value := getattr(training, name, None)) is not None
    }
    values |= {
        "per_device_eval_batch_size": training.per_device_eval_batch_size or 1,
        "save_strategy": "no",
        "eval_steps": training.eval_steps or training.logging_steps,
        "metric_for_best_model": best_metric(config),
        "greater_is_better": greater_is_better(config),
        "dataloader_num_workers": data_workers(training, device),
        "report_to": "none",  # our own callbacks: a tracker of transformers can end a training
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "activation_checkpointing": training.gradient_checkpointing,
        "activation_checkpointing_kwargs": getattr(training, "gradient_checkpointing_kwargs", None),
        "logging_nan_inf_filter": False,
        "bf16": bf16,
        "fp16": fp16,
        # Said outright, for transformers takes bfloat16 on a CPU for an oversight otherwise.
        "use_cpu": device == "cpu",
    }
    if values.get("optim") == "muon":
        del values["optim"]  # ours: the engine makes it
    return values


def _finds_unused(training: TrainingConfig, *, pretrained: bool) -> bool:
    """Whether DDP looks for weights that a step left without a gradient; it costs a little."""
    asked: bool | None = getattr(training, "ddp_find_unused_parameters", None)
    if asked is not None:
        return asked
    how = getattr(training, "gradient_checkpointing_kwargs", None) or {}
    # Re-entrant checkpoints would report every weight twice.
    return pretrained and not (training.gradient_checkpointing and how.get("use_reentrant"))


def reporters(training: TrainingConfig) -> list[str]:
    """The trackers asked for, by name."""
    asked: Any = training.report_to
    if isinstance(asked, str):
        asked = [asked]
    return [name for name in asked or [] if name != "none"]


def mixed_precision(config: Config, *, say: bool = True) -> tuple[bool, bool]:
    """(bf16, fp16) that this machine can do; what is asked in vain is left out, and said."""
    import torch

    from mynah.machine import device_for

    training = config.training
    device = device_for(config).type
    bf16, fp16 = training.bf16, training.fp16
    notice = console.notice if say else _unsaid
    if fp16 and device != "cuda":
        notice(f"training.fp16 needs CUDA and this is {device}: training in fp32.")
        fp16 = False
    if bf16 and device == "cuda" and not torch.cuda.is_bf16_supported():
        notice("This GPU has no bfloat16: training in fp32 (training.fp16=true may do).")
        bf16 = False
    if bf16 and device == "cpu" and not _cpu_has_bfloat16():
        notice("This CPU computes bfloat16 slower than fp32: training in fp32.")
        bf16 = False
    return bf16, fp16


def _unsaid(text: str) -> None:
    """In place of a notice that was given before."""


def _cpu_has_bfloat16() -> bool:
    import torch

    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in probes)


def data_workers(training: TrainingConfig, device: str) -> int:
    """How many processes load data: as set, else what feeds such a device.

    A core decodes and makes features of hundreds of seconds of audio a second. The training
    itself needs the cores of a CPU; a GPU takes thousands of seconds, and leaves them free.

    Args:
        training: The settings.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
    """
    if training.dataloader_num_workers is not None:
        return training.dataloader_num_workers
    if device == "cpu":
        return _WORKERS_BESIDE_A_CPU
    if device != "cuda":
        return 0  # Metal: workers would begin by importing for seconds
    ranks = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return min(_WORKERS_BESIDE_A_GPU, max(1, _cores() // ranks - 1))


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def loader_options(training: TrainingConfig, device: str) -> dict[str, Any]:
    """The worker options of the dataloader."""
    workers = data_workers(training, device)
    if workers == 0:
        return {"num_workers": 0}
    return {
        "num_workers": workers,
        "multiprocessing_context": getattr(training, "dataloader_multiprocessing_context", None),
        "prefetch_factor": getattr(training, "dataloader_prefetch_factor", None) or 2,
        "persistent_workers": bool(getattr(training, "dataloader_persistent_workers", False)),
    }
