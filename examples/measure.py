"""Measure a model on a corpus, and print the worst utterances.

python examples/measure.py outputs/model calls/ [data.eval_splits=[test] ...]
"""

import sys

import mynah


def main() -> None:
    """Print error rates with their intervals, and three utterances with the most errors."""
    model, corpus, *settings = sys.argv[1:]
    evaluation = mynah.evaluate(model, corpus, settings)
    scores = evaluation.scores
    print(f"{evaluation.name}: {scores.utterances} utterances, {scores.normalizer}")
    for name, measure in scores.measures.items():
        low, high = measure.interval.low, measure.interval.high
        print(f"{name}: {measure.value:.4f} [{low:.4f}, {high:.4f}]")
    for one in sorted(scores.per_utterance, key=lambda one: -one.errors)[:3]:
        print(f"{one.id}\n  reference:  {one.reference}\n  hypothesis: {one.hypothesis}")


if __name__ == "__main__":
    main()
