"""What becomes of every field of ``transformers.TrainingArguments``.

Each is honoured (handed on as it is), translated (it means what is written here), or refused
(an error with its reason where it is set to anything but its default). The configuration
reference prints this table; a test fails when a field of the installed version is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mynah.config.trainer_fields.installed import upstream_fields


@dataclass(frozen=True)
class Disposition:
    """What becomes of one field: honoured, translated (how) or refused (why)."""

    kind: Literal["honoured", "translated", "refused"]
    reason: str = ""

    @property
    def has_no_effect(self) -> bool:
        """Whether only its default is taken, or no value changes anything."""
        return self.kind == "refused" or self.reason.startswith("no effect")


@dataclass(frozen=True)
class Gone:
    """A name that transformers has removed.

    Attributes:
        reason: What became of it.
        instead: The argument that says the same now, ``{value}`` standing for the old value;
            None: it is left out.
    """

    reason: str
    instead: str | None = None


GONE: dict[str, Gone] = {
    "group_by_length": Gone("batches are always grouped by length (training.batch_seconds)"),
    "warmup_ratio": Gone(
        "a share of the steps is a training.warmup_steps below 1 now",
        "training.warmup_steps={value}",
    ),
    "evaluation_strategy": Gone("its name is eval_strategy now", "training.eval_strategy={value}"),
    "overwrite_output_dir": Gone(
        "nothing is ever overwritten; every run has a directory of its own"
    ),
    "logging_dir": Gone("logs are in the run's directory (training.report_to for curves)"),
    "save_safetensors": Gone("weights are always saved as safetensors"),
    "no_cuda": Gone("its name is use_cpu now", "training.use_cpu={value}"),
    "use_mps_device": Gone("Metal is used where it is there (training.use_cpu=true: not)"),
    "half_precision_backend": Gone("torch's own autocast is the only one left"),
    "fp16_backend": Gone("torch's own autocast is the only one left"),
    "per_gpu_train_batch_size": Gone(
        "its name is per_device_train_batch_size now",
        "training.per_device_train_batch_size={value}",
    ),
    "per_gpu_eval_batch_size": Gone(
        "its name is per_device_eval_batch_size now",
        "training.per_device_eval_batch_size={value}",
    ),
    "save_on_train_end": Gone("the last step is always saved"),
}


def refusal(name: str, value: Any) -> str | None:
    """Why this value of a TrainingArguments field cannot be honoured, or None.

    Args:
        name: The field's name.
        value: Its value; defaults are never refused.
    """
    disposition = UPSTREAM_DISPOSITION.get(name)
    if disposition is None or disposition.kind != "refused":
        return None
    if value in (None, False, "", [], {}) or value == upstream_fields()[name].default:
        return None
    return disposition.reason


def _honoured(*names: str) -> dict[str, Disposition]:
    return dict.fromkeys(names, Disposition("honoured"))


def _refused(reason: str, *names: str) -> dict[str, Disposition]:
    return dict.fromkeys(names, Disposition("refused", reason))


def _translated(**how: str) -> dict[str, Disposition]:
    return {name: Disposition("translated", reason) for name, reason in how.items()}


UPSTREAM_DISPOSITION: dict[str, Disposition] = {
    **_honoured(
        "max_steps",
        "num_train_epochs",
        "gradient_accumulation_steps",
        "learning_rate",
        "lr_scheduler_type",
        "lr_scheduler_kwargs",
        "warmup_steps",
        "optim",
        "optim_args",
        "optim_target_modules",
        "weight_decay",
        "adam_beta1",
        "adam_beta2",
        "adam_epsilon",
        "max_grad_norm",
        "bf16",
        "fp16",
        "tf32",
        "gradient_checkpointing_kwargs",
        "torch_compile",
        "torch_compile_backend",
        "torch_compile_mode",
        "torch_empty_cache_steps",
        "neftune_noise_alpha",
        "logging_strategy",
        "logging_steps",
        "logging_first_step",
        "log_level",
        "log_level_replica",
        "log_on_each_node",
        "run_name",
        "project",
        "trackio_space_id",
        "trackio_bucket_id",
        "trackio_static_space_id",
        "eval_strategy",
        "eval_delay",
        "eval_on_start",
        "save_strategy",
        "save_steps",
        "seed",
        "full_determinism",
        "use_cpu",
        "dataloader_num_workers",
        "dataloader_pin_memory",
        "dataloader_persistent_workers",
        "dataloader_prefetch_factor",
        "dataloader_multiprocessing_context",
        "ddp_bucket_cap_mb",
        "ddp_broadcast_buffers",
        "ddp_static_graph",
        "ddp_backend",
        "ddp_timeout",
        "debug",
        "skip_memory_metrics",
    ),
    **_translated(
        output_dir="null: model/ in the run's directory; one that holds another run is an error",
        per_device_train_batch_size="null: batches are filled to training.batch_seconds",
        per_device_eval_batch_size="null: batches are filled to training.eval_batch_seconds",
        eval_steps="null: training.logging_steps",
        save_total_limit="the best and the newest checkpoint are kept beside these",
        load_best_model_at_end="the best checkpoint is copied to the top of output_dir",
        metric_for_best_model="a metric of the first evaluation split (evaluation.metrics)",
        greater_is_better="null: the metric's own direction",
        report_to="null: TensorBoard's files in the run's directory; nothing is sent anywhere",
        disable_tqdm="null: bars on a terminal, lines elsewhere",
        gradient_checkpointing="its name is activation_checkpointing in transformers",
        fsdp="true: torch's fully_shard, and not Accelerate's plugin (docs/distributed.md)",
        ddp_find_unused_parameters="null: true for pretrained weights, which may drop layers",
        remove_unused_columns="no effect: batches are made by the model's own collation",
        eval_accumulation_steps="no effect: transcripts leave the device batch by batch",
        dataloader_in_order="no effect: the order is computed, whatever the workers do",
        logging_nan_inf_filter="no effect: a loss that is not finite stops the training",
        average_tokens_across_devices="no effect: the loss is always divided by all ranks' tokens",
        data_seed="no effect: the order follows from training.seed",
        use_cache="no effect on training; decoding uses the cache by itself",
    ),
    **_refused(
        "batches are planned by length (training.batch_seconds)",
        "train_sampling_strategy",
        "length_column_name",
    ),
    **_refused(
        "every epoch keeps all its rows; a tail is filled with rows of weight zero",
        "dataloader_drop_last",
    ),
    **_refused("resuming is exact and skips nothing", "ignore_data_skip"),
    **_refused(
        "a batch that does not fit is an error that names it; lower training.batch_seconds",
        "auto_find_batch_size",
    ),
    **_refused("Ctrl-C and SIGTERM write a complete checkpoint already", "enable_jit_checkpoint"),
    **_refused(
        "the dataloader is Mynah's own; Accelerate's settings would not reach it",
        "accelerator_config",
    ),
    **_refused("a checkpoint that cannot be resumed is none", "save_only_model"),
    **_refused("every checkpoint is written once, by the first rank", "save_on_each_node"),
    **_refused(
        "callbacks are restored with the trainer's state, always",
        "restore_callback_states_from_checkpoint",
    ),
    **_refused(
        "the loss is the model family's own, and has no smoothing", "label_smoothing_factor"
    ),
    **_refused(
        "an evaluation decodes freely, in training.bf16's or fp32's precision",
        "bf16_full_eval",
        "fp16_full_eval",
    ),
    **_refused(
        "an evaluation decodes and scores transcripts; there are no logits to gather",
        "prediction_loss_only",
        "include_for_metrics",
        "batch_eval_metrics",
        "eval_do_concat_batches",
        "eval_use_gather_object",
        "label_names",
    ),
    **_refused(
        "audio has no input tokens to count; audio seconds are logged instead",
        "include_num_input_tokens_seen",
    ),
    **_refused(
        "use training.gradient_checkpointing",
        "activation_checkpointing",
        "activation_checkpointing_kwargs",
    ),
    **_refused(
        "its kernels replace a loss that is Mynah's own", "use_liger_kernel", "liger_kernel_config"
    ),
    **_refused(
        "tensor and context parallelism would split the batches that Mynah plans",
        "parallelism_config",
    ),
    **_refused(
        "nothing is uploaded: the folder also holds transcripts and the optimizer's state",
        "push_to_hub",
        "hub_token",
        "hub_private_repo",
        "hub_model_id",
        "hub_strategy",
        "hub_always_push",
        "hub_revision",
    ),
    **_refused(
        "what a run does follows from eval_checkpoint and training.eval_strategy",
        "do_train",
        "do_eval",
        "do_predict",
    ),
    **_refused("it is a setting of the root: resume_from_checkpoint=…", "resume_from_checkpoint"),
    **_refused("torchrun sets it", "local_rank"),
    **_refused(
        "training.fsdp=true shards by torch's fully_shard, layer by layer, with nothing to choose "
        "(docs/distributed.md)",
        "fsdp_config",
    ),
    **_refused(
        "training.fsdp=true shards by torch itself (docs/distributed.md)",
        "deepspeed",
    ),
}
