"""Confidences of words, on speakers that they were not fitted on.

    python benchmarks/confidences.py CORPUS [--model openai/whisper-tiny.en] [--splits 20]
        [--utterances 200] [--normalizer whisper_english] [--split train]

CORPUS is what data.dataset_name takes; its speakers have to be known. The model transcribes
utterances spread evenly over it. Temperature and bias are fitted on the words of half of the
speakers and tried on the others, for so many random halves; shown are the expected calibration
error of the model's own probabilities, of what the model's checkpoint holds (fitted on its first
evaluation split), and the mean and the largest of the fitted ones.
"""

from __future__ import annotations

import argparse
import math
import statistics

import numpy as np

import mynah
from mynah.evaluation.decoding.decode import decode
from mynah.inference.confidence.calibration import expected_calibration_error, fit
from mynah.inference.confidence.fitting import scored_words
from mynah.inference.load import BASE


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpus")
    parser.add_argument("--model", default=BASE)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--utterances", type=int, default=200)
    parser.add_argument("--normalizer", default="whisper_english")
    parser.add_argument("--split", default="train")
    arguments = parser.parse_args()
    recognizer = mynah.load(arguments.model, offline=True)
    family = recognizer.family
    corpus = mynah.prepare(
        arguments.corpus,
        [
            f"data.sample_rate={family.sample_rate}",
            f"data.train_splits=[{arguments.split}]",
            f"data.eval_splits=[{arguments.split}]",
        ],
    )
    rows = np.linspace(0, len(corpus) - 1, min(arguments.utterances, len(corpus)))
    corpus = corpus.select(np.unique(rows.round().astype(int)))
    hypotheses = decode(family, corpus, batch_seconds=240, batch_size=8)
    words = list(scored_words(family, corpus, hypotheses, arguments.normalizer))
    right = [word.is_right for word in words]
    raw = expected_calibration_error([math.exp(word.log_probability) for word in words], right)
    speakers = sorted({word.spoken_by for word in words})
    print(f"{len(words):,} words of {len(speakers)} speakers, {np.mean(right):.1%} right")
    print(f"expected calibration error of the model's own probabilities: {raw:.3f}")
    if recognizer.calibration is not None:
        held = [recognizer.calibration.confidence(word.log_probability) for word in words]
        print(f"the checkpoint's: {expected_calibration_error(held, right):.3f}")
    random = np.random.default_rng(0)
    errors = []
    for _ in range(arguments.splits):
        half = set(random.permutation(speakers)[: len(speakers) // 2].tolist())
        fitted = fit([word for word in words if word.spoken_by in half])
        assert fitted is not None, "too few words"
        others = [word for word in words if word.spoken_by not in half]
        errors.append(
            expected_calibration_error(
                [fitted.confidence(word.log_probability) for word in others],
                [word.is_right for word in others],
            )
        )
    print(f"fitted, on other speakers: {statistics.mean(errors):.3f}, at most {max(errors):.3f}")
    print(f"fitted on all: {fit(words)}")


if __name__ == "__main__":
    main()
