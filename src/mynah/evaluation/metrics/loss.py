"""The evaluation loss as a metric: its sums come from the model, not from transcripts."""

from __future__ import annotations

from mynah.evaluation.metrics.edits import ratio
from mynah.evaluation.metrics.metric import Metric, Vector


class EvaluationLoss(Metric):
    """Mean negative log-likelihood of a reference's token, given all before it.

    Its vector is [sum over the tokens, tokens]; ``mynah.evaluation.loss`` computes it.
    """

    name = "loss"
    label = "loss"
    title = "evaluation loss"
    version = "1"
    greater_is_better = False
    percent = False
    digits = 4
    normalized = False
    formula = "teacher-forced: the family's own loss, its sum over all utterances by their tokens"

    def statistics(self, reference: str, hypothesis: str) -> Vector:
        raise TypeError("The evaluation loss is not a function of transcripts")

    def value(self, total: Vector) -> float:
        return ratio(float(total[0]), float(total[1]))
