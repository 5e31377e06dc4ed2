"""Settings of ``evaluation``: how error rates are measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mynah.config.plugins.metrics import metric_names
from mynah.config.schema.nature import Nature
from mynah.config.schema.setting import setting


@dataclass
class EvaluationConfig:
    """How error rates are measured."""

    normalizer: str = setting(
        "basic",
        "Text normaliser applied to reference and hypothesis before scoring; one_notation: English "
        "numbers, letters one by one and British spelling are written one way.",
        nature=Nature.MEASURED,
        choices=("none", "basic", "whisper_basic", "whisper_english", "one_notation"),
    )
    metrics: list[str] | None = setting(
        None,
        "Metrics of every split, the first to be shown first; null: wer and cer, with mer in the "
        "place of wer where most of the references are in scripts without spaces between words; "
        "of translations (model.task) bleu and chrf.",
        nature=Nature.MEASURED,
        choices=metric_names,
    )
    options: dict[str, Any] = setting(
        {},
        "Settings of metrics' own, by the metric's name, as {bleu: {tokenizer: zh}}.",
        nature=Nature.MEASURED,
    )
    baseline: str = setting(
        "sample",
        "Whether pretrained weights that are tuned are measured before, at their own native "
        "window, and compared with the tuned model on the same utterances; sample: a fixed 120 of "
        "each evaluation split; full: all of them; none: not.",
        nature=Nature.MEASURED,
        choices=("sample", "full", "none"),
    )
    guard: list[str] | None = setting(
        None,
        "Sets that a tuned model must not recognize worse than its base, measured before and "
        "after; null: general for the base of model=default, else none; general: 60 general "
        "sentences that espeak synthesizes without noise; anything "
        "else as data.dataset_name, a split behind a colon, as librispeech:test-clean; of each "
        "a fixed 120 utterances.",
        nature=Nature.MEASURED,
        derived="follows from the model",
    )
    terms: str | None = setting(
        None,
        "File of words that matter, as names, codes and products, one a line: they get a recall, a "
        "precision and an error rate of their own.",
        nature=Nature.MEASURED | Nature.PATH,
    )
    n_best: int = setting(
        0,
        "Hypotheses that a Whisper gives of each utterance once more, by as many beams, at the "
        "end: error rates of the likeliest, of the best by the reference (oracle) and, where "
        "model.language_model names a file, of those that its n-grams choose; 0: none. 5 take "
        "over five times the decoding.",
        nature=Nature.MEASURED,
        unit="hypotheses",
        minimum=0,
        maximum=20,
    )
    word_times: bool = setting(
        False,
        "Find when each word is recognized, for the CTM file of mynah score --write, also where "
        "decoding does not tell: a Whisper and a beam search take a second pass.",
        nature=Nature.MEASURED,
    )
    bootstrap_samples: int = setting(
        1000,
        "Resamples of the utterances for the 95 % interval; 0: no interval.",
        nature=Nature.MEASURED,
        minimum=0,
    )
    bootstrap_seed: int = setting(
        0, "Seed of the resamples.", nature=Nature.MEASURED, minimum=0, maximum=2**32 - 1
    )
    report_utterances: int = setting(
        50,
        "Worst utterances with players in the report.",
        nature=Nature.MEASURED,
        unit="utterances",
        minimum=0,
    )
