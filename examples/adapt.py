"""Train a recognizer on a corpus, and read what the run came to.

    python examples/adapt.py calls/ [model=whisper_small model.language=en ...]

What follows the corpus is what `mynah train` takes.
"""

import sys

import mynah
from mynah.errors import UserError


def main() -> None:
    """Train, then print each split's error rate and where the model lies."""
    corpus, *settings = sys.argv[1:]
    try:
        run = mynah.train([f"data.dataset_name={corpus}", *settings])
    except UserError as error:  # says what is wrong, where, and how to fix it
        sys.exit(str(error))
    for split, evaluation in run.evaluations.items():
        for name, measure in evaluation.scores.measures.items():
            low, high = measure.interval.low, measure.interval.high
            print(f"{split}: {name} {measure.value:.4f} [{low:.4f}, {high:.4f}]")
    print(f"model: {run.model}")
    print(f"report: {run.report}")


if __name__ == "__main__":
    main()
