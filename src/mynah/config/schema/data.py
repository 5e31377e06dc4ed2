"""Settings of ``data``: what is learned from and what is measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
class MixtureEntry:
    """One corpus of a mixture; its settings mean what those of ``data`` mean."""

    dataset_name: str = setting("", "The corpus: a name or a folder, as data.dataset_name.")
    format: str = setting("auto", "How it is laid out, as data.format.")
    path: str | None = setting(None, "Where it lies on this machine, as data.path.")
    dataset_configs: list[str] | None = setting(None, "Configurations of a hub dataset.")
    revision: str | None = setting(None, "Branch, tag or commit of a hub dataset.")
    columns: dict[str, str] = setting({}, "Headers of its metadata mapped to ours.")
    train_splits: list[str] = setting(["train"], "Its splits to train on; []: none.")
    eval_splits: list[str] | None = setting(
        ["validation"], "Its splits to measure on; []: none; null: a part of it is held out."
    )
    language: str | None = setting(None, "Language of its transcripts; null: as its rows say.")
    weight: float | None = setting(
        None, "Its share of an epoch beside the others' weights; null: by its hours.", minimum=0.0
    )
    max_train_samples: int | None = setting(
        None, "Training utterances it gives at most.", unit="utterances", minimum=1
    )
    max_train_hours: float | None = setting(
        None, "Hours of training audio it gives at most.", unit="hours", minimum=0.0
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
        choices=(
            "auto",
            "synthetic",
            "folder",
            "nemo",
            "lhotse",
            "kaldi",
            "common_voice",
            "ljspeech",
            "librispeech",
            "an4",
            "speechocean762",
            "parquet",
            "disk",
            "webdataset",
            "hub",
            "shards",
        ),
    )
    path: str | None = setting(
        None, "Where the corpus lies on this machine, relative to where the command is typed."
    )
    revision: str | None = setting(None, "Branch, tag or commit of a hub dataset; null: newest.")
    columns: dict[str, str] = setting(
        {}, "Headers of your metadata mapped to ours, as {text: sentence, audio: path}."
    )
    audio_folders: list[str] = setting(
        [],
        "Folders beside the corpus's own where recordings of its listing may lie; elsewhere "
        "none are read. Relative names are looked for there too.",
    )
    channels: str = setting(
        "mix",
        "What becomes of recordings with several channels: mix (their mean), first, or split "
        "(each is an utterance of its own). A row that names its channel is read from that one.",
        choices=("mix", "first", "split"),
    )
    no_speech_texts: list[str] = setting(
        [],
        "Transcripts that mean that nobody speaks, as [<noise>]: their rows are learned from as "
        "silence, beside those that a column no_speech marks.",
    )
    mixture: dict[str, Any] = setting(
        {},
        "Several corpora in place of one, as {calls: {dataset_name: DIR, weight: 2}}: of each "
        "what the table of a mixture's settings lists.",
        record=MixtureEntry,
    )
    mixture_temperature: float = setting(
        1.0,
        "Share of a corpus in an epoch ~ hours ** (1 / temperature) where no weights are given: "
        "1 keeps the proportions, more makes them alike.",
        minimum=1.0,
        maximum=1000.0,
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
    min_characters_a_second: float | None = setting(
        None,
        "Training utterances that say less in their time are left out and listed: text is "
        "missing; null: no limit.",
        unit="characters a second",
        minimum=0.0,
    )
    max_characters_a_second: float | None = setting(
        60.0,
        "Training utterances that say more in their time are left out and listed: text is "
        "not spoken (nobody says more than 30); null: no limit.",
        unit="characters a second",
        minimum=0.0,
    )
    on_duplicates: str = setting(
        "keep",
        "Training recordings that are there twice: keep (said), drop (but the first, listed) "
        "or fail.",
        choices=("keep", "drop", "fail"),
    )
    on_other_script: str = setting(
        "drop",
        "Training transcripts in a script that fewer than 1 in 100 of their source and language "
        "are in, as Cyrillic among English: drop (listed) or keep.",
        choices=("drop", "keep"),
    )
    on_leak: str = setting(
        "warn",
        "Speakers, sentences or recordings that training and evaluation share: warn (counted, "
        "with examples), fail, or ignore.",
        choices=("warn", "fail", "ignore"),
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
    text_substitutions: dict[str, str] = setting(
        {},
        "What training transcripts write, mapped to what it becomes, as {Mr.: mister}: whole "
        "words; a * at an end, as in {ja*: yes}, lets it go on inside a word.",
    )
    text_substitutions_file: str | None = setting(
        None, "A file of more substitutions: on each line what is written, a tab, what it becomes."
    )
    annotations: list[str] = setting(
        [],
        "What is no speech in transcripts, and taken out of them, of training and evaluation "
        "alike, as [<noise>, '(*)']: * stands for any characters; `usual` for <*>, [*] and {*}.",
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
    streaming: bool = setting(
        False,
        "Read training rows as they come, from a hub dataset or from parquet, Arrow, tar or JSON "
        "Lines shards, and prepare none of them; training.max_steps says when it ends.",
    )
    shuffle_buffer: int = setting(
        1000,
        "Rows of a stream that are shuffled and bucketed together; twice as many are held in "
        "memory, encoded.",
        unit="utterances",
        minimum=1,
    )
    tokenizer_rows: int = setting(
        20000,
        "Transcripts of a stream that a tokenizer from scratch is trained on.",
        unit="utterances",
        minimum=1,
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
