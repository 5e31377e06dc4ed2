"""Settings of ``data.synthesis``: the embedded corpus."""

from __future__ import annotations

from dataclasses import dataclass

from mynah.config.schema.nature import Nature
from mynah.config.schema.setting import setting


@dataclass
class SynthesisConfig:
    """The embedded corpus: sentences from a grammar, spoken by espeak-ng."""

    train_sentences: int = setting(
        6000,
        "Training sentences to sample and synthesize.",
        nature=Nature.ROWS | Nature.MEASURED | Nature.CORPUS,
        unit="sentences",
        minimum=1,
    )
    eval_sentences: int = setting(
        480,
        "Evaluation sentences, with voices and template fillings that training never has.",
        nature=Nature.ROWS | Nature.MEASURED | Nature.CORPUS,
        unit="sentences",
        minimum=1,
    )
    seed: int = setting(
        0,
        "Seed of the sentences, voices, rates, pitches and noise.",
        nature=Nature.ROWS | Nature.MEASURED | Nature.CORPUS,
        minimum=0,
        maximum=2**32 - 1,
    )
    language: str = setting(
        "en",
        "Language spoken; the embedded grammar is English.",
        nature=Nature.ROWS | Nature.MEASURED | Nature.CORPUS,
        choices=("en",),
    )
    domain: str = setting(
        "general",
        "Topic of the sentences; general: home, travel, work and the like; heating: calls to a "
        "heating service company, with names and jargon of the trade.",
        nature=Nature.ROWS | Nature.MEASURED | Nature.CORPUS,
        choices=("general", "heating"),
    )
    channel: str = setting(
        "wide",
        "Simulated channel; telephone: 300 to 3400 hertz at 8 kHz through G.711.",
        nature=Nature.ROWS | Nature.MEASURED | Nature.CORPUS,
        choices=("wide", "telephone"),
    )
    noise_snr_db: list[float] = setting(
        [20.0, 40.0],
        "Noise mixed into the recordings, at a ratio sampled from [low, high]; empty: none.",
        nature=Nature.ROWS | Nature.MEASURED | Nature.CORPUS,
        unit="decibels",
    )
