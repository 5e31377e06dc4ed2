"""Settings of ``training``: how a recognizer is trained."""

from __future__ import annotations

from dataclasses import dataclass

from mynah.config.plugins.metrics import metric_names
from mynah.config.schema.nature import Nature
from mynah.config.schema.setting import setting
from mynah.config.trainer_fields.installed import with_upstream_fields


@with_upstream_fields
@dataclass
class TrainingConfig:
    """How the model is trained: every field of transformers.TrainingArguments by its own name
    (those not written here are appended from the installed version), and Mynah's own."""

    # Ours
    batch_seconds: float = setting(
        120.0,
        "Padded audio in a batch where per_device_train_batch_size is null. Above 60 seconds, a "
        "batch contains only utterances of nearly the same length.",
        nature=Nature.STEP,
        unit="seconds",
        minimum=0.1,
    )
    batch_characters_a_second: float | None = setting(
        30.0,
        "Where an utterance's transcript would take longer at this rate than its audio, that "
        "longer time counts towards batch_seconds, so that dense transcripts make smaller "
        "batches; people speak 10 to 25 characters a second. null: only audio counts.",
        nature=Nature.STEP,
        unit="characters a second",
        minimum=0.1,
    )
    loss_normalization: str = setting(
        "token",
        "What an optimizer step's loss and gradient are averaged over; token: all target tokens "
        "of the step; utterance: its utterances, each averaged over its own tokens, so that a "
        "short one counts as much as a long one.",
        nature=Nature.STEP,
        choices=("token", "utterance"),
    )
    sequence_packing: str | None = setting(
        None,
        "For speech LLMs, pack the utterances of a batch into one row of the language model, "
        "without padding; loss and gradient are those of separate rows. mask: attention by a mask "
        "over the full row; varlen: utterance by utterance, on CUDA with bf16 or fp16 with "
        "torch's kernel for that; null: one row per utterance.",
        nature=Nature.STEP,
        choices=("mask", "varlen"),
    )
    eval_batch_seconds: float | None = setting(
        None,
        "Audio that is encoded in an evaluation batch, including its padding, e.g. to Whisper's "
        "window, where per_device_eval_batch_size is null; null: 240, or 960 on an accelerator.",
        nature=Nature.RUN,
        unit="seconds",
        minimum=0.1,
    )
    show_examples: int = setting(
        3, "Reference and hypothesis pairs shown at each evaluation.", nature=Nature.RUN, minimum=0
    )
    cpu_threads: int | None = setting(
        None,
        "Threads for training on the CPU; null: one per core.",
        nature=Nature.RUN,
        unit="threads",
        minimum=1,
    )

    max_time: str | None = setting(
        None,
        "Save and stop before this much time has passed since the start, e.g. 90m, 11.5h or "
        "'1-12:00:00'; time for a step and a save is kept free. null: no limit but the SLURM "
        "job's.",
        nature=Nature.GUARD,
    )
    loader_timeout_seconds: float = setting(
        1800.0,
        "Longest wait for one batch: a notice is printed after a tenth of it, and after all of it "
        "training ends instead of hanging; 0: it waits forever.",
        nature=Nature.GUARD,
        unit="seconds",
        minimum=0.0,
    )
    ranks_timeout_seconds: float | None = setting(
        None,
        "With several processes: the longest wait for the others at the start, and the longest "
        "that one may fail to respond, however slow its work is, before training ends; reported "
        "after 20 seconds. null: 45, and 300 at the start where torchrun or srun started them.",
        nature=Nature.GUARD,
        unit="seconds",
        minimum=1.0,
    )
    max_bad_steps: int = setting(
        10,
        "End training after this many steps in a row whose loss or gradient is NaN, infinite or "
        "exploded; each is left out, its utterances named and listed in bad_batches/.",
        nature=Nature.GUARD,
        unit="steps",
        minimum=1,
    )
    exploding_loss_factor: float = setting(
        20.0,
        "A step's loss has exploded when it is this many times the average of the last steps, and "
        "twice the highest average so far; 0: never.",
        nature=Nature.STEP | Nature.GUARD,
        minimum=0.0,
    )
    requeue: bool = setting(
        True,
        "In a SLURM job that is stopped for its time limit or by its warning signal (sbatch "
        "--signal=USR1@120), put the job back into the queue once the checkpoint is complete.",
        nature=Nature.RUN,
    )

    mirror: str | None = setting(
        None,
        "A folder of a bucket (s3://BUCKET/FOLDER, gs://…) to which each checkpoint is copied "
        "once it is complete here, and at the end the model and the report; what retention "
        "removes here is removed there. resume_from_checkpoint=last finds them on another "
        "machine.",
        nature=Nature.RUN,
    )

    # Of TrainingArguments, where Mynah's default or type differs, or the code reads them
    output_dir: str | None = setting(
        None,
        "Where checkpoints and the best model go; null: model/ in the run's directory.",
        nature=Nature.RUN | Nature.PATH,
    )
    per_device_train_batch_size: int | str | None = setting(
        None,
        "Utterances in a batch; null: filled to batch_seconds; auto: on a GPU, filled to the "
        "largest budget that fits; elsewhere, to as much of batch_seconds as memory allows.",
        nature=Nature.STEP,
        unit="utterances",
        minimum=1,
        words=("auto",),
    )
    per_device_eval_batch_size: int | None = setting(
        None,
        "Utterances in an evaluation batch; null: filled to eval_batch_seconds.",
        nature=Nature.RUN,
        unit="utterances",
        minimum=1,
    )
    gradient_accumulation_steps: int = setting(
        1, "Batches that make one optimizer step.", nature=Nature.STEP, minimum=1
    )
    max_steps: int | None = setting(
        -1,
        "Optimizer steps; -1: num_train_epochs decides; null: 1,400 for the embedded corpus (160 "
        "for a full recognizer with LoRA); for others num_train_epochs, but at least 300 steps "
        "(1,400 from scratch) and at most 5,000; for a stream, whose hours are unknown, 5,000.",
        nature=Nature.LENGTH,
        unit="steps",
        minimum=-1,
        derived="follows from the corpus and its hours",
    )
    num_train_epochs: float = setting(
        3.0,
        "Passes over the training data where max_steps is -1.",
        nature=Nature.LENGTH,
        unit="epochs",
        minimum=0.0,
    )
    optim: str | None = setting(
        None,
        "Optimizer: muon, or a name from transformers, e.g. adamw_torch; null: muon from scratch, "
        "adamw_torch for pretrained weights.",
        nature=Nature.STEP,
        derived="follows from the model",
    )
    learning_rate: float | None = setting(
        None,
        "Peak learning rate; null: model.recommended_learning_rate, or 2e-3 from scratch, 1e-4 "
        "with LoRA or frozen parts, 3e-5 where all pretrained weights are trained.",
        nature=Nature.STEP,
        derived="follows from the model",
        minimum=0.0,
        maximum=1.0,
    )
    encoder_learning_rate: float | None = setting(
        None,
        "Peak learning rate of the encoder; null: learning_rate.",
        nature=Nature.STEP,
        minimum=0.0,
        maximum=1.0,
    )
    projector_learning_rate: float | None = setting(
        None,
        "Peak learning rate of the projector before a language model, and of a CTC head; null: "
        "learning_rate.",
        nature=Nature.STEP,
        minimum=0.0,
        maximum=1.0,
    )
    decoder_learning_rate: float | None = setting(
        None,
        "Peak learning rate of the language model, or of what else follows the encoder; null: "
        "learning_rate.",
        nature=Nature.STEP,
        minimum=0.0,
        maximum=1.0,
    )
    lr_scheduler_type: str = setting(
        "cosine",
        "Shape of the learning rate after the warmup.",
        nature=Nature.STEP,
        choices=(
            "linear",
            "cosine",
            "cosine_with_restarts",
            "polynomial",
            "constant",
            "constant_with_warmup",
            "inverse_sqrt",
            "reduce_lr_on_plateau",
            "cosine_with_min_lr",
            "cosine_warmup_with_min_lr",
            "warmup_stable_decay",
        ),
    )
    warmup_steps: float = setting(
        0.1,
        "Warmup steps; below 1: a share of all steps.",
        nature=Nature.STEP,
        unit="steps",
        minimum=0.0,
    )
    weight_decay: float = setting(
        0.01, "Weight decay of the matrices: AdamW's, and Muon's.", nature=Nature.STEP, minimum=0.0
    )
    adam_beta1: float = setting(
        0.9, "AdamW's beta 1.", nature=Nature.STEP, instead="0.9", minimum=0.0, maximum=1.0
    )
    adam_beta2: float = setting(
        0.98, "AdamW's beta 2.", nature=Nature.STEP, instead="0.98", minimum=0.0, maximum=1.0
    )
    adam_epsilon: float = setting(1e-8, "AdamW's epsilon.", nature=Nature.STEP, minimum=0.0)
    max_grad_norm: float = setting(
        1.0, "Gradients are clipped to this norm; 0: never.", nature=Nature.STEP, minimum=0.0
    )
    logging_steps: float = setting(
        25,
        "Steps between two log lines; below 1: a share of all steps.",
        nature=Nature.RUN,
        instead="25",
        minimum=0.0,
    )
    eval_strategy: str = setting(
        "steps", "When to measure.", nature=Nature.WHEN, choices=("no", "steps", "epoch")
    )
    eval_steps: float | None = setting(
        None,
        "Steps between two evaluations; null: logging_steps.",
        nature=Nature.WHEN,
        instead="",
        minimum=0.0,
    )
    save_strategy: str = setting(
        "steps", "When to save.", nature=Nature.RUN, choices=("no", "steps", "epoch", "best")
    )
    save_steps: float | None = setting(
        500,
        "Steps between two checkpoints; null: a checkpoint for every measurement.",
        nature=Nature.RUN,
        instead="",
        minimum=0.0,
    )
    save_total_limit: int | None = setting(
        3, "Checkpoints kept; the best and the newest always are.", nature=Nature.RUN, minimum=1
    )
    load_best_model_at_end: bool = setting(
        True, "The best checkpoint, not the last, becomes the model.", nature=Nature.RUN
    )
    metric_for_best_model: str | None = setting(
        None,
        "What selects the best checkpoint, on the first evaluation split: a metric, measured even "
        "if it is not in evaluation.metrics, or loss, the evaluation loss; null: the first metric "
        "of the split (evaluation.metrics).",
        nature=Nature.STEP,
        choices=metric_names,
    )
    greater_is_better: bool | None = setting(
        None, "Direction of metric_for_best_model; null: the metric's own.", nature=Nature.STEP
    )
    ema_decay: float | None = setting(
        None,
        "Decay of an exponential moving average of the weights (0.999: over about the last 1,000 "
        "steps; it warms up): the average is measured, selected and becomes the model. null: the "
        "weights themselves.",
        nature=Nature.STEP,
        minimum=0.0,
        maximum=0.99999,
    )
    average_checkpoints: int | None = setting(
        None,
        "Keep this many of the best measured checkpoints besides save_total_limit, and average "
        "them at the end: trained weights in float64, buffers from the last of them; with LoRA, "
        "the products of the matrices, as an adapter of that many times the rank. The average is "
        "measured, and becomes the model if it is as good as the best. null: no average.",
        nature=Nature.RUN,
        unit="checkpoints",
        minimum=2,
    )
    early_stopping_patience: int | None = setting(
        None,
        "Stop after this many evaluations in a row without a better metric_for_best_model; null: "
        "never. The learning rate schedule ignores this: where the schedule ends at 0, the best "
        "often comes late.",
        nature=Nature.LENGTH,
        unit="evaluations",
        minimum=1,
    )
    early_stopping_threshold: float = setting(
        0.0,
        "How much better than the best so far an evaluation has to be to count as an improvement "
        "for early_stopping_patience, in the metric's own unit (0.01 of wer: one point).",
        nature=Nature.LENGTH,
        minimum=0.0,
    )
    seed: int = setting(
        42,
        "Seed of weights, order and augmentation.",
        nature=Nature.STEP,
        minimum=0,
        maximum=2**32 - 1,
    )
    dataloader_num_workers: int | None = setting(
        None,
        "Processes that load, augment and decode audio; 0: the training process itself does; "
        "null: one on a CPU, up to eight with a GPU, depending on the cores, none on Metal.",
        nature=Nature.RUN,
        unit="processes",
        minimum=0,
    )
    dataloader_persistent_workers: bool = setting(
        True, "Keep the data workers from epoch to epoch.", nature=Nature.RUN
    )
    gradient_checkpointing: bool = setting(
        False, "Less memory for more time: activations are computed again.", nature=Nature.RUN
    )
    fsdp: bool | None = setting(
        None,
        "With several processes, shard weights, gradients and optimizer state with torch's "
        "fully_shard: less memory for more traffic. The steps are the same, and so are the "
        "checkpoints, which any number of processes can resume. null: each process holds all of "
        "them.",
        nature=Nature.RUN,
        instead="true",  # of "full_shard auto_wrap", as transformers has it
    )
    bf16: bool = setting(False, "Mixed precision with bfloat16.", nature=Nature.STEP)
    fp16: bool = setting(False, "Mixed precision with float16, CUDA only.", nature=Nature.STEP)
    report_to: list[str] | None = setting(
        None,
        "Trackers by name, as [tensorboard, wandb]; [] or none: none; null: TensorBoard's files "
        "in the run's directory where it is installed. Nothing is sent anywhere unasked.",
        nature=Nature.RUN,
        derived="follows from what is installed",
    )
    push_to_hub: bool = setting(False, "Refused: a model is uploaded by hand.", nature=Nature.IDLE)
    disable_tqdm: bool | None = setting(
        None, "Plain lines instead of bars; null: as the output allows.", nature=Nature.RUN
    )
