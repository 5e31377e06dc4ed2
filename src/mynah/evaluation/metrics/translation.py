"""What the metrics of translations share: sacrebleu's corpus scores, of texts as written."""

from __future__ import annotations

from mynah.evaluation.metrics.metric import Metric


class TranslationMetric(Metric):
    """A score of sacrebleu's, 0 to 100, higher is better.

    Texts are taken as written, since case and punctuation are part of a translation.
    """

    version = "sacrebleu-2"
    greater_is_better = True
    percent = False
    normalized = False
    highest = 100.0
    package = "sacrebleu"
    install = '"mynah-asr[metrics]"'
    formula = "sacrebleu's corpus score of the texts as written"
