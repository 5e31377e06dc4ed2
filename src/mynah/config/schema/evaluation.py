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
        "Text normaliser for reference and hypothesis before scoring; one_notation: writes "
        "English numbers, letters said one by one and British spelling in one way.",
        nature=Nature.MEASURED,
        choices=("none", "basic", "whisper_basic", "whisper_english", "one_notation"),
    )
    metrics: list[str] | None = setting(
        None,
        "Metrics of every split, the first one shown first; null: wer and cer, with mer instead "
        "of wer if most references are in scripts without spaces between words; for translation "
        "(model.task) bleu and chrf.",
        nature=Nature.MEASURED,
        choices=metric_names,
    )
    options: dict[str, Any] = setting(
        {},
        "Settings of individual metrics, by metric name, e.g. {bleu: {tokenizer: zh}}.",
        nature=Nature.MEASURED,
    )
    baseline: str = setting(
        "sample",
        "Whether pretrained weights are also measured before tuning, at their native window, and "
        "compared with the tuned model on the same utterances; sample: on a fixed 120 utterances "
        "of each evaluation split; full: on all of them; none: not measured.",
        nature=Nature.MEASURED,
        choices=("sample", "full", "none"),
    )
    guard: list[str] | None = setting(
        None,
        "Sets on which a tuned model must not be worse than its base, measured before and after "
        "tuning; null: general for the base of model=default, otherwise none; general: 60 general "
        "sentences that espeak synthesizes without noise; anything else: as in data.dataset_name, "
        "with a split after a colon, e.g. librispeech:test-clean; a fixed 120 utterances of each.",
        nature=Nature.MEASURED,
        derived="follows from the model",
    )
    terms: str | None = setting(
        None,
        "File of words that matter, e.g. names, codes and products, one per line: they get their "
        "own recall, precision and error rate.",
        nature=Nature.MEASURED | Nature.PATH,
    )
    n_best: int = setting(
        0,
        "Hypotheses per utterance from a second decoding by Whisper at the end, with as many "
        "beams: error rates of the likeliest, of the best by the reference (oracle) and, where "
        "model.language_model names a file, of those that its n-grams choose; 0: none. 5 take "
        "over five times as long to decode.",
        nature=Nature.MEASURED,
        unit="hypotheses",
        minimum=0,
        maximum=20,
    )
    word_times: bool = setting(
        False,
        "Find when each word is spoken, for the CTM file of mynah score --write, even where "
        "decoding does not say: Whisper and beam search then take a second pass.",
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
