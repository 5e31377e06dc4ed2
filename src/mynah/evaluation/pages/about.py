"""The end of the page: how the numbers came about, and how to get them again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mynah.evaluation import results, summary
from mynah.pages.markup import Markup, join, tag

if TYPE_CHECKING:
    from mynah.evaluation.evaluate import Evaluation

_LONGEST_LIST = 20  # items of a list shown; the rest is in the files beside the page
_SHOWN_ABOVE = frozenset(
    {"statement", "selection", "shared", "command", "versions", "config", "decoding", "measured_on"}
    | {"measured_once", "annotations"}
)


def about_section(evaluations: Mapping[str, Evaluation], about: Mapping[str, Any]) -> Markup:
    """Method, reproduction, versions, configuration, and whatever else ``about`` holds."""
    command = about.get("command")
    config = about.get("config")
    versions = {**results.scoring_versions(), **(about.get("versions") or {})}
    rest = {
        key: value
        for key, value in about.items()
        if key not in _SHOWN_ABOVE and value not in (None, {}, [], "")
    }
    return join(
        [
            tag("h3", "How it was measured"),
            tag("ul", [tag("li", line) for line in _method(evaluations)]),
            [tag("h3", "Measure it again"), tag("pre", tag("code", command), tabindex="0")]
            if command
            else None,
            tag("h3", "Corpora"),
            tag(
                "dl",
                [
                    [
                        tag("dt", name),
                        tag("dd", "fingerprint ", tag("code", found.corpus_fingerprint)),
                    ]
                    for name, found in evaluations.items()
                ],
            ),
            [_details(key, value) for key, value in rest.items()],
            _details("configuration", config) if config else None,
            _details("versions", versions),
        ]
    )


def _method(evaluations: Mapping[str, Evaluation]) -> list[str]:
    first = next(iter(evaluations.values())).scores
    samples = first.bootstrap_samples
    metrics = {
        name: measure.metric
        for found in evaluations.values()
        for name, measure in found.scores.measures.items()
    }
    return [
        "Free-running decoding: the model never sees the reference.",
        f"Text normaliser {first.normalizer}, applied to reference and hypothesis alike; errors"
        " counted on the alignment with the fewest errors. Every utterance of a split is in the"
        " denominator, whatever became of it.",
        *(f"{metric.label} ({metric.identity}): {metric.formula}." for metric in metrics.values()),
        *(f"{name}: {summary.interval_note(found.scores)}" for name, found in evaluations.items()),
        "Intervals are of 95 %. Over speakers: a jackknife-t with S - 1 degrees of freedom for"
        f" fewer than 30 speakers, else percentiles of a bootstrap of {samples:,} resamples, seed"
        f" {first.bootstrap_seed}. Over utterances: such percentiles (Bisani and Ney 2004); they"
        " take the utterances of one speaker for independent, and are too narrow where speakers"
        " differ. Both are in results.json. Neither says what another kind of speech would give."
        if samples
        else "No intervals were asked for.",
    ]


def _details(title: str, value: Any) -> Markup:
    text = value if isinstance(value, str) else results.to_json(_shortened(value), indent=2)
    if "\n" not in text and len(text) < 100:
        return tag("dl", tag("dt", title), tag("dd", tag("code", text)))
    return tag("details", tag("summary", title), tag("pre", tag("code", text), tabindex="0"))


def _shortened(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        kept = [_shortened(item) for item in value[:_LONGEST_LIST]]
        more = len(value) - len(kept)
        return [*kept, f"… and {more:,} more"] if more else kept
    return value
