"""Word error rate."""

from __future__ import annotations

from mynah.evaluation.metrics.edits import EditRate


class WordErrorRate(EditRate):
    """(S + D + I) / words of the references; words are what spaces separate."""

    name = "wer"
    label = "WER"
    title = "word error rate"
    version = "1"
    formula = "(substitutions + deletions + insertions) / words of all references"

    def units(self, text: str) -> list[str]:
        return text.split()
