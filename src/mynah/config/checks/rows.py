"""What is asked of rows: spans that are spans, lengths and splits that leave some."""

from __future__ import annotations

from mynah.config.checks.checker import Checker
from mynah.config.values import typed


def check_rows(checker: Checker) -> None:
    """Report filters and splits that leave nothing, and spans that are none."""
    data = checker.config.data
    for name in ("data.augmentation.noise_snr_db", "data.synthesis.noise_snr_db"):
        span = checker.value(name)
        if span and (len(span) != 2 or span[0] > span[1]):
            low, high = min(span), max(span)
            checker.wrong(
                name,
                f"{name} is [low, high] in decibels, or [] for none; not {typed(span)}.",
                f"{name}=[{typed(low)},{typed(high)}]",
            )
    factors = data.augmentation.speed_factors
    if any(not 0.5 <= factor <= 2 for factor in factors):
        checker.wrong(
            "data.augmentation.speed_factors",
            f"Speed factors lie between 0.5 and 2; not {typed(factors)}.",
            "data.augmentation.speed_factors=[0.9,1.0,1.1]",
        )
    longest = data.max_audio_seconds
    if longest is not None and longest <= data.min_audio_seconds:
        checker.wrong(
            "data.max_audio_seconds",
            f"No utterance is shorter than {typed(longest)} and longer than "
            f"{typed(data.min_audio_seconds)} seconds (data.min_audio_seconds).",
            "data.max_audio_seconds=30.0"
            if data.min_audio_seconds < 30
            else "data.min_audio_seconds=0.1",
        )
    if not data.train_splits and checker.config.eval_checkpoint is None:
        checker.wrong(
            "data.train_splits", "There is nothing to train on.", "data.train_splits=[train]"
        )
