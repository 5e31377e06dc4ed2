"""Settings of ``data``: what is learned from and what is measured on."""

from __future__ import annotations

from dataclasses import dataclass

from mynah.config.schema.augmentation import AugmentationConfig
from mynah.config.schema.setting import setting


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
