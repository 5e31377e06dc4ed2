"""What ``model.language_model`` names: the training transcripts' words, a file, or nothing."""

from __future__ import annotations

WEIGHT = 0.7  # of n-grams that join a CTC model, or choose among hypotheses
TRANSDUCER_WEIGHT = 0.2  # a transducer's prediction network knows words itself
NONE, WORDS = "none", "words"
ARPA, TEXT = ".arpa", ".txt"


def is_file(value: str) -> bool:
    """Whether the setting names a file: n-grams in the ARPA format, or text."""
    return value.endswith((ARPA, TEXT))


def is_valid(value: str) -> bool:
    """Whether the setting takes the value."""
    return value in (NONE, WORDS) or is_file(value)


def weight_of(asked: float | None, *, predicts_labels: bool = False) -> float:
    """The weight of a language model in decoding.

    Args:
        asked: ``model.language_model_weight``.
        predicts_labels: Whether the recognizer has a language model of its own, as a transducer.
    """
    if asked is not None:
        return asked
    return TRANSDUCER_WEIGHT if predicts_labels else WEIGHT
