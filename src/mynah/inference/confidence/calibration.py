"""How likely a word is right: its probability, calibrated on speech that was not trained on.

A model's own probability of a word is too high, or too low, by an amount that is the model's.
Its log odds are divided by a temperature and shifted by a bias (Platt 1999, "Probabilistic Outputs
for Support Vector Machines"; temperature scaling, arXiv 1706.04599), which make it the share of
such words that are right.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

CALIBRATION_FILE = "confidence.json"  # of a checkpoint
_VERSION = 1
_LEAST_WORDS = 30  # that say anything of how often words are right
_FOLDS = 5
_BINS = 10
_STEPS = 50
_WEIGHT_OF_PRIOR = 1e-2  # of a temperature of 1 and no bias, beside one word each
_LARGEST_ODDS = 16.0  # of a probability that rounding makes 1


@dataclass(frozen=True)
class ScoredWord:
    """A word that a model wrote.

    Attributes:
        log_probability: Natural logarithm of its tokens' probability.
        is_right: Whether the reference has it at its place.
        spoken_by: The speaker, or the utterance where speakers are not known.
    """

    log_probability: float
    is_right: bool
    spoken_by: str


@dataclass(frozen=True)
class Calibration:
    """From a word's probability to the likelihood that it is right.

    Attributes:
        temperature: What its log odds are divided by.
        bias: What is added to them then.
        words: How many words it was fitted on.
        error: Expected calibration error on speakers that it was not fitted on; None where all
            words are of one.
    """

    temperature: float
    bias: float
    words: int
    error: float | None = None

    def confidence(self, log_probability: float) -> float:
        """How likely a word is right, 0 to 1.

        Args:
            log_probability: Natural logarithm of its tokens' probability.
        """
        return float(self._confidences(np.array([log_probability]))[0])

    def _confidences(self, log_probabilities: np.ndarray) -> np.ndarray:
        odds = log_odds(log_probabilities) / self.temperature + self.bias
        found: np.ndarray = 1.0 / (1.0 + np.exp(-odds))
        return found

    def to_json(self) -> str:
        """The content of :data:`CALIBRATION_FILE`."""
        return json.dumps({"version": _VERSION, **asdict(self)}, indent=2) + "\n"


# Of models that nobody trained here: benchmarks/confidences.py, 190 utterances of LibriSpeech's
# train-clean-5 (28 speakers).
UNTUNED = {"openai/whisper-tiny.en": Calibration(1.312, 1.498, 6525, 0.011)}


def read_calibration(folder: Path) -> Calibration | None:
    """What was fitted for the model of a folder; None where nothing usable lies there."""
    try:
        held = json.loads((folder / CALIBRATION_FILE).read_text(encoding="utf-8"))
        if held["version"] != _VERSION:
            return None
        error = held["error"]
        found = Calibration(
            float(held["temperature"]),
            float(held["bias"]),
            int(held["words"]),
            None if error is None else float(error),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    fits = math.isfinite(found.temperature) and found.temperature > 0 and math.isfinite(found.bias)
    return found if fits else None


def log_odds(log_probabilities: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)), finite where rounding makes p 0 or 1."""
    logs = np.minimum(np.asarray(log_probabilities, dtype=np.float64), 0.0)
    with np.errstate(divide="ignore"):
        odds = logs - np.log(-np.expm1(logs))
    clipped: np.ndarray = np.clip(odds, -_LARGEST_ODDS, _LARGEST_ODDS)
    return clipped


def expected_calibration_error(confidences: Sequence[float], is_right: Sequence[bool]) -> float:
    """How far confidences are from the share of words that are right, over ten bins of them.

    Guo et al. 2017 (arXiv 1706.04599), equation 3.

    Args:
        confidences: 0 to 1 each, at least one.
        is_right: Of the same words.
    """
    given, right = np.asarray(confidences), np.asarray(is_right, dtype=np.float64)
    bins = np.minimum((given * _BINS).astype(int), _BINS - 1)
    sums = np.bincount(bins, given - right, minlength=_BINS)
    return float(np.abs(sums).sum() / len(given))


def fit(words: Sequence[ScoredWord]) -> Calibration | None:
    """Find temperature and bias by maximum likelihood, and what they are worth on others.

    Args:
        words: Of speech that the model was not trained on.

    Returns:
        None where there are too few words to say.
    """
    if len(words) < _LEAST_WORDS:
        return None
    temperature, bias = _fitted(words)
    return Calibration(temperature, bias, len(words), _error_on_others(words))


def _fitted(words: Sequence[ScoredWord]) -> tuple[float, float]:
    """Newton's method on the two parameters of a logistic regression."""
    odds = log_odds(np.array([word.log_probability for word in words]))
    inputs = np.stack([odds, np.ones_like(odds)], axis=1)
    right = np.array([word.is_right for word in words], dtype=np.float64)
    prior = np.array([1.0, 0.0])
    found = prior.copy()
    for _ in range(_STEPS):
        likely = 1.0 / (1.0 + np.exp(-inputs @ found))
        slope = inputs.T @ (likely - right) + _WEIGHT_OF_PRIOR * (found - prior)
        curve = (inputs * (likely * (1 - likely))[:, None]).T @ inputs
        step = np.linalg.solve(curve + _WEIGHT_OF_PRIOR * np.eye(2), slope)
        found = found - np.clip(step, -1.0, 1.0)
    scale = max(float(found[0]), 1e-3)  # a likelier word is never less likely right
    return 1.0 / scale, float(found[1])


def _error_on_others(words: Sequence[ScoredWord]) -> float | None:
    """Cross-validated over speakers: each speaker's words by what was fitted on others."""
    speakers = sorted({word.spoken_by for word in words})
    if len(speakers) < 2:
        return None
    fold_of = {speaker: place % _FOLDS for place, speaker in enumerate(speakers)}
    confidences: list[float] = []
    right: list[bool] = []
    for fold in sorted(set(fold_of.values())):
        held_out = [word for word in words if fold_of[word.spoken_by] == fold]
        temperature, bias = _fitted([word for word in words if fold_of[word.spoken_by] != fold])
        others = Calibration(temperature, bias, 0)
        confidences += [others.confidence(word.log_probability) for word in held_out]
        right += [word.is_right for word in held_out]
    return expected_calibration_error(confidences, right)
