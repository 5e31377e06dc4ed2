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
    """How it is trained: every field of transformers.TrainingArguments by its own name
    (those not written here are appended from the installed version), and ours beside them."""

    # Ours
    batch_seconds: float = setting(
        120.0,
        "Padded audio in a batch where per_device_train_batch_size is null. Beyond 60 seconds a "
        "batch is filled with utterances of nearly the same length and no others.",
        nature=Nature.STEP,
        unit="seconds",
        minimum=0.1,
    )
    batch_characters_a_second: float | None = setting(
        30.0,
        "An utterance counts towards batch_seconds as its transcript at this rate where that is "
        "longer than its audio, so that dense transcripts make smaller batches; people speak 10 "
        "to 25 characters a second. null: transcripts do not count.",
        nature=Nature.STEP,
        unit="characters a second",
        minimum=0.1,
    )
    loss_normalization: str = setting(
        "token",
        "What an optimizer step's loss and gradient are the mean over: token: all target tokens "
        "of the step; utterance: its utterances, each with the mean over its own tokens, so that "
        "a short one counts as much as a long one.",
        nature=Nature.STEP,
        choices=("token", "utterance"),
    )
    sequence_packing: str | None = setting(
        None,
        "Of speech LLMs, put the utterances of a batch one behind the other into one row of the "
        "language model, without padding, with the loss and the gradient of rows of their own. "
        "mask: attention by a mask over the full row; varlen: utterance by utterance, on CUDA "
        "with bf16 or fp16 by torch's kernel for that; null: a row an utterance.",
        nature=Nature.STEP,
        choices=("mask", "varlen"),
    )
    eval_batch_seconds: float | None = setting(
        None,
        "Audio that is encoded in an evaluation batch, with what pads it, as to Whisper's window, "
        "where per_device_eval_batch_size is null; null: 240, on an accelerator 960.",
        nature=Nature.RUN,
        unit="seconds",
        minimum=0.1,
    )
    show_examples: int = setting(
        3, "Reference and hypothesis pairs shown at each evaluation.", nature=Nature.RUN, minimum=0
    )
    cpu_threads: int | None = setting(
        None,
        "Threads of a training on the CPU; null: one a core.",
        nature=Nature.RUN,
        unit="threads",
        minimum=1,
    )

    max_time: str | None = setting(
        None,
        "Save and stop in time before this much has passed since the start, as 90m, 11.5h or "
        "'1-12:00:00'; null: no limit but that of the SLURM job. A step and a save fit in.",
        nature=Nature.GUARD,
    )
    loader_timeout_seconds: float = setting(
        1800.0,
        "Longest wait for one batch: a tenth of it is said, and after all of it the training "
        "ends instead of hanging; 0: it waits for ever.",
        nature=Nature.GUARD,
        unit="seconds",
        minimum=0.0,
    )
    ranks_timeout_seconds: float | None = setting(
        None,
        "Of several processes: the longest wait for the others at the start, and the longest that "
        "one may not answer, however slow it is at its work, before the training ends; said after "
        "20 seconds. null: 45, and 300 at the start where torchrun or srun started them.",
        nature=Nature.GUARD,
        unit="seconds",
        minimum=1.0,
    )
    max_bad_steps: int = setting(
        10,
        "Steps in a row whose loss or gradient is not a number, infinite or exploded that end the "
        "training; each is left out, its utterances named and listed in bad_batches/.",
        nature=Nature.GUARD,
        unit="steps",
        minimum=1,
    )
    exploding_loss_factor: float = setting(
        20.0,
        "A step's loss has exploded where it is so many times the average of the last steps, and "
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
        "A folder of a bucket (s3://BUCKET/FOLDER, gs://…) that each checkpoint is copied to after "
        "it is complete here, and at the end the model and the report; what retention removes here "
        "is removed there. resume_from_checkpoint=last finds them on another machine.",
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
        "Utterances in a batch; null: filled to batch_seconds; auto: filled to the largest "
        "budget that fits on a GPU, elsewhere to what memory allows of batch_seconds.",
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
        "of a full recognizer with LoRA), for others num_train_epochs, but 300 steps at least "
        "(1,400 from scratch) and 5,000 at most; for a stream, whose hours nobody knows, 5,000.",
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
        "Optimizer: muon, or a name of transformers', as adamw_torch; null: muon from scratch, "
        "adamw_torch for pretrained weights.",
        nature=Nature.STEP,
        derived="follows from the model",
    )
    learning_rate: float | None = setting(
        None,
        "Peak learning rate; null: 2e-3 from scratch, 1e-4 with LoRA or frozen parts, 3e-5 for "
        "pretrained weights as a whole.",
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
        "Warmup: steps, or below 1 a share of all steps.",
        nature=Nature.STEP,
        unit="steps",
        minimum=0.0,
    )
    weight_decay: float = setting(0.01, "AdamW's weight decay.", nature=Nature.STEP, minimum=0.0)
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
        "Steps between two log lines, or below 1 a share of all.",
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
        "What the best checkpoint is best in, on the first evaluation split: a metric, measured "
        "whether evaluation.metrics has it or not, or loss, the evaluation loss; null: the first "
        "metric of the split (evaluation.metrics).",
        nature=Nature.STEP,
        choices=metric_names,
    )
    greater_is_better: bool | None = setting(
        None, "Direction of metric_for_best_model; null: the metric's own.", nature=Nature.STEP
    )
    ema_decay: float | None = setting(
        None,
        "Keep an exponential moving average of the weights, of which each step leaves this much "
        "(0.999: of about the last 1,000 steps; it warms up): it is measured, chosen and becomes "
        "the model. null: the weights themselves.",
        nature=Nature.STEP,
        minimum=0.0,
        maximum=0.99999,
    )
    average_checkpoints: int | None = setting(
        None,
        "Keep the so many best measured checkpoints besides save_total_limit, and average them at "
        "the end: trained weights in float64, buffers of the last of them; of LoRA what the "
        "matrices come to, as an adapter of so many times the rank. The average is measured, and "
        "becomes the model where it is as good as the best. null: no average.",
        nature=Nature.RUN,
        unit="checkpoints",
        minimum=2,
    )
    early_stopping_patience: int | None = setting(
        None,
        "Stop after so many evaluations in a row without a better metric_for_best_model; null: "
        "never. The learning rate does not know of it: with a schedule that ends at 0 the best "
        "often comes late.",
        nature=Nature.LENGTH,
        unit="evaluations",
        minimum=1,
    )
    early_stopping_threshold: float = setting(
        0.0,
        "How much better than the best before an evaluation has to be to count for "
        "early_stopping_patience, in the metric's own unit (0.01 of wer: one point).",
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
        "Processes that load, augment and decode audio; 0: the training itself does; null: one "
        "beside a CPU, up to eight beside a GPU as it has cores, none on Metal.",
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
        "Of several processes, let each hold a part of weights, gradients and optimizer's state, "
        "by torch's fully_shard: less memory for more traffic. The steps are the same, and so are "
        "the checkpoints, which any number of processes resumes. null: each holds all of them.",
        nature=Nature.RUN,
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
