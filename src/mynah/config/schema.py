"""All settings of Mynah: name, type, unit, default, range and help, in one typed tree.

YAML files, the command line, experiments, legacy JSON and the Python API all end in
:class:`Config`. Nothing here imports torch or transformers: the names of
``transformers.TrainingArguments`` are read from its source (``training_arguments.py``).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from mynah.config.training_arguments import with_upstream_fields


def setting(
    default: Any,
    help: str,
    *,
    unit: str | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    """A dataclass field that carries what a person and a check need to know of it.

    Args:
        default: The value where no layer sets one; lists and dicts are copied per instance.
        help: One or two sentences, shown in the configuration reference.
        unit: The unit of a number, as ``"seconds"``.
        minimum: Smallest value allowed, inclusive.
        maximum: Largest value allowed, inclusive.
        choices: The values allowed, for strings.
    """
    metadata = {
        "help": help,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
    }
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    if dataclasses.is_dataclass(default) and isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class SpecAugmentConfig:
    """SpecAugment on log-mel features, Park et al. 2019, arXiv 1904.08779."""

    time_masks: int = setting(0, "Time masks an utterance; 0 turns them off.", minimum=0)
    time_mask_fraction: float = setting(
        0.05, "Longest time mask as a share of the utterance.", minimum=0.0, maximum=1.0
    )
    frequency_masks: int = setting(0, "Frequency masks an utterance; 0 turns them off.", minimum=0)
    frequency_mask_bins: int = setting(27, "Widest frequency mask.", unit="mel bins", minimum=0)


@dataclass
class AugmentationConfig:
    """Changes made to training audio alone, each a function of (seed, epoch, utterance)."""

    speed_factors: list[float] = setting(
        [], "Speed perturbation: each utterance draws one of these factors; empty: off."
    )
    gain_db: float = setting(
        0.0, "Gain drawn uniformly from -gain_db to +gain_db.", unit="decibels", minimum=0.0
    )
    noise_snr_db: list[float] = setting(
        [],
        "Synthetic noise at a signal-to-noise ratio drawn from [low, high]; empty: off.",
        unit="decibels",
    )
    spec_augment: SpecAugmentConfig = setting(SpecAugmentConfig, "SpecAugment.")


@dataclass
class SynthesisConfig:
    """The embedded corpus: sentences from a grammar, spoken by espeak-ng."""

    train_sentences: int = setting(
        6000, "Training sentences to draw and speak.", unit="sentences", minimum=1
    )
    eval_sentences: int = setting(
        480,
        "Evaluation sentences, by voices and with fillings that training never has.",
        unit="sentences",
        minimum=1,
    )
    seed: int = setting(0, "Seed of the sentences, voices, rates, pitches and noise.", minimum=0)
    language: str = setting(
        "en", "Language spoken; the embedded grammar is English.", choices=("en",)
    )
    noise_snr_db: list[float] = setting(
        [20.0, 40.0],
        "Noise mixed into the recordings, at a ratio drawn from [low, high]; empty: none.",
        unit="decibels",
    )


@dataclass
class DataConfig:
    """What is learned from and what is measured on."""

    dataset_name: str = setting(
        "synthetic",
        "`synthetic` (speech made here), `librispeech`, `an4`, a folder's path, "
        "or the name of a dataset on the Hugging Face hub.",
    )
    dataset_configs: list[str] | None = setting(
        None, "Configurations of a hub dataset, as [clean, other]; null: its default one."
    )
    format: str = setting(
        "auto",
        "How the corpus is laid out; auto: found by looking.",
        choices=("auto", "synthetic", "folder", "librispeech", "an4", "hub"),
    )
    path: str | None = setting(
        None, "Where the corpus lies on this machine, relative to where the command is typed."
    )
    revision: str | None = setting(None, "Branch, tag or commit of a hub dataset; null: newest.")
    columns: dict[str, str] = setting(
        {}, "Headers of your metadata mapped to ours, as {text: sentence, audio: path}."
    )
    train_splits: list[str] = setting(
        ["train"], "Splits to train on; hub notation with slices, as train.100[:500]."
    )
    eval_splits: list[str] | None = setting(
        ["validation"],
        "Splits to measure on. null: a part of the training splits is held out by speaker.",
    )
    eval_fraction: float = setting(
        0.1,
        "Share of the rows held out where eval_splits is null, whole speakers where known.",
        minimum=0.0,
        maximum=0.9,
    )
    sample_rate: int = setting(
        16000,
        "Rate the model hears; audio is resampled to it.",
        unit="hertz",
        minimum=4000,
        maximum=192000,
    )
    max_audio_seconds: float | None = setting(
        30.0,
        "Longer training utterances are left out and listed; null: no limit.",
        unit="seconds",
        minimum=0.0,
    )
    min_audio_seconds: float = setting(
        0.1, "Shorter training utterances are left out and listed.", unit="seconds", minimum=0.0
    )
    max_text_words: int | None = setting(
        None,
        "Training transcripts with more words are left out and listed; null: no limit.",
        unit="words",
        minimum=1,
    )
    filter_eval: bool = setting(
        False,
        "Apply the filters to evaluation splits too: the error rate is then of a smaller set.",
    )
    text_case: str = setting(
        "keep",
        "What becomes of the letters' case in training transcripts.",
        choices=("keep", "lower"),
    )
    strip_punctuation: bool = setting(
        False, "Remove punctuation, but the apostrophe inside a word, from training transcripts."
    )
    language: str | None = setting(
        None, "Language of the transcripts, an ISO 639-1 code; null: as the rows say."
    )
    dataset_cache_dir: str | None = setting(
        None, "Where downloads and prepared tables are kept; null: ~/.cache/mynah."
    )
    num_proc: int | None = setting(
        None, "Processes that prepare the corpus; null: one a core.", unit="processes", minimum=1
    )
    max_train_samples: int | None = setting(
        None, "Keep this many training utterances at most.", unit="utterances", minimum=1
    )
    max_eval_samples: int | None = setting(
        None, "Keep this many evaluation utterances at most.", unit="utterances", minimum=1
    )
    on_error: str = setting(
        "skip",
        "A training row that cannot be read: skip (counted and listed) or fail.",
        choices=("skip", "fail"),
    )
    on_impossible: str = setting(
        "fail",
        "Training rows whose transcript cannot fit their audio in this model: fail, naming "
        "them, or drop (counted and listed).",
        choices=("fail", "drop"),
    )
    synthesis: SynthesisConfig = setting(SynthesisConfig, "The embedded corpus.")
    augmentation: AugmentationConfig = setting(
        AugmentationConfig, "Augmentation of training audio."
    )


@dataclass
class EncoderConfig:
    """Sizes of an encoder built from scratch (FastConformer, arXiv 2305.05084)."""

    hidden_size: int = setting(176, "Width of a layer.", minimum=8)
    layers: int = setting(8, "Conformer layers.", minimum=1)
    heads: int = setting(4, "Attention heads; divides hidden_size.", minimum=1)
    feed_forward_size: int = setting(704, "Width inside a feed-forward block.", minimum=8)
    conv_kernel_size: int = setting(9, "Frames the depthwise convolution sees; odd.", minimum=1)
    subsampling_factor: int = setting(
        4,
        "Feature frames (10 ms) folded into one encoder frame; a power of two.",
        minimum=2,
        maximum=16,
    )
    subsampling_channels: int = setting(64, "Channels of the subsampling convolutions.", minimum=1)
    mel_bins: int = setting(80, "Mel filters of the features.", unit="mel bins", minimum=8)
    dropout: float = setting(0.1, "Dropout in the layers.", minimum=0.0, maximum=0.9)


@dataclass
class ProjectorConfig:
    """What joins a speech encoder to a language model."""

    stack: int = setting(
        5, "Encoder frames joined into one vector of the language model.", minimum=1
    )
    hidden_size: int = setting(2048, "Width of the projector's hidden layer.", minimum=8)


@dataclass
class ModelConfig:
    """Which recognizer is trained. Exactly one of three ways: from scratch (nothing
    named), `pretrained`, or `encoder_model_name` with `decoder_model_name`."""

    family: str = setting(
        "auto",
        "Architecture family; auto: found from the names below.",
        choices=("auto", "ctc", "speech_llm"),
    )
    pretrained: str | None = setting(
        None, "One whole pretrained recognizer: a hub name or a folder."
    )
    encoder_model_name: str | None = setting(
        None, "Pretrained speech encoder, a hub name or a folder; null: built from scratch."
    )
    decoder_model_name: str | None = setting(
        None, "Pretrained causal language model behind the encoder, a hub name or a folder."
    )
    revision: str | None = setting(
        None, "Branch, tag or commit of `pretrained` or of `encoder_model_name`."
    )
    decoder_revision: str | None = setting(None, "Branch, tag or commit of `decoder_model_name`.")
    trust_remote_code: bool = setting(
        False, "Run code that a model's repository brings along. Leave it off unless you read it."
    )
    attn_implementation: str | None = setting(
        None, "Attention kernel, as sdpa or eager; null: the library's choice."
    )
    encoder: EncoderConfig = setting(EncoderConfig, "Sizes of an encoder built from scratch.")
    tokenizer: str = setting(
        "bpe",
        "Tokenizer of a model built from scratch, trained on the corpus.",
        choices=("bpe", "character"),
    )
    vocab_size: int = setting(
        128, "Pieces of the trained BPE tokenizer, blank included.", unit="tokens", minimum=8
    )
    language_model: str = setting(
        "none",
        "What joins a CTC model in decoding; words: word n-grams of the training transcripts, "
        "by beam search; none: the best label of each frame.",
        choices=("none", "words"),
    )
    language_model_weight: float = setting(
        0.7, "Power the language model's probability is raised to in decoding.", minimum=0.0
    )
    word_bonus: float = setting(0.0, "Added to a hypothesis for each of its words.", unit="nats")
    beam_size: int = setting(12, "Hypotheses kept from frame to frame.", minimum=1)
    projector: ProjectorConfig = setting(
        ProjectorConfig, "Projector between encoder and language model."
    )
    prompt: str = setting(
        "Transcribe the speech.", "Instruction to the language model, never part of the loss."
    )
    freeze_encoder: bool | None = setting(
        None,
        "Leave a pretrained encoder as it is and train what follows it; null: yes before a "
        "language model, no where a whole recognizer is pretrained.",
    )
    freeze_decoder: bool = setting(
        False,
        "Leave the language model as it is, without LoRA too: the projector alone learns, and "
        "the encoder where it is not frozen.",
    )
    use_lora: bool = setting(False, "Adapt pretrained weights with LoRA instead of training them.")
    lora_r: int = setting(32, "Rank of the LoRA matrices.", minimum=1)
    lora_alpha: int = setting(64, "LoRA scale; the update is scaled by alpha / r.", minimum=1)
    lora_dropout: float = setting(
        0.05, "Dropout before the LoRA matrices.", minimum=0.0, maximum=0.9
    )
    lora_target_modules: list[str] | None = setting(
        None, "Modules that get LoRA, by name or path; null: what suits the architecture."
    )
    generation_max_length: int = setting(
        256, "Most tokens a generated transcript may have.", unit="tokens", minimum=1
    )


@with_upstream_fields
@dataclass
class TrainingConfig:
    """How it is trained: every field of transformers.TrainingArguments by its own name
    (those not written here are appended from the installed version), and ours beside them."""

    # Ours
    batch_seconds: float = setting(
        120.0,
        "Padded audio in a batch where per_device_train_batch_size is null.",
        unit="seconds",
        minimum=0.1,
    )
    eval_batch_seconds: float = setting(
        240.0,
        "Padded audio in an evaluation batch where per_device_eval_batch_size is null.",
        unit="seconds",
        minimum=0.1,
    )
    show_examples: int = setting(
        3, "Reference and hypothesis pairs shown at each evaluation.", minimum=0
    )
    cpu_threads: int | None = setting(
        None, "Threads of a training on the CPU; null: one a core.", unit="threads", minimum=1
    )

    # Of TrainingArguments, where Mynah's default or type differs, or the code reads them
    output_dir: str | None = setting(
        None, "Where checkpoints and the best model go; null: model/ in the run's directory."
    )
    per_device_train_batch_size: int | None = setting(
        None, "Utterances in a batch; null: filled to batch_seconds.", unit="utterances", minimum=1
    )
    per_device_eval_batch_size: int | None = setting(
        None,
        "Utterances in an evaluation batch; null: filled to eval_batch_seconds.",
        unit="utterances",
        minimum=1,
    )
    gradient_accumulation_steps: int = setting(
        1, "Batches that make one optimizer step.", minimum=1
    )
    max_steps: int = setting(
        -1, "Optimizer steps; -1: num_train_epochs decides.", unit="steps", minimum=-1
    )
    num_train_epochs: float = setting(
        3.0, "Passes over the training data where max_steps is -1.", unit="epochs", minimum=0.0
    )
    optim: str | None = setting(
        None,
        "Optimizer: muon, or a name of transformers', as adamw_torch; null: muon from scratch, "
        "adamw_torch for pretrained weights.",
    )
    learning_rate: float | None = setting(
        None,
        "Peak learning rate; null: 2e-3 from scratch, 1e-4 with LoRA or frozen parts, 3e-5 for "
        "pretrained weights as a whole.",
        minimum=0.0,
        maximum=1.0,
    )
    lr_scheduler_type: str = setting(
        "cosine",
        "Shape of the learning rate after the warmup.",
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
        0.1, "Warmup: steps, or below 1 a share of all steps.", unit="steps", minimum=0.0
    )
    weight_decay: float = setting(0.01, "AdamW's weight decay.", minimum=0.0)
    adam_beta1: float = setting(0.9, "AdamW's beta 1.", minimum=0.0, maximum=1.0)
    adam_beta2: float = setting(0.98, "AdamW's beta 2.", minimum=0.0, maximum=1.0)
    adam_epsilon: float = setting(1e-8, "AdamW's epsilon.", minimum=0.0)
    max_grad_norm: float = setting(
        1.0, "Gradients are clipped to this norm; 0: never.", minimum=0.0
    )
    logging_steps: float = setting(
        25, "Steps between two log lines, or below 1 a share of all.", minimum=0.0
    )
    eval_strategy: str = setting("steps", "When to measure.", choices=("no", "steps", "epoch"))
    eval_steps: float | None = setting(
        None, "Steps between two evaluations; null: logging_steps.", minimum=0.0
    )
    save_strategy: str = setting("steps", "When to save.", choices=("no", "steps", "epoch", "best"))
    save_steps: float = setting(500, "Steps between two checkpoints.", minimum=0.0)
    save_total_limit: int | None = setting(
        3, "Checkpoints kept; the best and the newest always are.", minimum=1
    )
    load_best_model_at_end: bool = setting(
        True, "The best checkpoint, not the last, becomes the model."
    )
    metric_for_best_model: str | None = setting(
        "wer", "What the best checkpoint is best in.", choices=("wer", "cer")
    )
    greater_is_better: bool | None = setting(
        None, "Direction of metric_for_best_model; null: from its name."
    )
    seed: int = setting(42, "Seed of weights, order and augmentation.", minimum=0)
    dataloader_num_workers: int = setting(0, "Processes that load and decode audio.", minimum=0)
    gradient_checkpointing: bool = setting(
        False, "Less memory for more time: activations are computed again."
    )
    bf16: bool = setting(False, "Mixed precision with bfloat16.")
    fp16: bool = setting(False, "Mixed precision with float16, CUDA only.")
    report_to: list[str] | None = setting(
        None, "Trackers by name, as [tensorboard]; null: none. Nothing is sent anywhere unasked."
    )
    push_to_hub: bool = setting(False, "Refused: a model is uploaded by hand.")
    disable_tqdm: bool | None = setting(
        None, "Plain lines instead of bars; null: as the output allows."
    )


@dataclass
class EvaluationConfig:
    """How error rates are measured."""

    normalizer: str = setting(
        "basic",
        "Text normaliser applied to reference and hypothesis before scoring.",
        choices=("none", "basic", "whisper_basic", "whisper_english"),
    )
    bootstrap_samples: int = setting(
        1000, "Resamples of the utterances for the 95 % interval.", minimum=0
    )
    bootstrap_seed: int = setting(0, "Seed of the resamples.", minimum=0)
    report_utterances: int = setting(
        50, "Worst utterances with players in the report.", unit="utterances", minimum=0
    )


@dataclass
class Config:
    """One run: everything that decides what it does."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    eval_checkpoint: str | None = setting(
        None, "Measure this checkpoint instead of training: a checkpoint or a run's directory."
    )
    resume_from_checkpoint: str | None = setting(
        None, "Go on from here: a checkpoint, a run's directory, or `last`."
    )
    offline: bool = setting(
        False, "Never use the network: what is not on this machine is an error."
    )
