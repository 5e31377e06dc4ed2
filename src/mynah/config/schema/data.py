"""Settings of ``data``: what is learned from and what is measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mynah.config.plugins.formats import format_choices
from mynah.config.schema.augmentation import AugmentationConfig
from mynah.config.schema.nature import Nature
from mynah.config.schema.setting import section, setting
from mynah.config.schema.synthesis import SynthesisConfig


@dataclass
class MixtureEntry:
    """One corpus of a mixture; its settings mean the same as those of ``data``."""

    dataset_name: str = setting(
        "",
        "The corpus: a name or a folder; see data.dataset_name.",
        nature=Nature.ROWS | Nature.CORPUS | Nature.NAME,
    )
    format: str = setting(
        "auto", "How it is laid out, as data.format.", nature=Nature.ROWS | Nature.CORPUS
    )
    path: str | None = setting(
        None,
        "Where it lies on this machine, as data.path.",
        nature=Nature.ROWS | Nature.CORPUS | Nature.PATH,
    )
    dataset_configs: list[str] | None = setting(
        None, "Configurations of a hub dataset.", nature=Nature.ROWS | Nature.CORPUS
    )
    revision: str | None = setting(
        None, "Branch, tag or commit of a hub dataset.", nature=Nature.ROWS | Nature.CORPUS
    )
    columns: dict[str, str] = setting(
        {},
        "Mynah's columns and the headers of its metadata that they are read from.",
        nature=Nature.ROWS | Nature.CORPUS,
    )
    options: dict[str, Any] = setting(
        {}, "Settings specific to its format; see data.options.", nature=Nature.ROWS | Nature.CORPUS
    )
    train_splits: list[str] = setting(
        ["train"], "Its splits to train on; []: none.", nature=Nature.ROWS | Nature.CORPUS
    )
    eval_splits: list[str] | None = setting(
        ["validation"],
        "Its splits to evaluate on; []: none; null: a part of it is held out.",
        nature=Nature.ROWS | Nature.MEASURED | Nature.CORPUS,
    )
    test_splits: list[str] = setting(
        ["auto"],
        "Its splits to evaluate once, at the end of training; see data.test_splits.",
        nature=Nature.MEASURED | Nature.CORPUS,
    )
    language: str | None = setting(
        None, "Language of its transcripts; null: as its rows say.", nature=Nature.ROWS
    )
    weight: float | None = setting(
        None,
        "Its share of an epoch, relative to the other corpora's weights; null: all go by hours.",
        nature=Nature.ROWS,
        minimum=0.0,
    )
    max_train_samples: int | None = setting(
        None,
        "Training utterances it gives at most.",
        nature=Nature.ROWS,
        unit="utterances",
        minimum=1,
    )
    max_train_hours: float | None = setting(
        None,
        "Hours of training audio it gives at most.",
        nature=Nature.ROWS,
        unit="hours",
        minimum=0.0,
    )


@dataclass
class DataConfig:
    """What is trained on and what is evaluated on."""

    dataset_name: str = setting(
        "synthetic",
        "`synthetic` (speech synthesized on this machine), `librispeech`, `an4`, a folder, a "
        "storage URL (s3://BUCKET/FOLDER), or the name of a dataset on the Hugging Face hub.",
        nature=Nature.ROWS | Nature.CORPUS | Nature.NAME,
    )
    dataset_configs: list[str] | None = setting(
        None,
        "Configurations of a hub dataset, e.g. [clean, other]; null: its default one.",
        nature=Nature.ROWS | Nature.CORPUS,
    )
    format: str = setting(
        "auto",
        "How the corpus is laid out; auto: detected.",
        nature=Nature.ROWS | Nature.CORPUS,
        choices=format_choices,
    )
    options: dict[str, Any] = setting(
        {},
        "Settings specific to the format, for formats of plug-ins that define any, e.g. "
        "{encoding: latin-1}.",
        nature=Nature.ROWS | Nature.CORPUS,
    )
    path: str | None = setting(
        None,
        "Where the corpus is on this machine; a relative path starts where the command is run.",
        nature=Nature.ROWS | Nature.CORPUS | Nature.PATH,
    )
    revision: str | None = setting(
        None,
        "Branch, tag or commit of a hub dataset; null: newest.",
        nature=Nature.ROWS | Nature.CORPUS,
    )
    columns: dict[str, str] = setting(
        {},
        "Mynah's columns and the headers of your metadata that they are read from, e.g. {text: "
        "sentence, audio: path}.",
        nature=Nature.ROWS | Nature.CORPUS,
    )
    audio_folders: list[str] = setting(
        [],
        "Folders, besides the corpus's own, that may hold the recordings in its listing; "
        "recordings elsewhere are not read. Relative names are looked up in them too.",
        nature=Nature.ROWS | Nature.CORPUS | Nature.PATH,
    )
    channels: str = setting(
        "mix",
        "How recordings with several channels are read: mix (their mean), first, or split (each "
        "channel becomes a separate utterance). A row that names its channel is read from that "
        "one.",
        nature=Nature.ROWS | Nature.CORPUS,
        choices=("mix", "first", "split"),
    )
    no_speech_texts: list[str] = setting(
        [],
        "Transcripts that mean that nobody speaks, e.g. [<noise>]: their rows are trained on as "
        "silence, like those that a column no_speech marks.",
        nature=Nature.ROWS | Nature.CORPUS,
    )
    mixture: dict[str, Any] = setting(
        {},
        "Several corpora instead of one, e.g. {calls: {dataset_name: DIR, weight: 2}}; each takes "
        "the settings listed under data.mixture.NAME.",
        nature=Nature.ROWS | Nature.CORPUS | Nature.TABLE,
        record=MixtureEntry,
    )
    mixture_temperature: float = setting(
        1.0,
        "Share of a corpus in an epoch ~ hours ** (1 / temperature) where no weights are given: 1 "
        "keeps the proportions, higher values even them out.",
        nature=Nature.ROWS | Nature.CORPUS | Nature.CHOOSES,
        minimum=1.0,
        maximum=1000.0,
    )
    replay: float | None = setting(
        0.0,
        "Share of the training audio that is general speech, with what the base recognizes in it "
        "at its native window as transcripts, so that a pretrained recognizer keeps what it "
        "knows; 0: none; null: 0.1 where LoRA adapts the base of model=default to your own "
        "corpus, otherwise 0.",
        nature=Nature.ROWS | Nature.TABLE | Nature.STEP,
        minimum=0.0,
        maximum=0.9,
        derived="follows from the model and the corpus",
    )
    replay_from: str = setting(
        "general",
        "Where that speech comes from; general: sentences that espeak synthesizes without noise; "
        "anything else: as in data.dataset_name, with a split after a colon. An epoch gets as "
        "many pieces of at most 10 seconds as it has room for, at most 1,000.",
        nature=Nature.ROWS,
    )
    train_splits: list[str] = setting(
        ["train"],
        "Splits to train on, in the hub's notation, slices included, e.g. train.100[:500].",
        nature=Nature.ROWS | Nature.CORPUS,
    )
    eval_splits: list[str] | None = setting(
        ["validation"],
        "Splits to evaluate on; [auto]: the corpus's evaluation split, or all of a corpus without "
        "splits; null: a part of the training splits, held out by speaker.",
        nature=Nature.ROWS | Nature.MEASURED | Nature.CORPUS,
    )
    test_splits: list[str] = setting(
        ["auto"],
        "Splits to evaluate once, at the end of training, with the weights that eval_splits "
        "selected; [auto]: the corpus's test split, if it has one that is not used otherwise; []: "
        "none.",
        nature=Nature.MEASURED | Nature.CORPUS,
    )
    eval_fraction: float = setting(
        0.1,
        "Share of the rows held out where eval_splits is null; all rows of a speaker stay "
        "together, if speakers are known.",
        nature=Nature.ROWS | Nature.MEASURED | Nature.CORPUS,
        minimum=0.0,
        maximum=0.9,
    )
    sample_rate: int = setting(
        16000,
        "Rate the model takes; audio is resampled to it.",
        nature=Nature.STEP | Nature.CHOOSES,
        unit="hertz",
        minimum=4000,
        maximum=192000,
    )
    max_audio_seconds: float | None = setting(
        30.0,
        "Longer training utterances are left out and listed; null: no limit.",
        nature=Nature.ROWS | Nature.CHOOSES,
        instead="30.0",
        unit="seconds",
        minimum=0.0,
    )
    min_audio_seconds: float = setting(
        0.1,
        "Shorter training utterances are left out and listed.",
        nature=Nature.ROWS | Nature.CHOOSES,
        unit="seconds",
        minimum=0.0,
    )
    max_text_words: int | None = setting(
        None,
        "Training transcripts with more words are left out and listed; null: no limit.",
        nature=Nature.ROWS | Nature.CHOOSES,
        unit="words",
        minimum=1,
    )
    min_characters_a_second: float | None = setting(
        None,
        "Training utterances with fewer characters per second of audio are left out and listed: "
        "text is missing; null: no limit.",
        nature=Nature.ROWS | Nature.CHOOSES,
        unit="characters a second",
        minimum=0.0,
    )
    max_characters_a_second: float | None = setting(
        60.0,
        "Training utterances with more characters per second of audio are left out and listed: "
        "their text was not spoken (nobody says more than 30); null: no limit.",
        nature=Nature.ROWS | Nature.CHOOSES,
        unit="characters a second",
        minimum=0.0,
    )
    on_duplicates: str = setting(
        "keep",
        "Duplicate training recordings: keep (reported), drop (all but the first; listed) or fail.",
        nature=Nature.ROWS | Nature.CHOOSES | Nature.TABLE,
        choices=("keep", "drop", "fail"),
    )
    on_other_script: str = setting(
        "keep",
        "Training transcripts in a script that fewer than 1 in 100 of their source and language "
        "use, e.g. Cyrillic among English: keep (reported) or drop (listed).",
        nature=Nature.ROWS | Nature.CHOOSES,
        choices=("keep", "drop"),
    )
    on_leak: str = setting(
        "warn",
        "Speakers, sentences or recordings that training and evaluation share: warn (counted, "
        "with examples), fail, or ignore.",
        nature=Nature.GUARD,
        choices=("warn", "fail", "ignore"),
    )
    filter_eval: bool = setting(
        False,
        "Apply the filters to evaluation splits too: the error rate is then of a smaller set.",
        nature=Nature.MEASURED | Nature.CHOOSES,
    )
    text_case: str | None = setting(
        "keep",
        "Letter case of training transcripts; null: lower for corpora that are written in one "
        "case (synthetic, librispeech, an4), keep for others.",
        nature=Nature.ROWS,
        choices=("keep", "lower"),
        derived="follows from the corpus",
    )
    strip_punctuation: bool = setting(
        False,
        "Remove punctuation from training transcripts, except apostrophes inside words.",
        nature=Nature.ROWS,
    )
    text_substitutions: dict[str, str] = setting(
        {},
        "Replacements in training transcripts, e.g. {Mr.: mister}. They match whole words; with a "
        "* at either end, as in {ja*: yes}, a match may start or end inside a word.",
        nature=Nature.ROWS,
    )
    text_substitutions_file: str | None = setting(
        None,
        "A file with more substitutions: on each line the text to replace, a tab and its "
        "replacement.",
        nature=Nature.ROWS | Nature.PATH,
    )
    annotations: list[str] = setting(
        [],
        "Non-speech marks to remove from transcripts, in training and evaluation alike, e.g. "
        "[<noise>, '(*)']: * stands for any characters; `usual` for <*>, [*] and {*}.",
        nature=Nature.ROWS,
    )
    language: str | None = setting(
        None,
        "Language of the transcripts, an ISO 639-1 code; null: as the rows say.",
        nature=Nature.ROWS | Nature.CORPUS,
    )
    dataset_cache_dir: str | None = setting(
        None,
        "Where downloads and prepared tables are kept; null: ~/.cache/mynah.",
        nature=Nature.RUN | Nature.PATH,
    )
    num_proc: int | None = setting(
        None,
        "Processes that prepare the corpus; null: one per core.",
        nature=Nature.RUN,
        unit="processes",
        minimum=1,
    )
    max_train_samples: int | None = setting(
        None,
        "Keep this many training utterances at most.",
        nature=Nature.ROWS | Nature.CHOOSES | Nature.TABLE,
        unit="utterances",
        minimum=1,
    )
    train_share: float = setting(
        1.0,
        "Keep this share of the training utterances, chosen at random; a larger share contains "
        "every smaller one (mynah sweep-data).",
        nature=Nature.ROWS | Nature.CHOOSES | Nature.TABLE,
        minimum=1e-6,
        maximum=1.0,
    )
    max_eval_samples: int | None = setting(
        None,
        "Keep this many evaluation utterances at most.",
        nature=Nature.MEASURED | Nature.CHOOSES,
        unit="utterances",
        minimum=1,
    )
    streaming: bool = setting(
        False,
        "Read training rows as they come, from a hub dataset or from parquet, Arrow, tar or JSON "
        "Lines shards, without preparing any; training.max_steps sets when training ends.",
        nature=Nature.ROWS,
    )
    shuffle_buffer: int = setting(
        1000,
        "Rows of a stream that are shuffled and bucketed together; twice as many are held in "
        "memory, encoded.",
        nature=Nature.ROWS,
        unit="utterances",
        minimum=1,
    )
    tokenizer_rows: int = setting(
        20000,
        "Transcripts of a stream that a tokenizer from scratch is trained on.",
        nature=Nature.ROWS,
        unit="utterances",
        minimum=1,
    )
    on_error: str = setting(
        "skip",
        "A training row that cannot be read: skip (counted and listed) or fail.",
        nature=Nature.GUARD,
        choices=("skip", "fail"),
    )
    on_impossible: str = setting(
        "fail",
        "Training rows whose transcript cannot fit their audio in this model: fail, naming "
        "them, or drop (counted and listed).",
        nature=Nature.ROWS | Nature.GUARD,
        choices=("fail", "drop"),
    )
    synthesis: SynthesisConfig = section(SynthesisConfig, "The embedded corpus.")
    augmentation: AugmentationConfig = section(
        AugmentationConfig, "Augmentation of training audio."
    )
