"""What the fields are that ``transformers.TrainingArguments`` alone defines.

Those that Mynah's own schema writes say it there, in their own lines.
"""

from __future__ import annotations

from mynah.config.schema.nature import Nature
from mynah.config.trainer_fields.disposition import UPSTREAM_DISPOSITION

NATURES: dict[str, Nature] = {
    **dict.fromkeys(
        (
            "lr_scheduler_kwargs",
            "optim_args",
            "optim_target_modules",
            "neftune_noise_alpha",
            "tf32",  # precision, as bf16
            "ddp_broadcast_buffers",  # running averages of batch norm: each rank's, or the first's
        ),
        Nature.STEP,
    ),
    **dict.fromkeys(("eval_delay",), Nature.WHEN),
    # One more measurement, before the first step: no scheduler and no choice looks at it.
    **dict.fromkeys(("eval_on_start",), Nature.RUN),
    # The same sums, in another order or at another speed.
    **dict.fromkeys(
        (
            "full_determinism",
            "use_cpu",
            "gradient_checkpointing_kwargs",
            "torch_compile",
            "torch_compile_backend",
            "torch_compile_mode",
            "torch_empty_cache_steps",
            "dataloader_pin_memory",
            "dataloader_prefetch_factor",
            "dataloader_multiprocessing_context",
            "ddp_find_unused_parameters",
            "ddp_bucket_cap_mb",
            "ddp_static_graph",
            "ddp_backend",
            "ddp_timeout",
        ),
        Nature.RUN,
    ),
    **dict.fromkeys(
        (
            "logging_strategy",
            "logging_first_step",
            "log_on_each_node",
            "log_level",
            "log_level_replica",
            "run_name",
            "project",
            "trackio_space_id",
            "trackio_bucket_id",
            "trackio_static_space_id",
            "debug",
            "skip_memory_metrics",
        ),
        Nature.RUN,
    ),
}


def upstream_nature(name: str) -> Nature:
    """What a field is that TrainingArguments alone defines.

    One that a version newer than the tested ones adds may change anything, so that a resumed
    training must agree in it.
    """
    disposition = UPSTREAM_DISPOSITION.get(name)
    if disposition is not None and disposition.has_no_effect:
        return Nature.IDLE
    return NATURES.get(name, Nature.STEP)
